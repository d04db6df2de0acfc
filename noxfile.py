"""The project's checks: `nox` runs `lint`, `types` and `tests`; `nox --list` shows the others.

Tests run against the built wheel, never against the checkout, on every supported Python that this
machine has.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).resolve().parent / ".ci"))
from between_pythons import options as without_what_cannot_differ
from interpreters import find_interpreters
from pytest_plugins import COMBINATIONS

nox.needs_version = ">=2025.11.12"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"

HERE = Path(__file__).resolve().parent
PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = find_interpreters()

# The tests import the installed wheel; no process they start may import the checkout instead.
# Compile modules once for all processes, whatever the caller's environment says.
TEST_THE_WHEEL = {
    "PAYWINT_TEST_THE_WHEEL": "1",
    "PYTHONSAFEPATH": "1",
    "PYTHONDONTWRITEBYTECODE": "",
}
# All tests in one process for each core; an idle process takes over tests. `-n 0` turns this off.
SIDE_BY_SIDE = ("--run-slow", "-n", "logical", "--maxprocesses", "4", "--dist", "worksteal")


def install_group(session: nox.Session, group: str) -> None:
    session.install(*nox.project.dependency_groups(PROJECT, group))


def built_wheel(session: nox.Session) -> Path:
    (wheel,) = (session.cache_dir / "dist").glob("*.whl")
    return wheel.resolve()


def install_wheel(session: nox.Session) -> None:
    """Installs in two steps, because in a reused environment pip keeps a wheel of the same version."""
    requirement = f"paywint-async[cli] @ {built_wheel(session).as_uri()}"
    session.install("--force-reinstall", "--no-deps", requirement)
    session.install(requirement)


def install_tests(session: nox.Session) -> None:
    """Installs the wheel and its test dependencies, uncompiled: Python compiles only what it imports."""
    session.install("--no-compile", *nox.project.dependency_groups(PROJECT, "tests"))
    install_wheel(session)


def run_pytest(session: nox.Session, *arguments: str, **settings: str) -> None:
    """Run pytest on the installed wheel; the tests read each setting as `PAYWINT_<NAME>`."""
    variables = {f"PAYWINT_{name}": value for name, value in settings.items()}
    session.run("python", "-m", "pytest", *arguments, env=TEST_THE_WHEEL | variables)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and formatting, by ruff."""
    install_group(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the sdist, and the wheel from the sdist, as they would be published."""
    dist = session.cache_dir / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(dist), silent=True)


@nox.session(requires=["wheel"])
def types(session: nox.Session) -> None:
    """mypy on the package, examples and noxfile; then the installed package's public types."""
    install_group(session, "types")
    install_wheel(session)
    session.run("mypy")
    session.run("pyright", env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})  # no check for updates
    with session.chdir("tests/typing"):  # here the installed package is imported
        session.run("mypy", "--config-file", str(HERE / "pyproject.toml"), "api.py")


@nox.session(python=PYTHONS, requires=["wheel"])
def tests(session: nox.Session) -> None:
    """All tests on the oldest and newest Python; on others, tests that depend on the version.

    The newest Python also measures coverage. Arguments are passed to pytest on each Python.
    """
    install_tests(session)
    if session.python == "3.15":  # lupa has no wheel for 3.15
        install_servers(session, "lua5.1")
    if session.posargs:
        run_pytest(session, *SIDE_BY_SIDE, *session.posargs)
    elif session.python == PYTHONS[-1]:
        measure_coverage(session)
    elif session.python == PYTHONS[0]:
        run_pytest(session, *SIDE_BY_SIDE)
    else:
        run_pytest(session, *SIDE_BY_SIDE, *without_what_cannot_differ())


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
def windows(session: nox.Session) -> None:
    """The tests for Windows: those that start no process and need nothing specific to POSIX."""
    install_tests(session)
    areas = ("core", "pagination", "webhooks", "emulator", "export/test_windows.py")
    tests = (f"tests/{area}" for area in areas)
    run_pytest(session, "-k", "not unix_socket and not hold_on_windows", *session.posargs, *tests)


