"""One call of each operation of the API, and a good answer to it.

The tests that hold for every operation run over this table: `tests/structure/test_operations.py`,
`tests/core/test_operations.py` and both fuzzers.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import attrs
from fault_server import GOT, LINK, PAGE, PAYMENT_ID, TOKEN

from paywint_async import _protocol
from paywint_async._models import Direction
from paywint_async._strict_json import UUID_PATTERN


@attrs.frozen
class Sample:
    """A call, and the body of a good answer."""

    call: _protocol.Call[Any]
    answer: bytes

    @property
    def record_id(self) -> str | None:
        """The id in the call's path, which the answer must have, too; None for other calls."""
        found = re.search(UUID_PATTERN, self.call.request.path)
        return found[0] if found else None


# By the name of the function of `_protocol` and of the client's method.
SAMPLES: dict[str, Sample] = {
    "create_link": Sample(_protocol.create_link(Decimal(5), None, None), LINK),
    "create_checkout_token": Sample(
        _protocol.create_checkout_token(Decimal(5), "a@example.com", None, None, "USD"), TOKEN
    ),
    "get": Sample(_protocol.get(PAYMENT_ID), GOT),
    "page": Sample(_protocol.page(Direction.RECEIVED, 1, 100), PAGE),
}
