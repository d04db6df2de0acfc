"""Mutation tests, area by area: `python .ci/mutants.py [AREA …]`.

mutmut makes small changes to the code and runs the area's tests against each. A change that no test
detects (a survivor) must be listed in tests/mutants.toml with the reason. It is identified by its
function and the replaced text, so that edits elsewhere do not invalidate the list. The run fails if a
survivor is not listed, if a listed change does not survive, or if fewer than 90 % are killed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
SURVIVORS = HERE / "tests" / "mutants.toml"
COPIED = (
    "README.md", "examples", "noxfile.py", "paywint_async", "tests"
)  # fmt: skip
LEAST_KILLED = 0.9
KILLED = ("killed", "timeout", "segfault", "caught by type check")

# For each area: the modules that are changed, and the tests that must detect it.
AREAS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "retry": (
        ("_middleware/retry", "_middleware/budget", "_middleware/chain", "_messages"),
        ("core/test_retry_budget", "core/test_retry", "core/test_chain", "core/test_messages",
         "core/test_answer_details"),
    ),
    "calls": (
        ("_middleware/answers", "_middleware/observe", "_middleware/scope",
         "_middleware/slow_start"),
        ("core/test_answer_details", "core/test_closing", "core/test_collected_answers",
         "core/test_events", "core/test_log", "core/test_slow_start", "core/test_views"),
    ),
    "protocol": (
        ("_protocol", "_arguments"),
        ("core/test_protocol", "core/test_answers", "core/test_arguments"),
    ),
    "codec": (
        ("_codec", "_strict_json", "_record_json"),
        ("core/test_codec", "core/test_codec_guards", "core/test_ambiguity", "core/test_amounts",
         "core/test_records", "core/test_texts", "core/test_answers"),
    ),
    "rate_limit": (
        ("_middleware/rate_limit",),
        ("core/test_rate_limit", "core/test_learned_pace"),
    ),
    "shared_limit": (
        ("_middleware/shared/*",),
        ("shared/test_rate", "shared/test_setup", "shared/test_outage"),
    ),
    "planner": (
        tuple(f"_pagination/{name}" for name in (
            "decision", "known_keys", "lookup", "oldest_first", "planner", "position",
            "progress")),
        ("pagination/test_planner_values", "pagination/test_planner_cases",
         "pagination/test_planner_rules", "pagination/test_proof_rules",
         "pagination/test_position_rules", "pagination/test_checkpoint_values", "pagination/test_planner",
         "pagination/test_healing", "pagination/test_changed_between_reads",
         "pagination/test_one_change", "pagination/test_oldest_first"),
    ),
    "spans": (
        ("_pagination/span", "_pagination/span_planner"),
        ("pagination/test_span_rules", "pagination/test_span_planner", "pagination/test_one_change",
         "pagination/test_oldest_first"),
    ),
    "listing": (
        tuple(f"_pagination/{name}" for name in (
            "checkpoint", "iterator", "listing", "merge", "ranges", "run", "splitting",
            "window")),
        ("pagination/test_cancelled_awaits", "pagination/test_checkpoint_values",
         "pagination/test_checkpoints", "pagination/test_listing", "pagination/test_listing_ends",
         "pagination/test_oldest_first_listing", "pagination/test_ranges", "pagination/test_spans"),
    ),
}  # fmt: skip
# For areas whose tests take long: only changes whose number ends in these digits.
SAMPLES = {
    "listing": "*__mutmut_*7",
    "planner": "*__mutmut_*7",
    "shared_limit": "*__mutmut_*[147]",
    "spans": "*__mutmut_*7",
}

# These tests fail under mutmut: no frame may hold the Redis secret, and mutmut's own wrappers do.
FAILS_WITHOUT_A_CHANGE = (
    "shared/test_setup.py::TestTheArguments::test_are_refused_with_their_name_and_no_secret",
)


def prepare(area: str, folder: Path) -> None:
    """Copies the checkout into ``folder`` and configures mutmut for the area."""
    modules, tests = AREAS[area]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in COPIED:
        if (HERE / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(HERE / name, folder / name, ignore=ignored)
        else:
            shutil.copy(HERE / name, folder / name)
    changed = [
        str(path.relative_to(HERE))
        for module in modules
        for path in sorted(HERE.glob(f"paywint_async/{module}.py"))
    ]
    settings: dict[str, Any] = {
        "source_paths": ["paywint_async"],
        "only_mutate": changed,
        "also_copy": [name for name in COPIED if name not in ("paywint_async", "tests")],
        "pytest_add_cli_args": [
            "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--hypothesis-profile=mutants",
            *(f"--deselect=tests/{test}" for test in FAILS_WITHOUT_A_CHANGE),
        ],
        "pytest_add_cli_args_test_selection": [f"tests/{test}.py" for test in tests],
        "type_check_command": [
            sys.executable, str(HERE / ".ci/mutant_types.py"), "mypy",
            "--cache-dir", str(folder.parent / "mypy"), *changed,
        ],
    }  # fmt: skip
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
    text = (HERE / "pyproject.toml").read_text("utf-8")
    (folder / "pyproject.toml").write_text(f"{text}\n[tool.mutmut]\n{''.join(lines)}", "utf-8")


def results(folder: Path) -> Iterator[tuple[str, str]]:
    """Yields each mutant's name in the list and its status. Changes to the area's folder."""
    os.chdir(folder)
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code

    for path in sorted(Path("mutants/paywint_async").rglob("*.py.meta")):
        source = path.relative_to("mutants").with_suffix("")
        data = SourceFileMutationData(path=source)
        data.load()
        for mutant, code in data.exit_code_by_key.items():
            if code is None:
                continue  # not in the sample
            status = status_by_exit_code[code]
            name = ""
            if status not in KILLED:
                name = named(mutant, get_diff_for_mutant(mutant, path=source))
            yield name, status


def named(mutant: str, diff: str) -> str:
    """A mutant's name: `module.function: old text → new text`."""
    place = mutant.rpartition("__mutmut_")[0].removeprefix("paywint_async.")
    module, _, function = place.rpartition(".")
    function = function.removeprefix("xǁ").removeprefix("x_").replace("ǁ", ".")
    sides: dict[str, list[str]] = {"-": [], "+": []}
    for line in diff.splitlines():
        if line[:1] in sides and line[:3] not in ("---", "+++"):
            sides[line[0]].append(line[1:].strip())
    return f"{module}.{function}: {' '.join(sides['-'])} → {' '.join(sides['+'])}"


