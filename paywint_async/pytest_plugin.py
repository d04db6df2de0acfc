"""Fixtures for the tests of programs that use the SDK; pytest finds them by itself.

pytest imports this module in every run of an environment that has the SDK, beside any other plugins. So
it imports only the standard library and pytest, and a fixture imports what it needs when it is used.

`paywint_emulator` and `paywint_client` run on the event loop of the test that uses them. Both are based
on one fixture that runs on that loop; which one depends on the plugin that runs the test. That is anyio,
pytest-asyncio (strict or auto, with a loop of any scope; pytest-aiohttp builds on it), or a plugin that
offers its loop as a fixture (pytest-asyncio before 0.24, pytest-tornasync, aiohttp's own).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import pytest

if TYPE_CHECKING:
    import asyncio

    from paywint_async import PaywintClient
    from paywint_async.emulator import Emulator

    _Pair: TypeAlias = tuple[Emulator, PaywintClient]

__all__ = ["paywint_client", "paywint_emulator", "pytest_configure"]

_MARKER = "paywint(**arguments): how `paywint_emulator` is made, such as payments=1000, seed=7"
_LOOP_SCOPES = ("function", "class", "module", "package", "session")
_LOOP_FIXTURES = (
    "event_loop",
    "io_loop",
    "loop",
)  # pytest-asyncio before 0.24, tornado's, aiohttp's


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker, for suites with strict markers, and the fixtures of pytest-asyncio."""
    config.addinivalue_line("markers", _MARKER)
    if _has_loop_scopes(config):
        config.pluginmanager.register(_fixtures_of_pytest_asyncio())


@pytest.fixture
def paywint_emulator(request: pytest.FixtureRequest) -> Emulator:
    """A running `Emulator`, empty unless ``@pytest.mark.paywint(payments=...)`` says otherwise.

    Raises:
        pytest.fail.Exception: no plugin runs the test on an asyncio event loop, or the marker has an
            argument that `Emulator` does not accept. The message is one line.
    """
    pair: _Pair = request.getfixturevalue(_fixture_for(request))
    return pair[0]


@pytest.fixture
def paywint_client(request: pytest.FixtureRequest) -> PaywintClient:
    """A `PaywintClient` of ``paywint_emulator``, closed after the test. Raises the same errors."""
    pair: _Pair = request.getfixturevalue(_fixture_for(request))
    return pair[1]


@asynccontextmanager
async def _emulator_and_client(request: pytest.FixtureRequest) -> AsyncIterator[_Pair]:
    from paywint_async import PaywintClient
    from paywint_async.emulator import Emulator

    async with Emulator(**_arguments(request)) as emulator:
        keys = emulator.api_key, emulator.api_secret
        async with PaywintClient(*keys, base_url=emulator.url) as client:
            yield emulator, client


def _new_fixture_function() -> Callable[[pytest.FixtureRequest], AsyncIterator[_Pair]]:
    """Returns a new function each time, because pytest-asyncio stores the scope on it."""

    async def pair(request: pytest.FixtureRequest) -> AsyncIterator[_Pair]:
        async with _emulator_and_client(request) as both:
            yield both

    return pair


def _fixtures_of_pytest_asyncio() -> ModuleType:
    """Returns a plugin with a fixture for the loop of each scope.

    Several tests may share a loop; the emulator must run on the test's loop, or it would not answer while
    the test runs.
    """
    plugin = ModuleType("paywint_async_with_pytest_asyncio")
    fixture = sys.modules["pytest_asyncio"].fixture
    for scope in _LOOP_SCOPES:
        name = f"_paywint_on_loop_of_{scope}"
        setattr(plugin, name, fixture(loop_scope=scope, name=name)(_new_fixture_function()))
    return plugin


_with_anyio = pytest.fixture(name="_paywint_with_anyio")(_new_fixture_function())


@pytest.fixture
def _paywint_on_loop_fixture(request: pytest.FixtureRequest) -> Iterator[_Pair]:
    loop = _loop_fixture(request)
    if loop is None:
        _fail("paywint_emulator needs pytest-asyncio, pytest-aiohttp or anyio")
    both = _emulator_and_client(request)
    yield loop.run_until_complete(both.__aenter__())
    loop.run_until_complete(both.__aexit__(None, None, None))


def _loop_fixture(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoop | None:
    for name in _LOOP_FIXTURES:
        try:
            loop = request.getfixturevalue(name)
        except pytest.FixtureLookupError:
            continue
        running: asyncio.AbstractEventLoop = getattr(loop, "asyncio_loop", loop)
        return running
    return None


def _has_loop_scopes(config: pytest.Config) -> bool:
    """Whether pytest-asyncio 0.24 or newer is active."""
    plugin = sys.modules.get("pytest_asyncio.plugin")
    if plugin is None or not config.pluginmanager.is_registered(plugin):
        return False
    fixture = getattr(sys.modules.get("pytest_asyncio"), "fixture", None)
    return callable(fixture) and "loop_scope" in inspect.signature(fixture).parameters


def _fixture_for(request: pytest.FixtureRequest) -> str:
    function = getattr(request.node, "obj", None)
    if not inspect.iscoroutinefunction(inspect.unwrap(function) if function else None):
        _fail("paywint_emulator needs an `async def` test")
    if "anyio_backend" in request.fixturenames:
        backend = request.getfixturevalue("anyio_backend_name")
        if backend != "asyncio":
            _fail(
                f"paywint_async runs on asyncio, and this test on {backend}: mark it with "
                "@pytest.mark.parametrize('anyio_backend', ['asyncio'])"
            )
        return "_paywint_with_anyio"
    if request.node.get_closest_marker("trio"):
        _fail("paywint_async runs on asyncio, and this test on trio: use pytest-asyncio or anyio")
    scope = _loop_scope(request)
    if _has_loop_scopes(request.config):
        return f"_paywint_on_loop_of_{scope}"
    if scope != "function":
        _fail(f"paywint_emulator needs pytest-asyncio 0.24 or newer for a loop of scope {scope!r}")
    return "_paywint_on_loop_fixture"


def _loop_scope(request: pytest.FixtureRequest) -> str:
    """The scope of the event loop that runs the test, by the rules of pytest-asyncio."""
    marker = request.node.get_closest_marker("asyncio")
    loop_scope = marker.kwargs.get("loop_scope") or marker.kwargs.get("scope") if marker else None
    if loop_scope is None and _has_loop_scopes(request.config):
        try:
            loop_scope = request.config.getini("asyncio_default_test_loop_scope")
        except (KeyError, ValueError):  # pytest-asyncio before 0.25 has no such option
            loop_scope = None
    return loop_scope or "function"


def _arguments(request: pytest.FixtureRequest) -> dict[str, Any]:
    from paywint_async.emulator import Emulator

    marker = request.node.get_closest_marker("paywint")
    given = dict(marker.kwargs) if marker else {}
    unknown = given.keys() - inspect.signature(Emulator).parameters.keys()
    if unknown or (marker and marker.args):
        wrong = ", ".join(sorted(unknown)) or "positional arguments"
        _fail(f"@pytest.mark.paywint cannot take {wrong}; see Emulator")
    return given


def _fail(message: str) -> NoReturn:
    pytest.fail(message, pytrace=False)
