"""The checks before a release: `nox -s release`, or `nox -s release -- --tag` to also set the tag.

`--breaking` accepts changes that break callers of the last release, `--no-audit` works offline.
Everything is checked before anything is written: a failure leaves no files in dist/ and no tag.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
VERSION: str = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["project"]["version"]
TOOLS = (sys.executable, "-m")


def run(*command: str | Path, cwd: Path = HERE, env: dict[str, str] | None = None) -> str:
    """Runs a command, which must succeed, and returns its output."""
    print("$", *command, flush=True)
    finished = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, stdout=subprocess.PIPE, text=True, check=False
    )
    if finished.returncode:
        sys.exit(f"{finished.stdout}\nfailed: {' '.join(map(str, command))}")
    return finished.stdout.strip()


def check_tree() -> None:
    """Checks that nothing is uncommitted, and that the changelog has this version with a date."""
    if changed := run("git", "status", "--porcelain"):
        sys.exit(f"the working tree is not clean:\n{changed}")
    changelog = (HERE / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    if newest is None or newest[1] != VERSION:
        sys.exit(f"CHANGELOG.md's newest dated version is not {VERSION}")
    if f"v{VERSION}" in run("git", "tag").splitlines():
        sys.exit(f"v{VERSION} has been released already")


def build(folder: Path) -> dict[str, str]:
    """Builds the sdist from a fresh clone, and the wheel from the sdist; returns each file's digest."""
    clone = folder / "clone"
    run("git", "clone", "--quiet", HERE, clone)
    committed_at = run("git", "log", "-1", "--format=%ct")
    env = os.environ | {"SOURCE_DATE_EPOCH": committed_at}
    run(*TOOLS, "build", "--outdir", folder / "dist", clone, env=env)
    files = sorted((folder / "dist").iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def check_files(dist: Path) -> None:
    """Checks the metadata that a package index and an installer read."""
    run(*TOOLS, "twine", "check", "--strict", *dist.iterdir())
    (wheel,) = dist.glob("*.whl")
    run(*TOOLS, "check_wheel_contents", wheel)


def check_installation(folder: Path, dist: Path) -> Path:
    """Checks that the wheel alone can be imported in an empty environment, without a warning."""
    (wheel,) = dist.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel)
    program = "import paywint_async as p; [getattr(p, n) for n in ('PaywintClient', 'Payment')]"
    run(python, "-I", "-W", "error", "-c", program)
    shown = run(python, "-I", "-m", "pip", "show", "--files", "paywint-async")
    for needed in (f"Version: {VERSION}", "licenses/LICENSE", "py.typed"):
        if needed not in shown:
            sys.exit(f"the installed wheel has no {needed}")
    return python


def write_sbom(python: Path, to: Path) -> None:
    """Writes a CycloneDX bill of materials of the wheel and its installed dependencies."""
    run(*TOOLS, "cyclonedx_py", "environment", "--output-reproducible", "-o", to, python)


def audit(python: Path) -> None:
    """Checks the installed dependencies for known vulnerabilities."""
    frozen = run(python, "-m", "pip", "freeze", "--exclude", "paywint-async", "--exclude", "pip")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(frozen)
        requirements.flush()
        run(*TOOLS, "pip_audit", "--no-deps", "--disable-pip", "-r", requirements.name)


def compare_with_last_release() -> None:
    """Compares the public API with the last release's; ``--breaking`` accepts breaking changes."""
    tags = run("git", "tag", "--list", "v*", "--sort=-version:refname").splitlines()
    if not tags:
        print("no earlier release to compare the public API with")
        return
    command = [*TOOLS, "griffe", "check", "paywint_async", "--against", tags[0]]
    finished = subprocess.run(command, cwd=HERE, check=False)
    if finished.returncode and "--breaking" not in sys.argv:
        sys.exit(f"this breaks callers of {tags[0]}; if intended: nox -s release -- --breaking")


def main() -> None:
    """Runs all checks, then writes dist/ and sbom/, and with ``--tag`` sets the tag."""
    check_tree()
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        one, other = build(Path(first)), build(Path(second))
        if one != other:
            sys.exit(f"two builds differ: {one} and {other}")
        dist = Path(first, "dist")
        check_files(dist)
        python = check_installation(Path(first), dist)
        sbom = Path(first, "paywint-async.cdx.json")
        write_sbom(python, sbom)
        if "--no-audit" not in sys.argv:
            audit(python)
        compare_with_last_release()
        for name, files in (("dist", list(dist.iterdir())), ("sbom", [sbom])):
            shutil.rmtree(HERE / name, ignore_errors=True)
            (HERE / name).mkdir()
            for path in files:
                shutil.copy(path, HERE / name)
    for name, digest in one.items():
        print(digest, name)
    if "--tag" in sys.argv:
        run("git", "tag", "--annotate", f"v{VERSION}", "--message", f"paywint-async {VERSION}")


if __name__ == "__main__":
    main()
