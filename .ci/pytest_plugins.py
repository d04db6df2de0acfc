"""The releases of pytest and its asynchronous plugins with which `nox -s plugins` tests ours."""

from __future__ import annotations

NEEDS_A_PLUGIN = "paywint_emulator needs pytest-asyncio, pytest-aiohttp or anyio"
RUNS_ON_TRIO = "paywint_async runs on asyncio, and this test on trio: use pytest-asyncio or anyio"

# For each: the requirements, the marker of a test, and the outcome of a test with our fixtures.
COMBINATIONS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "oldest": (("pytest==7.4.0",), "", NEEDS_A_PLUGIN),
    "newest": (("pytest",), "", NEEDS_A_PLUGIN),
    "asyncio-0.21": (("pytest==7.4.0", "pytest-asyncio==0.21.0"), "asyncio", "passed"),
    "asyncio-0.23": (("pytest==7.4.0", "pytest-asyncio==0.23.0"), "asyncio", "passed"),
    "asyncio-0.24": (("pytest==8.2.0", "pytest-asyncio==0.24.0"), "asyncio", "passed"),
    "asyncio-1.0": (("pytest==8.2.0", "pytest-asyncio==1.0.0"), "asyncio", "passed"),
    "asyncio": (("pytest", "pytest-asyncio"), "asyncio", "passed"),
    "anyio-3": (("pytest==7.4.0", "anyio==3.7.1"), "anyio", "passed"),
    "anyio": (("pytest", "anyio"), "anyio", "passed"),
    "aiohttp-0.3": (("pytest==7.4.0", "pytest-aiohttp==0.3.0"), "", NEEDS_A_PLUGIN),
    "aiohttp-1.0": (("pytest==7.4.0", "pytest-aiohttp==1.0.0"), "asyncio", "passed"),
    "aiohttp": (("pytest", "pytest-aiohttp"), "asyncio", "passed"),
    "trio-0.7": (("pytest==7.4.0", "pytest-trio==0.7.0", "trio==0.22.0"), "trio", RUNS_ON_TRIO),
    "trio": (("pytest", "pytest-trio"), "trio", RUNS_ON_TRIO),
    "tornasync": (("pytest==7.4.0", "pytest-tornasync==0.6.0.post2"), "", "passed"),
}
