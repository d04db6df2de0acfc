"""The metadata of the project is consistent: extras, dependency groups, supported Pythons."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]


def test_the_extra_all_has_every_other_extra() -> None:
    (all_of_them,) = EXTRAS["all"]
    package, _, names = all_of_them.rstrip("]").partition("[")

    assert package == PROJECT["project"]["name"]
    assert sorted(names.split(",")) == sorted(set(EXTRAS) - {"all"})


def test_the_group_for_the_tests_has_what_the_command_needs() -> None:
    """So that `pip install -e . --group dev` installs all that pytest needs in a checkout."""
    assert set(EXTRAS["cli"]) <= set(group("tests"))


def test_the_group_for_developers_has_all_that_the_checks_need() -> None:
    assert {*group("tests"), *group("lint"), *group("types")} <= set(group("dev"))


def group(name: str) -> list[str]:
    """The requirements of a dependency group and of the groups that it includes."""
    requirements = []
    for each in GROUPS[name]:
        requirements += [each] if isinstance(each, str) else group(each["include-group"])
    return requirements


def test_the_classifiers_name_each_python_that_nox_tests() -> None:
    named = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["project"]["classifiers"]))
    interpreters = ast.parse((CHECKOUT / ".ci" / "interpreters.py").read_text("utf-8"))
    (tested,) = [
        ast.literal_eval(node.value)
        for node in interpreters.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SUPPORTED"
    ]

    assert list(tested) == named
    assert PROJECT["project"]["requires-python"] == f">={named[0]}"


def test_each_test_excluded_on_some_pythons_exists() -> None:
    source = ast.parse((CHECKOUT / ".ci" / "between_pythons.py").read_text("utf-8"))
    names = [
        name
        for node in ast.walk(source)
        if isinstance(node, ast.Constant) and str(name := node.value).startswith("tests/")
    ]

    missing = [
        f"{path}::{test}"
        for path, _, test in (name.partition("::") for name in names)
        if test not in (CHECKOUT / path).read_text("utf-8")
    ]

    assert names != []
    assert missing == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "passed"),
    [((), 1), (("-n", "0"), 1), (("--run-slow",), 2), (("tests/test_it.py", "-n", "2"), 2)],
)
def test_plain_pytest_excludes_slow_tests_except_in_a_named_file(
    pytester: pytest.Pytester, arguments: tuple[str, ...], passed: int
) -> None:
    conftest = (CHECKOUT / "tests" / "conftest.py").read_text("utf-8")
    test = """
        import pytest

        def test_quick(): ...

        @pytest.mark.slow
        def test_slow(): ...
    """
    pytester.makepyfile(**{"tests/conftest": conftest, "tests/test_it": test})
    support = CHECKOUT / "tests" / "support"
    pytester.makeini(f"[pytest]\ntestpaths = tests\npythonpath = {support}\n")

    unneeded = [f"-pno:{name}" for name in ("schemathesis", "hypothesispytest", "aiohttp", "anyio")]
    answer = pytester.runpytest_subprocess(*unneeded, *arguments)

    answer.assert_outcomes(passed=passed)
