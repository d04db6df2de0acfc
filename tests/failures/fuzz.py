"""Coverage-guided fuzzing of codec and protocol, by atheris: `nox -s fuzz -- -max_total_time=60`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from paywint_async import PaywintError, Response, protocol
    from paywint_async.models import Direction

CALLS = [
    protocol.get("d4211545-cfc9-4aa0-8fcc-e4c2639e8052"),
    protocol.page(Direction.SENT, 1, 100),
    protocol.create_link(5, None, None),
]


def one_answer(data: bytes) -> None:
    """Any bytes as any operation's answer: a record or a PaywintError, or atheris reports it."""
    source = atheris.FuzzedDataProvider(data)
    call = CALLS[source.ConsumeIntInRange(0, len(CALLS) - 1)]
    status = source.ConsumeIntInRange(100, 599)
    headers = {"retry-after": source.ConsumeUnicodeNoSurrogates(20)}
    try:
        call.read(Response(status=status, headers=headers, body=source.ConsumeBytes(65536)))
    except PaywintError:
        return


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_answer)
    atheris.Fuzz()
