"""Lines are split into the same records as by the csv module, whatever they contain."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paywint_async.reconcile import LedgerError
from paywint_async.reconcile._csv_records import NumberedRecord, csv_batches
from paywint_async.reconcile._text_file import TextFile

texts = st.text(alphabet="ab \",;\t|\r\n'é\u2028\x0b", max_size=60)


def expected(path: Path, delimiter: str, skip: int) -> tuple[list[NumberedRecord], int | None]:
    """What the csv module finds, and the line of the record that it refuses, if any."""
    found: list[NumberedRecord] = []
    with path.open(encoding="utf-8", newline="") as file:
        for _ in range(skip):
            file.readline()
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        place = skip + 1
        try:
            for values in reader:
                found.append((place, values))
                place = skip + reader.line_num + 1
        except csv.Error:
            return found, place
    return found, None


def read(path: Path, delimiter: str, skip: int) -> tuple[list[NumberedRecord], int | None]:
    found: list[NumberedRecord] = []
    try:
        for records in csv_batches(
            TextFile(path=str(path), encoding="utf-8"), delimiter, skip=skip
        ):
            found += records
    except LedgerError as error:
        return found, int(str(error).partition(", line ")[2].partition(":")[0])
    return found, None


@given(texts, st.sampled_from(",;\t|"), st.integers(0, 1))
def test_records_equal_those_of_the_csv_module(
    tmp_path_factory: pytest.TempPathFactory, text: str, delimiter: str, skip: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(text.encode())

    assert read(path, delimiter, skip) == expected(path, delimiter, skip)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "line",
    [
        *('1,"two, words",3', '"1",2,3', '1,2,"3"', '1,"a""b",3', '1,"a",,"b"', '1,"",3', 'a"b,2'),
        *('1,"a"', "", ",,", '1,"first\nsecond",3', '1,"a\r\nb",3', " "),
    ],
)
def test_quoted_values_and_line_ends_are_those_of_the_csv_module(
    tmp_path: Path, line: str, end: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes((f"x,y,z{end}" + f"{line}{end}1,2,3{end}" * 700 + line).encode())

    found = read(path, ",", 0)

    assert found == expected(path, ",", 0)
    assert len(found[0]) > 1400


def test_records_before_an_error_are_yielded(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,2\n" * 700 + '1,"2" \n')

    found, line = read(path, ",", 0)

    assert (len(found), line) == (700, 701)
