"""Coverage-guided fuzzing of codec, protocol and webhooks, by atheris: `nox -s fuzz`."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
with atheris.instrument_imports():
    from operation_samples import SAMPLES

    from paywint_async import PaywintError, Response
    from paywint_async.webhooks import WebhookError, parse_event

CALLS = [sample.call for sample in SAMPLES.values()]


def one_answer(data: bytes) -> None:
    """Any bytes as the answer to any operation give a record or a PaywintError."""
    source = atheris.FuzzedDataProvider(data)
    call = CALLS[source.ConsumeIntInRange(0, len(CALLS) - 1)]
    status = source.ConsumeIntInRange(100, 599)
    headers = {"retry-after": source.ConsumeUnicodeNoSurrogates(20)}
    try:
        call.read(Response(status=status, headers=headers, body=source.ConsumeBytes(65536)))
    except PaywintError:
        return


def one_delivery(data: bytes) -> None:
    """Any bytes as a webhook give an event or a WebhookError."""
    try:
        parse_event(data, {}, tolerance=None)
    except WebhookError:
        return


def either(data: bytes) -> None:
    """Fuzzes webhooks or answers, by the first bit."""
    (one_delivery if data[:1] < b"\x80" else one_answer)(data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, either)
    atheris.Fuzz()