@nox.session(requires=["wheel"])
def year(session: nox.Session) -> None:
    """A year of the example shop with 100,000 payments, and 50 smaller years; seeds as arguments."""
    install_tests(session)
    # Two processes: the whole year takes as long as all small years together, which is longer than
    # the suite's time limit for a test.
    options = ("-n", "2", "--dist", "worksteal", "-o", "faulthandler_timeout=1800")
    shown = ("-rP", "--show-capture=stdout")
    seeds = " ".join(session.posargs)
    run_pytest(session, *options, *shown, "tests/examples/whole_year.py", SEEDS=seeds)


@nox.session(requires=["wheel"])
def backoff_fork(session: nox.Session) -> None:
    """The tests with `python-backoff`, a fork of backoff that installs the same module."""
    install_tests(session)
    session.run("python", "-m", "pip", "uninstall", "--yes", "--quiet", "backoff")
    session.install("python-backoff>=3")
    run_pytest(session, *SIDE_BY_SIDE, *session.posargs)


@nox.session(requires=["wheel"])
@nox.parametrize("beside", list(COMBINATIONS), ids=list(COMBINATIONS))
def plugins(session: nox.Session, beside: str) -> None:
    """The pytest plugin with the oldest and newest release of each asynchronous plugin, and without."""
    requirements, mark, answer = COMBINATIONS[beside]
    session.install("paywint-async @ " + built_wheel(session).as_uri(), *requirements)
    alone = ("-c", os.devnull, "--noconftest", "-p", "pytester", "-p", "no:cacheprovider")
    run_pytest(session, *alone, "tests/plugin/beside.py", MARK=mark, ANSWER=answer)


@nox.session(requires=["wheel"])
@nox.parametrize("release", ["oldest", "newest"])
def aiohttp(session: nox.Session, release: str) -> None:
    """The transport's tests on the oldest supported aiohttp and on the newest release."""
    install_tests(session)
    oldest = next(each for each in PROJECT["project"]["dependencies"] if "aiohttp" in each)
    session.install("-U", oldest.replace(">=", "==") if release == "oldest" else "aiohttp")
    tests = (
        *(f"tests/core/test_{name}.py" for name in ("transport", "pool", "connecting", "causes")),
        "tests/core/test_attached.py",
        "tests/failures",
    )
    run_pytest(session, *SIDE_BY_SIDE, *tests)


@nox.session(requires=["wheel"])
def exactly_once(session: nox.Session) -> None:
    """Listings, ranges and spans against 10,000 random histories for each kind of change."""
    install_tests(session)
    names = ("planner", "ranges", "span_planner", "oldest_first", "one_change")
    tests = [f"tests/pagination/test_{name}.py" for name in names]
    patience = ("-o", "faulthandler_timeout=3600")  # one test reads all histories
    run_pytest(session, *SIDE_BY_SIDE, *patience, *tests, HISTORIES="10000")


@nox.session(requires=["wheel"])
def crash(session: nox.Session) -> None:
    """An exporting and a syncing process, each killed 200 times at random instants."""
    install_tests(session)
    tests = ("tests/cli/test_crash.py", "tests/cli/test_sync.py")
    run_pytest(session, "-k", "killed", *tests, CRASH_RUNS="200")


@nox.session(requires=["wheel"])
def accounts(session: nox.Session) -> None:
    """200 accounts on a local Dask cluster of four workers, one of which is killed; twice."""
    install_tests(session)
    patience = ("-o", "faulthandler_timeout=300")  # all of it is one test
    run_pytest(session, *patience, "tests/accounts/two_hundred.py")


@nox.session(requires=["wheel"])
def tables(session: nox.Session) -> None:
    """Reads the Parquet and Arrow output with DuckDB, pandas and polars."""
    install_tests(session)
    session.install("duckdb", "pandas", "polars")
    run_pytest(session, "tests/services/readers.py")


def install_servers(session: nox.Session, *packages: str) -> None:
    """Installs missing Debian packages, if run as root; otherwise the tests name what they need."""
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
    """Destinations, sync and reconcile with real servers, which this session starts and stops."""
    install_tests(session)
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
    run_pytest(session, "tests/services/books.py")


@nox.session(requires=["wheel"])
def redis(session: nox.Session) -> None:
    """The shared rate limit of four processes over a real Redis; prints the measured rates."""
    install_tests(session)
    install_servers(session, "redis-server")
    tests = ("tests/services/shared_limit.py", *session.posargs)
    run_pytest(session, "-s", *tests)


@nox.session(requires=["wheel"])
def proxy(session: nox.Session) -> None:
    """Listings and creates through a real forward proxy with authentication; https by CONNECT."""
    install_tests(session)
    session.install("proxy.py>=2.4")
    run_pytest(session, "tests/services/through_proxy.py")


