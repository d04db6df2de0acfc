"""The tests that nox runs on the oldest and the newest Python only.

On the versions in between it runs all tests that depend on the Python version: asyncio, the standard
library's formats, pickling, imports, child processes. A test is excluded there only for a reason
that is given here, so a new test runs on every Python.
"""

from __future__ import annotations

# For each reason: paths in the repository, or tests in them.
LEFT_OUT_BETWEEN: dict[str, tuple[str, ...]] = {
    "arithmetic on integers, or the comparison of records in memory": (
        "tests/pagination/test_changed_between_reads.py",
        "tests/pagination/test_healing.py",
        "tests/pagination/test_oldest_first.py",
        "tests/pagination/test_one_change.py",
        "tests/pagination/test_planner.py",
        "tests/pagination/test_planner_cases.py",
        "tests/pagination/test_planner_rules.py",
        "tests/pagination/test_planner_values.py",
        "tests/pagination/test_position_rules.py",
        "tests/pagination/test_proof_rules.py",
        "tests/pagination/test_ranges.py",
        "tests/pagination/test_span_planner.py",
        "tests/pagination/test_span_rules.py",
        "tests/reconcile/test_comparison.py",
        "tests/reconcile/test_coverage.py",
        "tests/reconcile/test_keys.py",
        "tests/reconcile/test_matching.py",
        "tests/reconcile/test_payouts.py",
        "tests/reconcile/test_properties.py",
    ),
    "they read the repository's files, or check the benchmarks": (
        "tests/structure/test_aiohttp.py",
        "tests/structure/test_layers.py",
        "tests/structure/test_names.py",
        "tests/structure/test_packaging.py",
        "tests/structure/test_portability.py",
        "tests/structure/test_reference_tables.py",
        "tests/structure/test_workflows.py",
        "tests/test_benchmarks.py",
    ),
    "programs of the documentation, whose parts have tests of their own": (
        "tests/structure/test_close_a_month.py",
        "tests/structure/test_guides.py",
        "tests/structure/test_readme.py",
    ),
    "the state after a killed process or a full disk depends on the operating system": (
        "tests/cli/test_crash.py",
        "tests/cli/test_sync.py::test_a_sync_killed_at_any_time_is_completed_exactly_by_the_next_runs",
        "tests/export/test_kill_points.py",
        "tests/export/test_files.py::test_after_a_full_disk_at_any_byte_a_rerun_completes_the_export",
    ),
    "the same tests again, as on another operating system": (
        "tests/export/test_windows.py::test_the_tests_of_files_hold_on_windows",
    ),
    "many repetitions of another test": (
        "tests/core/test_ambiguity.py::test_nothing_is_accepted_that_a_strict_parser_would_refuse",
        "tests/core/test_tracking.py::TestManyWaits",
        "tests/emulator/test_conformance.py",
        "tests/emulator/test_webhook_faults.py::"
        "test_ten_thousand_deliveries_are_each_accounted_for_and_in_order",
        "tests/failures/test_files.py",
        "tests/failures/test_fuzz.py",
        "tests/failures/test_overload.py::"
        "test_a_thousand_tasks_complete_within_an_unpublished_limit",
        "tests/pagination/test_stateful.py",
        "tests/reconcile/test_ledger_hostile.py",
    ),
}


def options() -> list[str]:
    """The options of pytest that exclude those tests."""
    names = [name for group in LEFT_OUT_BETWEEN.values() for name in group]
    return [f"--{'deselect' if '::' in name else 'ignore'}={name}" for name in names]
