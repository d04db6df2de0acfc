"""The checks before a release: `nox -s release`, and `nox -s release -- --tag` to set the tag, too.

`--breaking` accepts changes that break callers of the last release, `--no-audit` works offline.
Everything is checked before anything is written: what fails leaves neither files in dist/ nor a tag.
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
    """A command's output; it must succeed."""
    print("$", *command, flush=True)
    finished = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, stdout=subprocess.PIPE, text=True, check=False
    )
    if finished.returncode:
        sys.exit(f"{finished.stdout}\nfailed: {' '.join(map(str, command))}")
    return finished.stdout.strip()


def check_tree() -> None:
    """Nothing uncommitted, and the changelog has this version with a date."""
    if changed := run("git", "status", "--porcelain"):
        sys.exit(f"the working tree is not clean:\n{changed}")
    changelog = (HERE / "CHANGELOG.md").read_text("utf-8")
    newest = re.search(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    if newest is None or newest[1] != VERSION:
        sys.exit(f"CHANGELOG.md's newest dated version is not {VERSION}")
    if f"v{VERSION}" in run("git", "tag").splitlines():
        sys.exit(f"v{VERSION} has been released already")


def build(folder: Path) -> dict[str, str]:
    """The sdist and, from it, the wheel, from a fresh clone; the digest of each by its name."""
    clone = folder / "clone"
    run("git", "clone", "--quiet", HERE, clone)
    committed_at = run("git", "log", "-1", "--format=%ct")
    env = os.environ | {"SOURCE_DATE_EPOCH": committed_at}
    run(*TOOLS, "build", "--outdir", folder / "dist", clone, env=env)
    files = sorted((folder / "dist").iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def check_files(dist: Path) -> None:
    """What an index and an installer look at."""
    run(*TOOLS, "twine", "check", "--strict", *dist.iterdir())
    (wheel,) = dist.glob("*.whl")
    run(*TOOLS, "check_wheel_contents", wheel)


def check_installation(folder: Path, dist: Path) -> Path:
    """The wheel alone in an empty environment: it imports, and warns of nothing."""
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
    """A CycloneDX bill of materials: the wheel and all that came with it."""
    run(*TOOLS, "cyclonedx_py", "environment", "--output-reproducible", "-o", to, python)


def audit(python: Path) -> None:
    """Known vulnerabilities of what came with the wheel."""
    frozen = run(python, "-m", "pip", "freeze", "--exclude", "paywint-async", "--exclude", "pip")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(frozen)
        requirements.flush()
        run(*TOOLS, "pip_audit", "--no-deps", "--disable-pip", "-r", requirements.name)


def compare_with_last_release() -> None:
    """The public API against the last release's; ``--breaking`` says that what breaks is meant."""
    tags = run("git", "tag", "--list", "v*", "--sort=-version:refname").splitlines()
    if not tags:
        print("no earlier release to compare the public API with")
        return
    command = [*TOOLS, "griffe", "check", "paywint_async", "--against", tags[0]]
    finished = subprocess.run(command, cwd=HERE, check=False)
    if finished.returncode and "--breaking" not in sys.argv:
        sys.exit(f"this breaks callers of {tags[0]}; if it is meant: nox -s release -- --breaking")


def main() -> None:
    """All checks; then dist/ and sbom/ are written, and with ``--tag`` the tag is set."""
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
