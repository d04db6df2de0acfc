"""The project's checks: `nox` runs `lint`, `types` and `tests`; `nox --list` shows the others.

Tests run against the built wheel, never against the checkout, on every supported Python that this
machine has.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nox

nox.needs_version = ">=2025.11.12"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"

HERE = Path(__file__).resolve().parent
PROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = ("3.11", "3.12", "3.13", "3.14", "3.15")
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"

# An interpreter without ssl could not install anything; one not final is not supported.
PROBE = "import ssl, sys; v = sys.version_info; print(f'{v.major}.{v.minor} {v.releaselevel}')"


def candidates(version: str) -> Iterator[Path]:
    """Where a Python of that version may be: on PATH, then under pyenv, the newest patch first."""
    for folder in os.get_exec_path():
        yield Path(folder, f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    installed = (pyenv / "versions").glob(f"{version}.*[0-9]/bin/python{version}")
    yield from sorted(installed, key=patch_number, reverse=True)


def patch_number(python: Path) -> int:
    """12 of `versions/3.13.12/bin/python3.13`."""
    return int(re.split(r"\D+", python.parts[-3])[2])


def really_runs(python: Path, version: str) -> bool:
    """Whether it is there and is what its name says: a pyenv shim exists, yet may not run."""
    if not python.is_file():
        return False
    try:
        answer = subprocess.run(
            [python, "-I", "-c", PROBE], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.stdout.split() == [version, "final"]


def interpreters() -> list[str]:
    """The versions to test on, oldest first; each found one's folder is put first on PATH.

    Nox looks a version up on PATH and would stop at a shim that does not run. The version that
    runs nox is always one of them, and nox finds that by itself.
    """
    found = {RUNNING}
    for version in set(SUPPORTED) - found:
        python = next((path for path in candidates(version) if really_runs(path, version)), None)
        if python is not None:
            found.add(version)
            os.environ["PATH"] = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    return sorted(found, key=lambda version: int(version.partition(".")[2]))


PYTHONS = interpreters()

# The tests import the installed wheel; nothing they start may find the checkout beside them.
TEST_THE_WHEEL = {"PAYWINT_TEST_THE_WHEEL": "1", "PYTHONSAFEPATH": "1"}
# All tests, a process for each core; who is done takes tests from the other. `-n 0` undoes that.
SIDE_BY_SIDE = ("--run-slow", "-n", "logical", "--maxprocesses", "4", "--dist", "worksteal")


def install_group(session: nox.Session, group: str) -> None:
    session.install(*nox.project.dependency_groups(PROJECT, group))


def built_wheel(session: nox.Session) -> Path:
    (wheel,) = (session.cache_dir / "dist").glob("*.whl")
    return wheel.resolve()


def install_wheel(session: nox.Session) -> None:
    """In two steps, because in a reused environment pip keeps a wheel of the same version."""
    requirement = f"paywint-async[cli] @ {built_wheel(session).as_uri()}"
    session.install("--force-reinstall", "--no-deps", requirement)
    session.install(requirement)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and formatting, by ruff."""
    install_group(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the sdist, and from the sdist the wheel, as an index would offer them."""
    dist = session.cache_dir / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(dist), silent=True)


@nox.session(requires=["wheel"])
def types(session: nox.Session) -> None:
    """The package, the examples and the noxfile by mypy, and its public types as a user sees them."""
    install_group(session, "types")
    install_wheel(session)
    session.run("mypy", "paywint_async", "examples", "noxfile.py")
    session.run("pyright", env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})  # no look for updates
    with session.chdir("tests/typing"):  # from here the package is the installed one
        session.run("mypy", "--config-file", str(HERE / "pyproject.toml"), "api.py")


@nox.session(python=PYTHONS, requires=["wheel"])
def tests(session: nox.Session) -> None:
    """All tests, against the wheel; the newest Python also measures their coverage."""
    install_group(session, "tests")
    install_wheel(session)
    if session.python == "3.15":  # lupa has no wheel for it
        install_servers(session, "lua5.1")
    if session.python == PYTHONS[-1] and not session.posargs:
        measure_coverage(session)
    else:
        session.run("python", "-m", "pytest", *SIDE_BY_SIDE, *session.posargs, env=TEST_THE_WHEEL)


def measure_coverage(session: nox.Session) -> None:
    """Run all tests; fail below 95 % of lines and branches together, or of branches alone."""
    folder = Path(session.create_tmp())
    report = folder / "coverage.json"
    session.env["COVERAGE_FILE"] = str(folder / "coverage")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *SIDE_BY_SIDE, env=TEST_THE_WHEEL)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")
    session.run("coverage", "json", "--quiet", "-o", str(report))
    totals = json.loads(report.read_text("utf-8"))["totals"]
    share = totals["covered_branches"] / totals["num_branches"]
    session.log(f"branches covered: {share:.1%}")
    if share < 0.95:
        session.error("fewer than 95 % of the branches are covered")


@nox.session(requires=["wheel"])
def backoff_fork(session: nox.Session) -> None:
    """The tests with `python-backoff`, the fork that installs the same module."""
    install_group(session, "tests")
    install_wheel(session)
    session.run("python", "-m", "pip", "uninstall", "--yes", "--quiet", "backoff")
    session.install("python-backoff>=3")
    session.run("python", "-m", "pytest", *SIDE_BY_SIDE, *session.posargs, env=TEST_THE_WHEEL)


NEEDS_A_PLUGIN = "paywint_emulator needs pytest-asyncio, pytest-aiohttp or anyio"
RUNS_ON_TRIO = "paywint_async runs on asyncio, and this test on trio: use pytest-asyncio or anyio"
# The oldest and the newest of each, the marker of a test, and what a test with our fixtures comes to.
BESIDE = {
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


@nox.session(requires=["wheel"])
@nox.parametrize("beside", list(BESIDE), ids=list(BESIDE))
def plugins(session: nox.Session, beside: str) -> None:
    """The pytest plugin beside the oldest and the newest of each asynchronous plugin, and none."""
    requirements, mark, answer = BESIDE[beside]
    session.install("paywint-async @ " + built_wheel(session).as_uri(), *requirements)
    env = TEST_THE_WHEEL | {"PAYWINT_MARK": mark, "PAYWINT_ANSWER": answer}
    alone = ("-c", os.devnull, "--noconftest", "-p", "pytester", "-p", "no:cacheprovider")
    session.run("python", "-m", "pytest", *alone, "tests/plugin/beside.py", env=env)


@nox.session(requires=["wheel"])
@nox.parametrize("release", ["oldest", "newest"])
def aiohttp(session: nox.Session, release: str) -> None:
    """The transport's tests on the oldest aiohttp that is allowed, and on the newest there is."""
    install_group(session, "tests")
    install_wheel(session)
    oldest = next(each for each in PROJECT["project"]["dependencies"] if "aiohttp" in each)
    session.install("-U", oldest.replace(">=", "==") if release == "oldest" else "aiohttp")
    tests = (
        *(f"tests/core/test_{name}.py" for name in ("transport", "pool", "connecting", "causes")),
        "tests/core/test_attached.py",
        "tests/failures",
    )
    session.run("python", "-m", "pytest", *SIDE_BY_SIDE, *tests, env=TEST_THE_WHEEL)


@nox.session(requires=["wheel"])
def exactly_once(session: nox.Session) -> None:
    """The planner, and what is split, against 10,000 random histories for each kind of change."""
    install_group(session, "tests")
    install_wheel(session)
    env = TEST_THE_WHEEL | {"PAYWINT_HISTORIES": "10000"}
    tests = ("tests/pagination/test_planner.py", "tests/pagination/test_ranges.py")
    session.run("python", "-m", "pytest", *tests, env=env)


@nox.session(requires=["wheel"])
def crash(session: nox.Session) -> None:
    """An exporting and a syncing process, each killed 200 times at random instants."""
    install_group(session, "tests")
    install_wheel(session)
    env = TEST_THE_WHEEL | {"PAYWINT_CRASH_RUNS": "200"}
    tests = ("tests/cli/test_crash.py", "tests/cli/test_sync.py")
    session.run("python", "-m", "pytest", "-k", "killed", *tests, env=env)


@nox.session(requires=["wheel"])
def accounts(session: nox.Session) -> None:
    """200 accounts on a local Dask cluster of four workers, one of which is killed; twice."""
    install_group(session, "tests")
    install_wheel(session)
    patience = ("-o", "faulthandler_timeout=300")  # it is one test
    session.run(
        "python", "-m", "pytest", *patience, "tests/accounts/two_hundred.py", env=TEST_THE_WHEEL
    )


@nox.session(requires=["wheel"])
def tables(session: nox.Session) -> None:
    """What DuckDB, pandas and polars make of the Parquet and Arrow output."""
    install_group(session, "tests")
    install_wheel(session)
    session.install("duckdb", "pandas", "polars")
    session.run("python", "-m", "pytest", "tests/services/readers.py", env=TEST_THE_WHEEL)


def install_servers(session: nox.Session, *packages: str) -> None:
    """Of Debian's packages, those that root finds missing; for others the tests say what they need."""
    found = {
        "mariadb-server": Path("/usr/sbin/mariadbd").exists(),
        "postgresql": any(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
        "redis-server": shutil.which("redis-server") is not None,
        "lua5.1": shutil.which("lua5.1") is not None,
    }
    missing = [package for package in packages if not found[package]]
    if missing and os.geteuid() == 0:
        session.run("apt-get", "update", "-q", external=True)
        session.run("apt-get", "install", "-qy", *missing, external=True)


@nox.session(requires=["wheel"])
def services(session: nox.Session) -> None:
    """Destinations, sync and reconcile over real servers, which this starts and stops."""
    install_group(session, "tests")
    install_wheel(session)
    install_servers(session, "mariadb-server", "postgresql", "redis-server")
    files = (
        "export/test_tables.py",
        "export/test_sql.py",
        "cli/test_sync.py",
        "cli/test_reconcile.py",
    )
    tests = [f"tests/{each}" for each in files]
    for server, kind in (("postgres", "postgresql"), ("mysql", "mysql")):
        pytest = ("python", "-m", "pytest", "-k", kind, *tests)
        session.run("python", f"tests/services/{server}.py", *pytest, env=TEST_THE_WHEEL)
    session.run("python", "-m", "pytest", "tests/services/books.py", env=TEST_THE_WHEEL)


@nox.session(requires=["wheel"])
def redis(session: nox.Session) -> None:
    """The shared rate limit, by four processes over a real Redis; prints what it measures."""
    install_group(session, "tests")
    install_wheel(session)
    install_servers(session, "redis-server")
    tests = ("tests/services/shared_limit.py", *session.posargs)
    session.run("python", "-m", "pytest", "-s", *tests, env=TEST_THE_WHEEL)


@nox.session(requires=["wheel"])
def proxy(session: nox.Session) -> None:
    """Reads and creates through a real forward proxy with authentication, https by CONNECT."""
    install_group(session, "tests")
    install_wheel(session)
    session.install("proxy.py>=2.4")
    session.run("python", "-m", "pytest", "tests/services/through_proxy.py", env=TEST_THE_WHEEL)


@nox.session(requires=["wheel"])
def chaos(session: nox.Session) -> None:
    """10,000 random fault schedules against a create, 10,000 cancellations, 1,000 reads by timeouts."""
    install_group(session, "tests")
    install_wheel(session)
    counts = {"SCHEDULES": "10000", "CANCELLATIONS": "10000", "BROKEN_OFF": "1000"}
    env = TEST_THE_WHEEL | {f"PAYWINT_{name}": count for name, count in counts.items()}
    tests = (
        "tests/failures/test_creates.py",
        "tests/failures/test_cancellation.py",
        "tests/pagination/test_broken_off.py",
    )
    session.run("python", "-m", "pytest", *tests, env=env)


@nox.session(requires=["wheel"])
def tracking(session: nox.Session) -> None:
    """5,000 waits for 5,000 payments over one client and real HTTP."""
    install_group(session, "tests")
    install_wheel(session)
    env = TEST_THE_WHEEL | {"PAYWINT_WAITS": "5000"}
    tests = ("-k", "over_http", "-o", "faulthandler_timeout=600", "tests/core/test_tracking.py")
    session.run("python", "-m", "pytest", *tests, env=env)


@nox.session(requires=["wheel"])
def deliveries(session: nox.Session) -> None:
    """The example shop under 10,000 webhooks that come twice, out of order, or never; twice."""
    install_group(session, "tests")
    install_wheel(session)
    env = TEST_THE_WHEEL | {"PAYWINT_DELIVERIES": "10000"}
    tests = ("-k", "leave_every_order", "tests/examples/test_shop.py")
    session.run("python", "-m", "pytest", *tests, env=env)


@nox.session(requires=["wheel"])
def prism(session: nox.Session) -> None:
    """The SDK against Prism, an independent mock server of the OpenAPI file; needs Node.js and npm."""
    install_group(session, "tests")
    install_wheel(session)
    folder = session.create_tmp()
    quietly = ("--silent", "--no-audit", "--no-fund", "--prefix", folder)
    session.run("npm", "install", *quietly, "@stoplight/prism-cli@5.14.2", external=True)
    env = TEST_THE_WHEEL | {"PAYWINT_PRISM": f"{folder}/node_modules/.bin/prism"}
    session.run("python", "-m", "pytest", "tests/peers/prism.py", env=env)


@nox.session(requires=["wheel"])
def schemathesis(session: nox.Session) -> None:
    """The emulator against the OpenAPI file: at least 1,200 cases."""
    install_group(session, "tests")
    install_wheel(session)
    env = TEST_THE_WHEEL | {"PAYWINT_EXAMPLES": "400"}
    session.run("python", "-m", "pytest", "tests/emulator/test_conformance.py", env=env)


@nox.session(requires=["wheel"])
def browser(session: nox.Session) -> None:
    """The emulator's pages, the shop, a report and the site in Chromium; installs a missing one."""
    install_group(session, "tests")
    install_wheel(session)
    session.install("playwright")
    if not (shutil.which("chromium") or shutil.which("chromium-browser")):
        if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
            session.run("apt-get", "update", "-qq", external=True)
            session.run("apt-get", "install", "-qq", "-y", "chromium", external=True)
        else:
            session.run("playwright", "install", "chromium")
    shots = session.env["PAYWINT_SCREENSHOTS"] = str(session.create_tmp())
    install_group(session, "docs")
    tests = ("tests/browser/flow.py", "tests/browser/report.py", "tests/browser/site.py")
    session.run("python", "-m", "pytest", *tests, *session.posargs, env=TEST_THE_WHEEL)
    session.log(f"screenshots are in {shots}")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation site, built strictly and offline, into docs/_build/html."""
    install_group(session, "docs")
    session.install("-e", ".[cli]")
    site = HERE / "docs" / "_build" / "html"
    shutil.rmtree(site.parent, ignore_errors=True)
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", str(site))
    session.log(f"the site is {site / 'index.html'}")


@nox.session
def release(session: nox.Session) -> None:
    """Everything that is checked before a release, into dist/; `-- --tag` sets the tag."""
    session.install(
        "build", "check-wheel-contents", "cyclonedx-bom", "griffe", "pip-audit", "twine"
    )
    session.run("python", ".ci/release.py", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Small changes of the planner, each of which a test should notice; takes about an hour."""
    install_group(session, "tests")
    session.install("-e", ".[cli]", "mutmut>=3.8")
    session.run("mutmut", "run", "--max-children", "2")
    session.run("mutmut", "results")


@nox.session(requires=["wheel"])
def frameworks(session: nox.Session) -> None:
    """The programs of docs/frameworks, under the real servers."""
    install_group(session, "tests")
    install_group(session, "frameworks")
    install_wheel(session)
    tests = ("tests/frameworks/pages.py", *session.posargs)
    session.run("python", "-m", "pytest", *tests, env=TEST_THE_WHEEL)


@nox.session(requires=["wheel"])
def fuzz(session: nox.Session) -> None:
    """The codec, protocol and webhooks under atheris, for a minute; further arguments go to libFuzzer."""
    session.install("atheris")
    install_wheel(session)
    arguments = session.posargs or ["-max_total_time=60"]
    session.run("python", "tests/failures/fuzz.py", *arguments, env=TEST_THE_WHEEL)


@nox.session(requires=["wheel"])
def bench(session: nox.Session) -> None:
    """All benchmarks, into benchmarks/RESULTS.md; or those named: `nox -s bench -- calls decode`."""
    install_group(session, "bench")
    install_wheel(session)
    for name in session.posargs or ["run"]:
        session.run("python", f"benchmarks/{Path(name).stem}.py")
