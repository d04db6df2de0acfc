"""The fault matrix: what a caller sees of each fault, and how many requests the server saw.

The expected outcomes are the table in docs/failures.md. Run with PAYWINT_WRITE_MATRIX=1 to write the
table from the current outcomes, and review the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest
from fault_catalogue import CATALOGUE
from fault_server import API_KEY, API_SECRET, PAYMENT_ID, Fault, FaultServer

from paywint_async import PaywintClient, PaywintError, RetryPolicy

PAGE = Path(__file__).resolve().parents[2] / "docs" / "failures.md"
RETRY = RetryPolicy(max_attempts=3, base_delay=0.1)
OPERATIONS: dict[str, Callable[[PaywintClient], Awaitable[object]]] = {
    "read": lambda client: client.payments.get(PAYMENT_ID),
    "create": lambda client: client.payments.create_link(Decimal("150.75")),
    "listing": lambda client: client.payments.received().collect(),
}


async def outcome(fault: Fault, operation: str) -> str:
    """What the caller sees, and how many requests the server read: ``TransportError, 3``."""
    async with (
        FaultServer(fault) as server,
        PaywintClient(
            API_KEY,
            API_SECRET,
            base_url="https://api.example" if fault.is_proxy else server.url,
            proxy=server.url if fault.is_proxy else None,
            request_timeout=10,
            retry=RETRY,
            ssl_context=fault.trust,
        ) as client,
    ):
        try:
            await OPERATIONS[operation](client)
        except PaywintError as error:
            assert API_SECRET not in repr(error)
            return f"{type(error).__name__}, {requests(server)}"
        return f"answer, {requests(server)}"


def requests(server: FaultServer) -> int:
    """How many requests the API has received, without those to a proxy."""
    return sum(1 for seen in server.requests if seen.method != "CONNECT")


def table() -> dict[str, dict[str, str]]:
    """The rows of the page as fault → operation → outcome."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", PAGE.read_text("utf-8"), re.M)
    return {row[0]: dict(zip(OPERATIONS, row[1:], strict=True)) for row in rows[2:]}


def chosen(cell: str, seen: str) -> str:
    """The documented outcome; of "A or B, 1" the one that was seen, if it is A or B.

    How deeply an unknown field may be nested depends on the Python version and the stack.
    """
    kinds, _, sends = cell.rpartition(", ")
    promised = [f"{kind}, {sends}" for kind in kinds.split(" or ")]
    return seen if seen in promised else promised[0]


def test_the_matrix_has_exactly_the_faults_of_the_catalogue() -> None:
    if "PAYWINT_WRITE_MATRIX" not in os.environ:
        assert list(table()) == [fault.name for fault in CATALOGUE]
    assert len(CATALOGUE) >= 40
    assert len({fault.name for fault in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("fault", CATALOGUE, ids=str)
async def test_each_fault_ends_as_the_page_says(fault: Fault) -> None:
    outcomes = {operation: await outcome(fault, operation) for operation in OPERATIONS}
    if "PAYWINT_WRITE_MATRIX" in os.environ:
        row = f"| {fault.name} | " + " | ".join(outcomes.values()) + " |\n"
        PAGE.write_text(PAGE.read_text("utf-8") + row, "utf-8")
    assert outcomes == {
        operation: chosen(cell, outcomes[operation])
        for operation, cell in table()[fault.name].items()
    }
    _, sends = outcomes["create"].split(", ")
    assert int(sends) <= 1 or "429" in fault.name, "a create was sent twice"
