"""Layer 5: fixtures for the tests of whoever uses the SDK; pytest finds them by itself.

`paywint_emulator` and `paywint_client` live on the event loop of the test that asks for them, so one
asynchronous fixture stands behind both, made for whichever plugin runs that test: pytest-asyncio
(strict or auto; pytest-aiohttp builds on it) or anyio with its asyncio backend.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

if TYPE_CHECKING:
    from paywint_async import PaywintClient
    from paywint_async.emulator import Emulator

    _Pair: TypeAlias = tuple[Emulator, PaywintClient]

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


async def _emulator_and_client(request: pytest.FixtureRequest) -> AsyncIterator[_Pair]:
    from paywint_async import PaywintClient
    from paywint_async.emulator import Emulator

    async with Emulator(**_arguments(request)) as emulator:
        keys = emulator.api_key, emulator.api_secret
        async with PaywintClient(*keys, base_url=emulator.url) as client:
            yield emulator, client


_with_anyio = pytest.fixture(name="_paywint_with_anyio")(_emulator_and_client)
if importlib.util.find_spec("pytest_asyncio"):
    import pytest_asyncio

    _with_asyncio = pytest_asyncio.fixture(name="_paywint_with_asyncio")(_emulator_and_client)


def _fixture_for(request: pytest.FixtureRequest) -> str:
    if "anyio_backend" in request.fixturenames:
        backend = request.getfixturevalue("anyio_backend_name")
        if backend != "asyncio":
            raise pytest.UsageError(f"paywint_async runs on asyncio, and this test on {backend}")
        return "_paywint_with_anyio"
    function = getattr(request.node, "obj", None)
    if not inspect.iscoroutinefunction(inspect.unwrap(function) if function else None):
        raise pytest.UsageError("paywint_emulator needs an `async def` test")
    if not request.config.pluginmanager.hasplugin("asyncio"):
        raise pytest.UsageError("paywint_emulator needs pytest-asyncio, pytest-aiohttp or anyio")
    return "_paywint_with_asyncio"


def _arguments(request: pytest.FixtureRequest) -> dict[str, Any]:
    from paywint_async.emulator import Emulator

    marker = request.node.get_closest_marker("paywint")
    given = dict(marker.kwargs) if marker else {}
    unknown = given.keys() - inspect.signature(Emulator).parameters.keys()
    if unknown or (marker and marker.args):
        wrong = ", ".join(sorted(unknown)) or "positional arguments"
        raise pytest.UsageError(f"@pytest.mark.paywint cannot take {wrong}; see Emulator")
    return given