def run(area: str, folder: Path, children: int) -> list[tuple[str, str]]:
    prepare(area, folder)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children)]
    if area in SAMPLES:
        command.append(SAMPLES[area])
    with (folder / "log").open("wb") as log:
        done = subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit((folder / "log").read_text("utf-8", "replace")[-4000:])
    return list(results(folder))


def listed(areas: Iterable[str]) -> set[str]:
    """The survivors that tests/mutants.toml names for the areas."""
    table = tomllib.loads(SURVIVORS.read_text("utf-8")) if SURVIVORS.exists() else {}
    return {
        mutant for area in areas for group in table.get(area, ()) for mutant in group["mutants"]
    }


def judge(area: str, outcomes: list[tuple[str, str]]) -> bool:
    """Prints the result of an area's mutants, and returns whether it passes."""
    alive = {name for name, status in outcomes if status not in KILLED}
    number = sum(1 for _, status in outcomes if status not in KILLED)
    share = 1 - number / len(outcomes)
    print(f"{area}: {share:.1%} of {len(outcomes)} killed, {number} survived")
    known = listed([area])
    for name in sorted(alive - known):
        print(f"  not in the list: {name}")
    for name in sorted(known - alive):
        print(f"  does not survive any more: {name}")
    return alive == known and share >= LEAST_KILLED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("areas", nargs="*", choices=[*AREAS, []], metavar="AREA")
    parser.add_argument("--folder", type=Path, default=HERE / "mutants")
    parser.add_argument("--children", type=int, default=os.cpu_count())
    options = parser.parse_args()
    folder = options.folder.resolve()
    verdicts = []
    for area in options.areas or AREAS:
        verdicts.append(judge(area, run(area, folder / area, options.children)))
    sys.exit(0 if all(verdicts) else 1)


if __name__ == "__main__":
    main()
