"""The emulator conforms to the OpenAPI file, tested by schemathesis.

`paywint-api.md` is stricter than the file in three places, which schemathesis cannot know: amounts
have at most two decimals, a phone is digits, and a checkout token needs an email or a phone. Bodies
that are valid by the file alone are brought within those rules; every check stays on.
"""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import schemathesis
from effort import tries
from schemathesis.generation import GenerationMode

from paywint_async.emulator import Emulator

IS_FIXED = "PAYWINT_EXAMPLES" not in os.environ
EXAMPLES = tries(15, "PAYWINT_EXAMPLES")  # per operation
schema = schemathesis.openapi.from_path(Path(__file__).parent.parent / "paywint-openapi.yaml")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """An emulator in a separate thread, since schemathesis blocks while it waits for an answer."""
    running = Emulator(hostile=True, payments=1000)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(running.start(), loop).result(10)
        yield running
        asyncio.run_coroutine_threadsafe(running.aclose(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def asked() -> Iterator[Counter[str]]:
    """The number of cases by operation; one case may send several requests.

    Checked at the end, because each operation can be tested by a different process.
    """
    cases: Counter[str] = Counter()
    yield cases
    assert min(cases.values()) >= EXAMPLES


@schema.parametrize()
@hypothesis.settings(max_examples=EXAMPLES, derandomize=IS_FIXED, database=None)
def test_the_emulator_conforms(case, emulator, asked):
    asked[case.operation.label] += 1
    if isinstance(case.body, dict):
        is_valid = case.meta.generation.mode == GenerationMode.POSITIVE
        case.body = as_published(case.body, is_valid and "checkout" in case.path)
    keys = {"X-Api-Key": emulator.api_key, "X-Api-Secret": emulator.api_secret}
    case.call_and_validate(base_url=emulator.url, headers=keys)


def test_every_operation_is_tested():
    described = {
        f"{method.upper()} {path}"
        for path, item in schema.raw_schema["paths"].items()
        for method in item
    }
    assert {operation.ok().label for operation in schema.get_all_operations()} == described


def as_published(body, needs_contact):
    """Changes a body to conform to the rules that only the published page states.

    An invalid body keeps its invalid parts, so that the answer shows whether they are detected.
    """
    body = dict(body)
    amount, phone = body.get("amount"), body.get("phone")
    if isinstance(amount, int | float) and amount > 0 and amount is not True:
        body["amount"] = round(max(amount, 0.01), 2)
    if isinstance(phone, str):
        body["phone"] = "".join(str(ord(letter) % 10) for letter in phone)
    has_phone = None not in (body.get("phone"), body.get("phone_country_code"))
    if needs_contact and body.get("email") is None and not has_phone:
        body["email"] = "somebody@example.com"
    return body
