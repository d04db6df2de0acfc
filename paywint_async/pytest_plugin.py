"""Fixtures for the tests of whoever uses the SDK; pytest finds them by itself.

`paywint_emulator` and `paywint_client` live on the event loop of the test that asks for them, so one
asynchronous fixture stands behind both, made for whichever plugin runs that test: pytest-asyncio
(strict or auto, with a loop of any scope; pytest-aiohttp builds on it) or anyio with asyncio.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest

if TYPE_CHECKING:
    from paywint_async import PaywintClient
    from paywint_async.emulator import Emulator

    _Pair: TypeAlias = tuple[Emulator, PaywintClient]
    _LoopScope: TypeAlias = Literal["function", "class", "module", "package", "session"]

_MARKER = "paywint(**arguments): how `paywint_emulator` is made, such as payments=1000, seed=7"


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known, for suites that are strict about markers."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def paywint_emulator(request: pytest.FixtureRequest) -> Emulator:
    """A running `Emulator`, empty unless ``@pytest.mark.paywint(payments=...)`` says otherwise.

    Raises:
        pytest.UsageError: the test is not run on an asyncio event loop, or the marker has an
            argument that `Emulator` has not.
    """
    pair: _Pair = request.getfixturevalue(_fixture_for(request))
    return pair[0]


@pytest.fixture
def paywint_client(request: pytest.FixtureRequest) -> PaywintClient:
    """A `PaywintClient` of ``paywint_emulator``; closed after the test. Raises as that does."""
    pair: _Pair = request.getfixturevalue(_fixture_for(request))
    return pair[1]


def _new_pair() -> Callable[[pytest.FixtureRequest], AsyncIterator[_Pair]]:
    """A fixture function of its own each time, because pytest-asyncio writes the scope on it."""

    async def emulator_and_client(request: pytest.FixtureRequest) -> AsyncIterator[_Pair]:
        from paywint_async import PaywintClient
        from paywint_async.emulator import Emulator

        async with Emulator(**_arguments(request)) as emulator:
            keys = emulator.api_key, emulator.api_secret
            async with PaywintClient(*keys, base_url=emulator.url) as client:
                yield emulator, client

    return emulator_and_client


_with_anyio = pytest.fixture(name="_paywint_with_anyio")(_new_pair())
if importlib.util.find_spec("pytest_asyncio"):
    import pytest_asyncio

    def _on_loop_of(scope: _LoopScope) -> Any:
        make = pytest_asyncio.fixture(loop_scope=scope, name=f"_paywint_on_loop_of_{scope}")
        return make(_new_pair())

    # The test's loop may be shared with others; the emulator must live on that one, or it would
    # stand still while the test runs.
    _of_function = _on_loop_of("function")
    _of_class = _on_loop_of("class")
    _of_module = _on_loop_of("module")
    _of_package = _on_loop_of("package")
    _of_session = _on_loop_of("session")


def _fixture_for(request: pytest.FixtureRequest) -> str:
    if "anyio_backend" in request.fixturenames:
        backend = request.getfixturevalue("anyio_backend_name")
        if backend != "asyncio":
            raise pytest.UsageError(
                f"paywint_async runs on asyncio, and this test on {backend}: mark it with "
                "@pytest.mark.parametrize('anyio_backend', ['asyncio'])"
            )
        return "_paywint_with_anyio"
    function = getattr(request.node, "obj", None)
    if not inspect.iscoroutinefunction(inspect.unwrap(function) if function else None):
        raise pytest.UsageError("paywint_emulator needs an `async def` test")
    if not request.config.pluginmanager.hasplugin("asyncio"):
        raise pytest.UsageError("paywint_emulator needs pytest-asyncio, pytest-aiohttp or anyio")
    return f"_paywint_on_loop_of_{_loop_scope(request)}"


def _loop_scope(request: pytest.FixtureRequest) -> str:
    """Whose event loop runs the test, as pytest-asyncio decides it."""
    marker = request.node.get_closest_marker("asyncio")
    said = marker.kwargs.get("loop_scope") or marker.kwargs.get("scope") if marker else None
    return said or request.config.getini("asyncio_default_test_loop_scope") or "function"


def _arguments(request: pytest.FixtureRequest) -> dict[str, Any]:
    from paywint_async.emulator import Emulator

    marker = request.node.get_closest_marker("paywint")
    given = dict(marker.kwargs) if marker else {}
    unknown = given.keys() - inspect.signature(Emulator).parameters.keys()
    if unknown or (marker and marker.args):
        wrong = ", ".join(sorted(unknown)) or "positional arguments"
        raise pytest.UsageError(f"@pytest.mark.paywint cannot take {wrong}; see Emulator")
    return given
