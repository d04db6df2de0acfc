"use strict";
// The page is whole without this: it only fetches itself again, and swaps its middle when that is new.
const main = document.querySelector("#main");
let shown = main.innerHTML;

function isBusy() {
  const focused = document.activeElement;
  const isReading = !document.getSelection().isCollapsed;
  return document.hidden || isReading || (focused !== null && focused.closest("form[data-quiet]") !== null);
}

async function refresh() {
  if (isBusy()) return;
  const answer = await fetch(location.href, { headers: { "X-Refresh": "1" } });
  if (!answer.ok || isBusy()) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#main");
  if (fresh !== null && fresh.innerHTML !== shown) {
    const link = main.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    main.replaceChildren(...fresh.childNodes);
    shown = main.innerHTML;
    if (link !== null) [...main.querySelectorAll("a")].find((a) => a.getAttribute("href") === link)?.focus();
  }
}

if (!location.pathname.endsWith("/settings")) {
  setInterval(() => refresh().catch(() => {}), 1000);
}
