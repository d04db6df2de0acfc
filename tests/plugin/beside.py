"""The pytest plugin together with one asynchronous plugin and no others.

`nox -s plugins` runs it in an environment for each pytest and plugin. PAYWINT_MARK is the marker of the
asynchronous plugin, and PAYWINT_ANSWER the result of a test that uses the fixtures: "passed", or the
line of the error.
"""

from __future__ import annotations

import os

import pytest

MARK = os.environ["PAYWINT_MARK"]
ANSWER = os.environ["PAYWINT_ANSWER"]
TEST = """
import pytest

pytestmark = [{marks}]

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
def url(paywint_emulator):
    return paywint_emulator.url

@pytest.mark.paywint(payments=30, seed=7)
async def test_listing(paywint_emulator, paywint_client, url):
    assert url.startswith("http")
    listed = await paywint_client.payments.received().collect()
    assert [str(p.payment_id) for p in listed] == paywint_emulator.history("received")

async def test_another_is_empty(paywint_client):
    assert await paywint_client.payments.received().collect() == []
"""
INI = "[pytest]\naddopts = -p no:cacheprovider\n"


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini(INI)
    return pytester


def test_pytest_shows_its_version(suite: pytest.Pytester) -> None:
    assert suite.runpytest_subprocess("--version", "--version").ret == 0


def test_pytest_lists_the_fixtures_and_the_marker(suite: pytest.Pytester) -> None:
    fixtures = suite.runpytest_subprocess("--fixtures")

    fixtures.stdout.fnmatch_lines(["paywint_emulator*", "paywint_client*"])
    suite.runpytest_subprocess("--markers").stdout.fnmatch_lines(["@pytest.mark.paywint(*"])


def test_an_ordinary_test_passes(suite: pytest.Pytester) -> None:
    suite.makepyfile("def test_it(): ...")

    suite.runpytest_subprocess("--strict-markers").assert_outcomes(passed=1)


def test_the_fixtures_work_or_report_in_a_line_what_they_need(suite: pytest.Pytester) -> None:
    suite.makepyfile(TEST.format(marks=f"pytest.mark.{MARK}" if MARK else ""))

    answer = suite.runpytest_subprocess(*(["--asyncio-mode=auto"] if MARK == "asyncio" else []))

    if ANSWER == "passed":
        answer.assert_outcomes(passed=2)
    else:
        answer.assert_outcomes(errors=2)
        answer.stdout.fnmatch_lines([ANSWER])
