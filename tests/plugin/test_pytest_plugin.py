"""The fixtures in suites of each kind, each run in a separate pytest process."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

TEST = """
import asyncio
import pytest
from paywint_async import NotFoundError

{mark}
@pytest.mark.paywint(payments=30, seed=7)
async def test_fixtures(paywint_emulator, paywint_client):
    listed = await paywint_client.payments.received().collect()
    assert [str(p.payment_id) for p in listed] == paywint_emulator.history("received")
    assert len(listed) == 30
    link = await paywint_client.payments.create_link(5)
    waiting = asyncio.ensure_future(
        paywint_client.payments.wait_until_final(link.payment_id, timeout=5, poll=0.01)
    )
    await asyncio.sleep(0)
    await paywint_emulator.pay(link.payment_id)
    assert (await waiting).status == "success"

{mark}
async def test_another_is_empty(paywint_client):
    assert await paywint_client.payments.received().collect() == []
"""
ASYNCIO, ANYIO = "@pytest.mark.asyncio", "@pytest.mark.anyio"
BACKEND = "@pytest.fixture\ndef anyio_backend():\n    return {!r}\n"
INI = """
[pytest]
addopts = --strict-markers
filterwarnings =
    error
    ignore:The configuration option:pytest.PytestDeprecationWarning
"""


def run(pytester: pytest.Pytester, test: str, *arguments: str, ini: str = INI) -> pytest.RunResult:
    pytester.makepyfile(test)
    pytester.makeini(ini)
    without = ("-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:hypothesispytest")
    return pytester.runpytest_subprocess(*without, *arguments, timeout=60)


def test_under_pytest_asyncio_strict(pytester: pytest.Pytester) -> None:
    answer = run(pytester, TEST.format(mark=ASYNCIO), "-p", "no:anyio", "-p", "no:aiohttp")
    answer.assert_outcomes(passed=2)


def test_under_pytest_asyncio_auto(pytester: pytest.Pytester) -> None:
    mode = "--asyncio-mode=auto"
    answer = run(pytester, TEST.format(mark=""), mode, "-p", "no:anyio", "-p", "no:aiohttp")
    answer.assert_outcomes(passed=2)


SCOPES = """
[pytest]
asyncio_default_fixture_loop_scope = session
asyncio_default_test_loop_scope = {}
"""


@pytest.mark.parametrize("default", ["function", "module"])
def test_under_pytest_asyncio_with_loops_of_any_scope(
    pytester: pytest.Pytester, default: str
) -> None:
    test = "import pytest\n"
    for number, scope in enumerate(["", *(f"loop_scope={s!r}" for s in ("class", "session"))]):
        test += f"""
@pytest.mark.asyncio({scope})
class Test{number}:
    @pytest.mark.paywint(payments=30)
    async def test_fixtures(self, paywint_emulator, paywint_client):
        assert len(await paywint_client.payments.received().collect()) == 30

    async def test_another_is_empty(self, paywint_client):
        assert await paywint_client.payments.received().collect() == []
"""
    run(pytester, test, ini=SCOPES.format(default)).assert_outcomes(passed=6)


def test_under_pytest_aiohttp(pytester: pytest.Pytester) -> None:
    test = TEST.format(mark="") + (
        "\nasync def test_both(paywint_emulator, aiohttp_client):\n"
        "    assert paywint_emulator.url\n"
    )
    run(pytester, test, "--asyncio-mode=auto").assert_outcomes(passed=3)


def test_under_anyio(pytester: pytest.Pytester) -> None:
    test = TEST.format(mark=ANYIO) + BACKEND.format("asyncio")
    run(pytester, test, "-p", "no:asyncio", "-p", "no:aiohttp").assert_outcomes(passed=2)


def test_under_anyio_with_pytest_asyncio_installed(pytester: pytest.Pytester) -> None:
    test = TEST.format(mark=ANYIO) + BACKEND.format("asyncio")
    run(pytester, test).assert_outcomes(passed=2)


# The content of a fake package pytest_asyncio.
OTHERS = {
    "before 0.24": "import pytest\ndef fixture(function=None, **kwargs):\n"
    "    return pytest.fixture(function, **kwargs)\n",
    "without fixtures": "",
    "of a later time": "def fixture(function=None, *, loop):\n    raise NotImplementedError\n",
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("arguments", [(), ("-p", "no:asyncio"), ("--version",)])
def test_pytest_starts_with_any_pytest_asyncio(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    other: str,
    arguments: tuple[str, ...],
) -> None:
    package = pytester.mkpydir("pytest_asyncio")
    package.joinpath("__init__.py").write_text(OTHERS[other])
    package.joinpath("plugin.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))

    answer = run(pytester, "def test_it(): ...", "-p", "no:aiohttp", *arguments)

    assert answer.ret == 0
    if "--version" not in arguments:
        answer.assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["event_loop", "io_loop", "loop"])
def test_on_the_loop_that_a_plugin_offers_as_a_fixture(
    pytester: pytest.Pytester, name: str
) -> None:
    pytester.makeconftest(f"""
        import asyncio
        import pytest

        @pytest.fixture
        def {name}():
            loop = asyncio.new_event_loop()
            yield loop
            loop.close()

        @pytest.hookimpl(tryfirst=True)
        def pytest_pyfunc_call(pyfuncitem):
            names = pyfuncitem._fixtureinfo.argnames
            arguments = {{each: pyfuncitem.funcargs[each] for each in names}}
            loop = pyfuncitem._request.getfixturevalue("{name}")
            loop.run_until_complete(pyfuncitem.obj(**arguments))
            return True
    """)
    without = ("-p", "no:asyncio", "-p", "no:aiohttp", "-p", "no:anyio")

    run(pytester, TEST.format(mark=""), *without).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("test", "arguments", "message"),
    [
        ("def test_it(paywint_client): ...", (), "needs an `async def` test"),
        (
            "import pytest\n\n@pytest.mark.anyio\nasync def test_it(paywint_client): ...\n\n"
            "@pytest.fixture\ndef anyio_backend_name():\n    return 'trio'\n",
            ("-p", "no:asyncio", "-p", "no:aiohttp"),
            "runs on asyncio, and this test on trio",
        ),
        (
            "import pytest\n\n@pytest.mark.asyncio\n@pytest.mark.paywint(payment=3)\n"
            "async def test_it(paywint_client): ...",
            (),
            "cannot take payment; see Emulator",
        ),
        (
            "async def test_it(paywint_client): ...",
            ("-p", "no:asyncio", "-p", "no:aiohttp", "-p", "no:anyio"),
            "needs pytest-asyncio, pytest-aiohttp or anyio",
        ),
        (
            "import pytest\n\n@pytest.mark.trio\nasync def test_it(paywint_client): ...",
            ("-o", "markers=trio"),
            "paywint_async runs on asyncio, and this test on trio*",
        ),
    ],
)
def test_an_unsupported_test_is_reported(
    pytester: pytest.Pytester, test: str, arguments: tuple[str, ...], message: str
) -> None:
    answer = run(pytester, test, *arguments)
    answer.stdout.fnmatch_lines([f"*{message}*"])
    answer.stdout.no_fnmatch_line("*in _fixture_for*")  # only the message, without a traceback
    assert answer.ret == 1
