"""How fast does one page of 100 payments become records?"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import _history
import _peers
import _server
import attrs
import cattrs.preconf.msgspec
import msgspec
from _measure import Rounds, Row, interleave_calls, report

from paywint_async import _protocol
from paywint_async._codec import ListEnvelope, own_converter
from paywint_async._messages import Response
from paywint_async._models import Direction

PAGE = _history.page(100_000, 3)
OURS = "cattrs converter of the SDK"
CHECKED = "the SDK with all its checks"
BARE = "bare msgspec decoder"
STOCK = "stock cattrs converter"
PYDANTIC = "pydantic"
ORJSON = "orjson, dicts only"


def contenders() -> dict[str, Callable[[], object]]:
    """Functions that turn the same bytes into records."""
    ours = own_converter().get_loads_hook(ListEnvelope)
    bare = msgspec.json.Decoder(ListEnvelope).decode
    read = _protocol.page(Direction.RECEIVED, 3, 100).read
    response = Response(status=200, body=PAGE)
    found: dict[str, Callable[[], object]] = {
        OURS: lambda: ours(PAGE),
        CHECKED: lambda: read(response),
        BARE: lambda: bare(PAGE),
        STOCK: _stock_cattrs(),
    }
    for name, make in ((PYDANTIC, _pydantic), (ORJSON, _orjson)):
        try:
            found[name] = make()
        except ImportError as error:
            print(f"left out: {name} ({error})")
    return found


@attrs.frozen
class _Page:
    records: list[_peers.Payment]
    totalRecords: int


def _stock_cattrs() -> Callable[[], object]:
    stock = cattrs.preconf.msgspec.make_converter()
    # The two types in a payment for which it has no hook.
    stock.register_structure_hook(UUID, lambda value, _: UUID(value))
    stock.register_structure_hook(Decimal, lambda value, _: Decimal(str(value)))
    return lambda: stock.loads(PAGE, _Page)


def _pydantic() -> Callable[[], object]:
    page: Any = _peers.pydantic_page()
    return lambda: page.model_validate_json(PAGE)


def _orjson() -> Callable[[], object]:
    import orjson

    return lambda: orjson.loads(PAGE)


def rows(rounds: Rounds) -> list[Row]:
    """The rows of the rounds."""
    spread = rounds.spread(OURS, BARE)
    answers = [
        Row(
            measure="decode a page: cattrs converter against the bare msgspec decoder",
            measured=rounds.speed(OURS, BARE),
            at_least=0.95,
            note=f"{spread}; {1e6 / rounds.rate(OURS):.0f} µs a page",
        )
    ]
    for name in rounds.wall:
        if name not in (OURS, BARE):
            answers.append(
                Row(
                    measure=f"decode a page: {name}, against the bare msgspec decoder",
                    measured=rounds.speed(name, BARE),
                    note=f"{1e6 / rounds.rate(name):.0f} µs a page",
                )
            )
    return answers


if __name__ == "__main__":
    _server.pin(to_last=False)
    report(str(__doc__), rows(interleave_calls(contenders(), number=200)))
