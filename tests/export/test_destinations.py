"""The registry of destinations: names, refusals, and the users of the registry."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from export_destinations import KINDS, SERVERS, output_in

from paywint_async import ConfigurationError
from paywint_async._cli.options import FormatName
from paywint_async.export import (
    DESTINATIONS,
    ENTRIES,
    PAYMENTS,
    Destination,
    Format,
    find_destination,
)
from paywint_async.reconcile._file_kinds import kind_by_name

GUIDE = Path(__file__).parents[2] / "docs" / "exporting.md"
EACH = pytest.mark.parametrize("destination", DESTINATIONS, ids=lambda each: each.name)


@EACH
def test_each_example_of_a_destination_leads_to_it(destination: Destination) -> None:
    for example in destination.examples:
        assert find_destination(example) is destination
        assert find_destination(example.upper()) is destination


def test_a_windows_drive_letter_is_not_a_scheme() -> None:
    assert find_destination("C:/payments.jsonl") is find_destination("payments.jsonl")


def test_names_of_destinations_are_unique() -> None:
    names = [
        name
        for each in DESTINATIONS
        for name in (each.name, *each.endings, *each.schemes, *each.formats)
    ]

    assert [name for name, times in Counter(names).items() if times > 1] == []


def test_the_tests_of_tables_run_over_each_destination(tmp_path: Path) -> None:
    """Who adds one adds it to `KINDS` of tests/support/export_destinations.py."""
    outputs = [output_in(tmp_path, kind) for kind in KINDS if kind not in SERVERS]
    outputs += [f"{scheme}://host/database" for scheme in SERVERS]  # run by `nox -s services`
    tested = {find_destination(output).name for output in outputs}

    # The rows of a workbook are read in tests/export/test_xlsx.py.
    assert tested | {"Excel"} == {each.name for each in DESTINATIONS}


def test_the_command_line_takes_each_format() -> None:
    """All but the one that has an option of its own, ``--spreadsheet``."""
    formats = {format for each in DESTINATIONS for format in each.formats}

    assert {*get_args(FormatName), Format.SPREADSHEET} == formats == {*Format}
    assert formats == {*PAYMENTS} == {*ENTRIES}


@EACH
def test_the_guide_shows_each_destination(destination: Destination) -> None:
    guide = GUIDE.read_text("utf-8")

    for example in destination.examples:
        assert f"`{example}`" in guide
    if destination.extra:
        assert f"| `{destination.extra}` |" in guide


@EACH
def test_reconcile_reads_each_destination_back(destination: Destination, tmp_path: Path) -> None:
    for example in destination.examples:
        is_url = ":/" in example
        output = example if is_url else f"{tmp_path}/{example}"
        if example.endswith("/"):
            Path(output).mkdir()

        assert kind_by_name(output) == destination.reader


UNKNOWN = [
    ("a.xml", ".xml"),
    ("a.json", ".json"),
    ("a.JSON", ".json"),
    ("a.txt", ".txt"),
    ("a.ndjson", ".ndjson"),
    ("a.json.gz", ".json.gz"),
    ("a.parquet.gz", ".parquet.gz"),
    ("a.parquet.zst", ".parquet.zst"),
    ("a.csv.bz2", ".bz2"),
    ("a.", "."),
    ("report.2026-01", ".2026-01"),
    ("/dev/shm/pipe.out", ".out"),
]


@pytest.mark.parametrize(("output", "ending"), UNKNOWN)
def test_an_ending_that_no_destination_has_is_refused(output: str, ending: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_destination(output)

    assert f"{output}: no destination has the ending {ending}; there are .jsonl, " in str(
        caught.value
    )


@pytest.mark.parametrize(("output", "_ending"), UNKNOWN)
@pytest.mark.parametrize("format", list(Format))
def test_an_unknown_ending_is_accepted_with_a_format(
    output: str, _ending: str, format: Format
) -> None:
    assert format in find_destination(output, format).formats


@pytest.mark.parametrize("output", ["-", "payments", "./a.b/payments", ".payments", "a.gz"])
def test_a_name_without_an_ending_is_json_lines(output: str) -> None:
    assert find_destination(output).format(None) is Format.JSONL


@pytest.mark.parametrize("output", ["books.db", "books.SQLITE", "books.sqlite3"])
@pytest.mark.parametrize("format", [None, Format.JSONL])
def test_a_common_name_of_a_database_file_is_never_written_as_text(
    output: str, format: Format | None
) -> None:
    with pytest.raises(ConfigurationError, match=f"for a database say sqlite:///{output}"):
        find_destination(output, format)


def test_a_scheme_that_no_destination_has_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^oracle is not a database that .*postgresql"):
        find_destination("oracle://me:secret@host/books")


@pytest.mark.parametrize(
    ("output", "same"),
    [
        (".csv", "a.csv"),
        ("./.CSV", "a.csv"),
        ("d/.parquet", "a.parquet"),
        (".csv.gz", "a.csv.gz"),
        (".xlsx", "a.xlsx"),
    ],
)
def test_an_ending_may_be_all_of_the_name(output: str, same: str) -> None:
    assert find_destination(output) is find_destination(same)
