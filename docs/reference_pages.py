"""The pages of the reference: every public name, from its docstring, when the site is built."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import paywint_async

PAGES = {
    "client": (
        "The client",
        "PaywintClient ClientOptions Environment RetryPolicy RateLimit Limiter SharedRateLimit "
        "Middleware Handler Request Response Answers Answer tracing",
    ),
    "payments": (
        "Payments and listings",
        "Payments PaymentListing HistoryListing ListingRange PaymentWatch",
    ),
    "events": (
        "Events",
        "Event RequestEvent RetryEvent CooldownEvent PageEvent CheckpointEvent DisorderEvent",
    ),
    "accounts": (
        "Many accounts",
        "export_accounts Account SecretRef AccountReport AccountStatus ExportSummary",
    ),
}
PACKAGES = ("webhooks", "emulator", "export", "reconcile")


def write_pages(folder: Path) -> None:
    """Each public name on one page; those that no page names are errors or records."""
    named = {name for _, names in PAGES.values() for name in names.split()}
    rest = [name for name in paywint_async.__all__ if name not in named]
    errors = ["PaywintError", *(n for n in rest if n.endswith("Error") and n != "PaywintError")]
    groups = {page: (title, names.split()) for page, (title, names) in PAGES.items()}
    groups["errors"] = ("Errors", errors)
    groups["records"] = ("Records and values", [name for name in rest if name not in errors])
    for page, (title, names) in groups.items():
        _write(folder / f"{page}.md", title, "paywint_async", names, "")
    for package in PACKAGES:
        module = importlib.import_module(f"paywint_async.{package}")
        names = [name for name in module.__all__ if name not in paywint_async.__all__]
        title = f"paywint_async.{package}"
        _write(
            folder / f"{package}.md",
            title,
            title,
            names,
            f".. automodule:: {title}\n   :no-members:\n\n",
        )


def _write(page: Path, title: str, module: str, names: list[str], before: str) -> None:
    entries = "\n".join(_entry(module, name) for name in names)
    directives = f"{before}.. currentmodule:: {module}\n\n{entries}"
    text = f"# {title}\n\n```{{eval-rst}}\n{directives}\n```\n"
    if not page.exists() or page.read_text("utf-8") != text:
        page.write_text(text, "utf-8")


def _entry(module: str, name: str) -> str:
    value = getattr(importlib.import_module(module), name)
    if isinstance(value, type):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        bases = "" if value.__bases__ == (object,) else "\n   :show-inheritance:\n"
        return f".. {kind}:: {name}{bases}"
    if inspect.isfunction(value):
        return f".. autofunction:: {name}"
    return f".. py:data:: {name}\n"  # an alias or a table, whose value would say nothing
