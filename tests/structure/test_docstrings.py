"""Docstrings of calls say how they can end; no function has a long body."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

import pytest
from package_sources import FILES, PACKAGE, syntax_of

from paywint_async import Payments, PaywintClient, Redirect, export_accounts
from paywint_async.export import transfer
from paywint_async.reconcile import ledger_rows, reconcile
from paywint_async.webhooks import WebhookEvent

LONG = 40  # lines, without the docstring
CALLS = [
    getattr(kind, name)
    for kind in (Payments, PaywintClient, Redirect, WebhookEvent)
    for name, method in vars(kind).items()
    if inspect.iscoroutinefunction(method) and not name.startswith("_") and name != "aclose"
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__qualname__)
@pytest.mark.parametrize("words", ["Cancellation:", "ClientClosedError", "TransportError"])
def test_each_call_says_how_it_can_end(call: object, words: str) -> None:
    assert words in (inspect.getdoc(call) or "")


@pytest.mark.parametrize("function", [export_accounts, ledger_rows, reconcile, transfer])
def test_each_asynchronous_function_says_what_cancellation_leaves(function: object) -> None:
    assert "Cancellation:" in (inspect.getdoc(function) or "")


def long_functions() -> Iterator[str]:
    for path in FILES:
        for node in ast.walk(syntax_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[int(ast.get_docstring(node) is not None) :]
                if body and (node.end_lineno or 0) - body[0].lineno >= LONG:
                    yield f"{path.relative_to(PACKAGE)}: {node.name}"


def test_no_function_has_a_long_body() -> None:
    assert list(long_functions()) == []