@nox.session(requires=["wheel"])
def chaos(session: nox.Session) -> None:
    """10,000 random fault schedules of a create, 10,000 cancellations, 1,000 reads with timeouts."""
    install_tests(session)
    counts = {"SCHEDULES": "10000", "CANCELLATIONS": "10000", "CANCELLED_AWAITS": "1000"}
    tests = (
        "tests/failures/test_creates.py",
        "tests/failures/test_cancellation.py",
        "tests/pagination/test_cancelled_awaits.py",
    )
    run_pytest(session, *tests, **counts)


@nox.session(requires=["wheel"])
def tracking(session: nox.Session) -> None:
    """5,000 waits for 5,000 payments over one client and real HTTP."""
    install_tests(session)
    tests = ("-k", "over_http", "-o", "faulthandler_timeout=600", "tests/core/test_tracking.py")
    run_pytest(session, *tests, WAITS="5000")


@nox.session(requires=["wheel"])
def deliveries(session: nox.Session) -> None:
    """The example shop with 10,000 webhooks that are repeated, reordered or lost; run twice."""
    install_tests(session)
    tests = ("-k", "leave_every_order", "tests/examples/test_shop.py")
    run_pytest(session, *tests, DELIVERIES="10000")


@nox.session(requires=["wheel"])
def prism(session: nox.Session) -> None:
    """The SDK against Prism, an independent mock server of the OpenAPI file; needs Node.js and npm."""
    install_tests(session)
    folder = session.create_tmp()
    quietly = ("--silent", "--no-audit", "--no-fund", "--prefix", folder)
    session.run("npm", "install", *quietly, "@stoplight/prism-cli@5.14.2", external=True)
    server = f"{folder}/node_modules/.bin/prism"
    run_pytest(session, "tests/peers/prism.py", PRISM=server)


@nox.session(requires=["wheel"])
def schemathesis(session: nox.Session) -> None:
    """The emulator against the OpenAPI file: at least 1,200 cases."""
    install_tests(session)
    run_pytest(session, "tests/emulator/test_conformance.py", EXAMPLES="400")


@nox.session(requires=["wheel"])
def browser(session: nox.Session) -> None:
    """The emulator's pages, the shop, a report and the site in Chromium, installed if missing."""
    install_tests(session)
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
    run_pytest(session, *tests, *session.posargs)
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
def pictures(session: nox.Session) -> None:
    """The README's pictures, made from real runs of the command; needs Chromium."""
    session.install("-e", ".[cli]")
    session.run("python", "docs/pictures.py")


@nox.session
def release(session: nox.Session) -> None:
    """All checks before a release, and the build into dist/; `-- --tag` sets the tag."""
    session.install(
        "build", "check-wheel-contents", "cyclonedx-bom", "griffe", "pip-audit", "twine"
    )
    session.run("python", ".ci/release.py", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Mutation tests: small changes of the code that a test must detect; areas: `-- retry codec`."""
    install_group(session, "tests")
    install_group(session, "types")
    session.install("-e", ".[cli]", "mutmut>=3.8")
    session.run("python", ".ci/mutants.py", *session.posargs)


@nox.session(requires=["wheel"])
def frameworks(session: nox.Session) -> None:
    """The programs of docs/frameworks, under real servers."""
    install_group(session, "tests")
    install_group(session, "frameworks")
    install_wheel(session)
    tests = ("tests/frameworks/pages.py", *session.posargs)
    run_pytest(session, *tests)


@nox.session(requires=["wheel"])
def fuzz(session: nox.Session) -> None:
    """The codec, protocol and webhooks under atheris for a minute; arguments are passed to libFuzzer."""
    session.install("atheris")
    install_wheel(session)
    arguments = session.posargs or ["-max_total_time=60"]
    session.run("python", "tests/failures/fuzz.py", *arguments, env=TEST_THE_WHEEL)


@nox.session(requires=["wheel"])
def bench(session: nox.Session) -> None:
    """All benchmarks, into benchmarks/RESULTS.md; or only some: `nox -s bench -- calls decode`."""
    install_group(session, "bench")
    install_wheel(session)
    for name in session.posargs or ["run"]:
        session.run("python", f"benchmarks/{Path(name).stem}.py")
