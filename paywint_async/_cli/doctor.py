"""``paywint doctor``: which assumptions of the SDK hold for the account of the environment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from paywint_async import PaywintClient, PaywintError
from paywint_async._cli.options import FileName
from paywint_async._cli.report import say
from paywint_async._doctor import (
    Finding,
    Observations,
    RecordedDelivery,
    Verdict,
    conclusion,
    examine,
    find,
    header,
    json_text,
    obstacle,
    read_delivery,
    read_setup,
    text_lines,
)
from paywint_async._doctor.delivery import MAX_BYTES
from paywint_async.export import open_stdout
from paywint_async.export._errors import translated

NOT_REACHABLE = 1
CONTRADICTED = 3


async def doctor(*, json: bool = False, webhook: FileName | None = None) -> int:
    """Check whether this SDK's assumptions about Paywint hold for the account; only reads.

    At most 40 requests and 10 seconds. The report names no payer, no payment and no key, so that it can
    be pasted into an issue. Exit 0 if nothing is contradicted, 1 if the API cannot be reached, 3 if
    something is contradicted.

    Parameters
    ----------
    json
        Print the findings as JSON.
    webhook
        A recorded delivery of a webhook, whose unit (cents or dollars) is found by Get Payment: a file
        with its body, or with its headers, an empty line and its body.
    """
    delivery = None if webhook is None else _read(webhook)
    setup = read_setup()
    started = asyncio.get_running_loop().time()
    observations = await examine(PaywintClient.from_env, setup, delivery=delivery)
    seconds = asyncio.get_running_loop().time() - started
    findings = find(observations)
    text = json_text(findings) if json else "".join(_lines(observations, findings))
    await open_stdout().send(text.encode())
    plural = "" if observations.request_count == 1 else "s"
    counts = f"{observations.request_count} request{plural} in {seconds:.1f} s"
    code = _exit_code(observations, findings)
    if code == NOT_REACHABLE:
        say(f"the API cannot be reached: {obstacle(observations)}; {counts}")
    else:
        say(f"{conclusion(findings)}; {counts}")
    return code


def _read(path: str) -> RecordedDelivery:
    with translated(f"cannot read {path}"), open(path, "rb") as file:
        data = file.read(MAX_BYTES)
    try:
        return read_delivery(data)
    except PaywintError as error:
        raise PaywintError(f"{path} {error}") from None


def _lines(observations: Observations, findings: Sequence[Finding]) -> Iterator[str]:
    yield f"{header(observations)}\n\n"
    for line in text_lines(findings):
        yield f"{line}\n"


def _exit_code(observations: Observations, findings: Sequence[Finding]) -> int:
    is_contradicted = any(each.verdict is Verdict.CONTRADICTED for each in findings)
    if not observations.exchanges or not (is_contradicted or observations.successes):
        return NOT_REACHABLE
    return CONTRADICTED if is_contradicted else 0
