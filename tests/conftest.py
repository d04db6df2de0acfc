"""What holds for every test: the virtual clock, disks that fill up, and which package is tested.

Plain `pytest` leaves out what is marked `slow`, tries a quarter of the random cases and uses all cores.
Whatever is named on the command line (a folder, a file, a test) is run whole, in one process;
`--run-slow` runs everything.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import hypothesis
import pytest
from effort import QUICK
from virtual_time import VirtualTimeLoop

pytest_plugins = ("pytester",)

CHECKOUT = Path(__file__).resolve().parent.parent

# Modules are compiled once for all processes, whatever the caller's environment says: without that,
# each worker rewrites every test's assertions and each process that a test starts compiles it all.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

hypothesis.settings.register_profile("paywint", deadline=None)  # a busy machine fails no test
# `nox -s mutants` runs each test many times in one process, and must find the same each time.
hypothesis.settings.register_profile(
    "mutants",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.differing_executors],
)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=25)
hypothesis.settings.load_profile("quick" if QUICK in os.environ else "paywint")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run the tests marked slow, too")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    if names_nothing(config) and not config.option.run_slow:
        os.environ[QUICK] = "1"  # for the workers, too
        hypothesis.settings.load_profile("quick")
    has_xdist = config.pluginmanager.hasplugin("xdist")
    if names_nothing(config) and has_xdist and config.option.numprocesses is None:
        config.option.numprocesses = "logical"
        config.option.maxprocesses = 4
        config.option.dist = "worksteal"


def names_nothing(config: pytest.Config) -> bool:
    """Whether the tests are not named on the command line, but those of `testpaths`."""
    return config.args_source == pytest.Config.ArgsSource.TESTPATHS


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: left out by plain `pytest`; see tests/conftest.py")
    config.addinivalue_line(
        "markers",
        "real_time: run on the platform's own event loop, whose clock does not jump"
        " (for tests that talk to a subprocess or to a thread of their own)",
    )
    if os.environ.get("PAYWINT_TEST_THE_WHEEL"):
        _refuse_the_checkout()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if QUICK not in os.environ:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


def pytest_collection_finish() -> None:
    """What the collection leaves stays until the end: let no garbage collection look at it again.

    Thousands of tests are a large heap, over which each of their `gc.collect()` took half a second.
    """
    gc.freeze()


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("real_time"):
        return {"real_time": asyncio.new_event_loop}
    return {"virtual_time": VirtualTimeLoop}


@pytest.fixture
def unused_tcp_port() -> Iterator[int]:
    """A port where nobody listens, and which nobody is given while the test runs.

    That of pytest-asyncio is free for anybody, such as a test of another process beside this one.
    """
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


@pytest.fixture
def disk_of() -> Callable[[int], AbstractContextManager[None]]:
    """`with disk_of(size)`: no file of this process can grow beyond that many bytes."""

    import resource  # which Windows does not have

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


def _refuse_the_checkout() -> None:
    """A wheel that lacks a module would pass every test if the checkout were imported instead."""
    import paywint_async

    imported = Path(paywint_async.__file__).resolve().parent
    if imported == CHECKOUT / "paywint_async":
        raise pytest.UsageError(f"the tests import the checkout, not the wheel: {imported}")
