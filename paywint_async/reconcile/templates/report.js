"use strict";
(() => {
  const table = document.getElementById("table");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const kind = document.getElementById("kind");
  const search = document.getElementById("search");
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  // What has no value stays at the end, whichever way the others go.
  const compare = (column, isNumber, sign) => (one, other) => {
    const keys = [one, other].map((row) => row.cells[column].dataset.key);
    if (keys[0] === "" || keys[1] === "") return (keys[0] === "") - (keys[1] === "");
    return sign * (isNumber ? keys[0] - keys[1] : keys[0].localeCompare(keys[1]));
  };

  const sort = (column) => {
    const head = heads[column];
    const isUp = head.getAttribute("aria-sort") !== "ascending";
    for (const each of heads) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
    rows.sort(compare(column, head.dataset.sort === "number", isUp ? 1 : -1));
    body.append(...rows);
  };

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const isKind = !kind.value || row.dataset.kind === kind.value;
      const isShown = isKind && words.every((word) => texts.get(row).includes(word));
      row.hidden = !isShown;
      count += isShown;
    }
    document.getElementById("shown").textContent = `${count} of ${rows.length} shown`;
    document.getElementById("none").hidden = count > 0;
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(column));
    head.replaceChildren(button);
  });
  document.querySelector(".tools").hidden = false;
  kind.addEventListener("change", filter);
  search.addEventListener("input", filter);
  filter();
})();
