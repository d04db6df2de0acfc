"""Every operation of the API is typed, tested, documented, and answered by the emulator."""

from __future__ import annotations

import inspect
import re
from functools import cache
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml
from operation_samples import SAMPLES, Sample

import paywint_async
from paywint_async import _codec, _protocol
from paywint_async._payments import Payments
from paywint_async._record_json import parts_of
from paywint_async.emulator import Emulator

ROOT = Path(__file__).resolve().parents[2]
DOCS = "\n".join(
    path.read_text("utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
)
METHODS = {
    name: method
    for name, method in inspect.getmembers(Payments, inspect.isfunction)
    if not name.startswith("_")
}
CALLS = [
    name
    for name, function in inspect.getmembers(_protocol, inspect.isfunction)
    if not name.startswith("_")
    and str(inspect.signature(function).return_annotation).startswith("Call[")
]
ENVELOPES = [each for name, each in vars(_codec).items() if name.endswith("Envelope")]
OPENAPI = yaml.safe_load((ROOT / "tests" / "paywint-openapi.yaml").read_text("utf-8"))


@cache
def called_on_payments(pattern: str) -> set[str]:
    """The methods that these test files call on ``….payments``."""
    texts = [path.read_text("utf-8") for path in (ROOT / "tests").rglob(pattern)]
    assert texts
    return {name for text in texts for name in re.findall(r"payments\s*\.(\w+)", text)}


@pytest.mark.parametrize("name", METHODS)
def test_each_method_is_type_checked_from_outside(name: str) -> None:
    assert name in called_on_payments("typing/api.py")


@pytest.mark.parametrize("name", METHODS)
def test_each_method_is_tested(name: str) -> None:
    assert name in called_on_payments("test_*.py")


@pytest.mark.parametrize("name", METHODS)
def test_each_method_is_on_a_page_of_the_docs(name: str) -> None:
    assert re.search(rf"payments\.{name}\b|`{name}[`(]", DOCS)


@pytest.mark.parametrize("name", CALLS)
def test_each_call_is_tested_with_made_up_answers(name: str) -> None:
    """By `nox -s prism`, whose server answers what the OpenAPI file describes."""
    assert name in called_on_payments("peers/prism.py")


@pytest.mark.parametrize("name", CALLS)
def test_each_call_has_a_method_that_names_its_errors_and_its_source(name: str) -> None:
    documentation = inspect.getdoc(METHODS[name]) or ""
    assert "Raises:" in documentation
    assert "Source:" in documentation


def test_each_call_is_a_sample_of_the_tests_of_all_operations() -> None:
    """Who adds a call adds it to `SAMPLES` of tests/support/operation_samples.py."""
    assert sorted(SAMPLES) == sorted(CALLS)


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_the_openapi_file_describes_each_call(sample: Sample) -> None:
    request = sample.call.request
    described = {
        (method.upper(), re.sub(r"\{\w+\}", sample.record_id or "", path))
        for path, item in OPENAPI["paths"].items()
        for method in item
    }

    assert (request.method, request.path) in described


@pytest.mark.parametrize("record", _codec._RECORDS, ids=lambda record: record.__name__)
def test_each_record_is_public(record: type) -> None:
    assert record.__name__ in paywint_async.__all__


def test_each_envelope_is_registered() -> None:
    assert {*ENVELOPES} <= {*_codec._ENVELOPES}


@pytest.mark.parametrize("envelope", ENVELOPES, ids=lambda envelope: envelope.__name__)
def test_the_record_of_each_envelope_is_registered(envelope: type) -> None:
    hints = get_type_hints(envelope)
    hint = hints.get("data", hints.get("records"))

    assert {hint, *parts_of(hint)} & {*_codec._RECORDS}


async def test_the_emulator_answers_what_the_openapi_file_describes_and_nothing_else() -> None:
    described = {
        (method.upper(), path) for path, item in OPENAPI["paths"].items() for method in item
    }
    async with Emulator() as emulator:
        assert emulator._runner is not None
        routes = {
            (route.method, route.resource.canonical)
            for route in emulator._runner.app.router.routes()
            if route.resource is not None and route.resource.canonical.startswith("/api/")
        }
    assert routes == described
