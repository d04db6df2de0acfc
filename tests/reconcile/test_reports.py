"""Reports as JSON, text and HTML: complete, exact, and safe with any text in them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from comparison_samples import day, paid, row

from paywint_async.export import ExportError
from paywint_async.reconcile import Report, json_chunks, make_page, text_lines, write_html

MakeReport = Callable[..., Report]

HOSTILE = [
    "</script><script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "</style><b>",
    "\u202egnp.exe",
    "{{ 7*7 }} <!-- ]]>",
    "\x00\x1b[31m\udc80",
]


class Page(HTMLParser):
    """The elements of a page, each with its attributes, and the text within it."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self._open[-1] if self._open else "", []).append(data)

    def rows(self, table: str) -> int:
        """The number of differences."""
        assert table == "differences"
        return sum(tag == "tr" and "data-kind" in values for tag, values in self.elements)


def document(report: Report) -> Any:
    return json.loads(b"".join(json_chunks(report)))


def many(count: int) -> list[Any]:
    return [paid(n, when=day(n % 700)) for n in range(1, count + 1)]


# -- JSON ------------------------------------------------------------------------------------------


def test_a_document_has_its_amounts_without_an_exponent(make_report: MakeReport) -> None:
    rows = [row(2, "0.0000001", payment_id=1), row(3, "0.0000001", payment_id=2)]

    found = document(make_report(rows, [paid(1, "1E-7"), paid(2, "1E+3")]))

    (statement,) = found["statements"]
    assert [step["amount"] for step in statement["steps"]] == ["0.0000000", "999.9999999"]
    (difference,) = found["differences"]
    assert difference["rows"][0]["amount"] == "0.0000001"
    assert difference["payments"][0]["amount"] == "1000"
    assert {each["amount"] for each in found["totals"]["ledger"]} == {"0.0000001"}


def test_a_document_has_the_whole_report(make_report: MakeReport) -> None:
    rows = [row(2, "10.50", payment_id=1, invoice="INV-1"), row(3, 20, payment_id=2)]

    found = document(make_report(rows, [paid(1, "10.5"), paid(2, "19.99", party="Anna")]))

    assert {name: found[name] for name in list(found)[:9]} == {
        "version": 1,
        "agrees": False,
        "made_at": "2026-02-01T00:00:00.000000Z",
        "ledger": "books.csv",
        "direction": "received",
        "since": None,
        "until": None,
        "timezone": "UTC",
        "date_window": 3,
    }
    assert found["kinds"] == {
        "missing_at_paywint": 0,
        "missing_in_ledger": 0,
        "amount": 1,
        "status": 0,
        "duplicate": 0,
        "ambiguous": 0,
    }
    assert found["statements"] == [
        {
            "direction": "received",
            "ledger": {"count": 2, "amount": "30.50"},
            "steps": [
                {
                    "outcome": "agreed",
                    "ledger": {"count": 1, "amount": "10.50"},
                    "paywint": {"count": 1, "amount": "10.5"},
                    "amount": "0.00",
                },
                {
                    "outcome": "amount",
                    "ledger": {"count": 1, "amount": "20"},
                    "paywint": {"count": 1, "amount": "19.99"},
                    "amount": "-0.01",
                },
            ],
            "paywint": {"count": 2, "amount": "30.49"},
        }
    ]
    assert found["totals"]["ledger"][0] == {
        "direction": "received",
        "outcome": "agreed",
        "status": "success",
        "count": 1,
        "amount": "10.50",
    }
    assert found["differences"] == [
        {
            "kind": "amount",
            "evidence": "id",
            "direction": "received",
            "explanation": "the ledger has 0.01 more than Paywint",
            "rows": [
                {
                    "line": 3,
                    "payment_id": "00000000-0000-0000-0000-000000000002",
                    "invoice": None,
                    "description": None,
                    "amount": "20",
                    "date": "2026-01-01",
                    "status": "success",
                }
            ],
            "payments": [
                {
                    "payment_id": "00000000-0000-0000-0000-000000000002",
                    "amount": "19.99",
                    "date": "2026-01-01T12:00:00.000000Z",
                    "status": "success",
                    "party": "Anna",
                    "description": None,
                    "failure_reason": None,
                }
            ],
        }
    ]


@pytest.mark.parametrize("count", [0, 1, 1000, 1001, 2500])
def test_a_document_has_each_difference_on_a_line(make_report: MakeReport, count: int) -> None:
    report = make_report([], many(count))

    text = b"".join(json_chunks(report)).decode()

    assert len(json.loads(text)["differences"]) == count
    assert len(text.splitlines()) == count + 1 if count else 2


def test_text_that_looks_like_the_document_does_not_break_it(make_report: MakeReport) -> None:
    names = ['},{"kind"', "line\nbreak", "\u2028"]
    report = make_report([], [paid(n, party=name) for n, name in enumerate(names)])

    found = document(report)

    assert [each["payments"][0]["party"] for each in found["differences"]] == names


def test_a_ledgers_name_may_have_bytes_that_are_not_text(make_report: MakeReport) -> None:
    report = make_report(ledger=os.fsdecode(b"b\xffoks.csv"))

    assert document(report)["ledger"] == "b?oks.csv"
    assert b"<bdi>b?oks.csv</bdi>" in make_page(report)


# -- text ------------------------------------------------------------------------------------------


def test_the_text_shows_the_sums_and_each_difference(make_report: MakeReport) -> None:
    rows = [row(2, 9, payment_id=1), row(3, 9, payment_id=1), row(4, 5, invoice="INV-1")]

    lines = list(text_lines(make_report(rows, [paid(1, "1234.5"), paid(2, status="failed")]), 100))

    assert lines == [
        "RECEIVED             LEDGER         PAYWINT            DIFFERENCE",
        "amounts differ            1   9.00        1  1,234.50   +1,225.50",
        "twice in the ledger       1   9.00        0      0.00       -9.00",
        "missing at Paywint        1   5.00        0      0.00       -5.00",
        "total paid                3  23.00        1  1,234.50   +1,211.50",
        "",
        "matched: 1 by id",
        "",
        "set aside: payments not paid, with no ledger row: 1",
        "",
        *lines[10:14],
        "",
        "the books differ: 3 differences",
    ]
    assert [line.split()[:2] for line in lines[11:14]] == [
        ["missing", "at"],
        ["amount", "2"],
        ["duplicate", "3"],
    ]
    assert lines[12].endswith("9.00  1,234.50  the ledger has 1,225.50 less than Paywint")
    assert "00000000-0000-0000-0000-000000000001" in lines[12]


def test_the_limit_of_differences_is_kept_and_mentioned(make_report: MakeReport) -> None:
    lines = list(text_lines(make_report([], many(30)), 10))

    assert (
        sum(line.startswith("missing in the ledger  ") and "2026" in line for line in lines) == 10
    )
    assert "and 20 more: see --limit, --json and --html" in lines


def test_a_few_of_a_large_ambiguous_group_are_shown(make_report: MakeReport) -> None:
    lines = list(text_lines(make_report([row(2)], [paid(n) for n in range(1, 9)]), 10))

    assert sum("00000000-0000" in line for line in lines) == 5
    assert any("and 3 more" in line for line in lines)


@pytest.mark.parametrize("name", HOSTILE)
def test_control_characters_are_not_written_to_a_terminal(
    make_report: MakeReport, name: str
) -> None:
    rows = [row(2, payment_id=1, status=name), row(3, 7, description=name)]

    lines = list(text_lines(make_report(rows, [paid(1, status="failed", reason=name)]), 10))

    assert all(line.isprintable() for line in lines)


# -- HTML ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_and_only_the_pages_own_script_may_run(
    make_report: MakeReport, name: str
) -> None:
    rows = [
        row(2, 9, payment_id=1, description=name, status=name),
        row(3, 7, invoice=name),
        row(4, 7.5, description=name),
    ]
    payments = [
        paid(1, party=name, description=name),
        paid(2, 3, party=name),
        paid(3, 4, status=name),
    ]

    page = Page(make_page(make_report(rows, payments, ledger=name)))

    tags = [tag for tag, _ in page.elements]
    assert (tags.count("script"), tags.count("style"), tags.count("img")) == (1, 1, 0)
    assert not [
        values for _, values in page.elements if any(each.startswith("on") for each in values)
    ]
    shown = name.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    texts = "".join(page.text["bdi"]).replace("\x00", "\ufffd")
    assert shown in texts
    policy = next(values["content"] for tag, values in page.elements if "http-equiv" in values)
    for kind in ("script", "style"):
        digest = hashlib.sha256("".join(page.text[kind]).encode()).digest()
        assert f"{kind}-src 'sha256-{base64.b64encode(digest).decode()}';" in policy
    assert policy.startswith("default-src 'none'; ")


def test_the_page_loads_nothing(make_report: MakeReport) -> None:
    text = make_page(make_report([row(2, payment_id=9)], many(50))).decode()

    assert not re.search(r"(?:src|href)=|url\(|@import|https?://|\sstyle=", text)


@pytest.mark.parametrize("count", [0, 1, 12, 400])
def test_each_plot_is_a_drawing_with_a_title_and_its_numbers(
    make_report: MakeReport, count: int
) -> None:
    report = make_report([], many(count), direction="both")

    text = make_page(report).decode()

    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) == (5 if count else 0)
    for each in drawings:
        root = ElementTree.fromstring(each)
        title, description = root.find("title"), root.find("desc")
        assert title is not None
        assert description is not None
        assert root.attrib["aria-labelledby"] == f"{title.attrib['id']} {description.attrib['id']}"
        assert "nan" not in each.lower().replace("nano", "")
    assert text.count("<details>") == len(drawings)


def test_a_page_says_that_the_books_agree(make_report: MakeReport) -> None:
    text = make_page(make_report([row(2, payment_id=1)], [paid(1)])).decode()

    assert "The books agree</h1>" in text
    assert 'id="table"' not in text


def test_a_page_shows_the_first_differences_and_counts_the_rest(make_report: MakeReport) -> None:
    page = make_page(make_report([], many(3000)))

    assert Page(page).rows("differences") == 1000
    assert "Only the first 1,000 of 3,000 differences are in this table" in page.decode()
    assert len(page) < 1_500_000


def test_a_column_is_sorted_by_its_values_and_not_by_its_text(make_report: MakeReport) -> None:
    page = make_page(make_report([row(2, "1234567.50", payment_id=7)], [])).decode()

    assert 'data-key="1234567.50"><bdi>1,234,567.50</bdi></td>' in page


def test_a_page_is_written_atomically(make_report: MakeReport, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("last month's")
    os.link(target, tmp_path / "kept.html")

    write_html(make_report(), str(target))

    assert target.read_bytes().endswith(b"</html>")
    assert (tmp_path / "kept.html").read_text() == "last month's"
    assert sorted(os.listdir(tmp_path)) == ["kept.html", "report.html"]
    with pytest.raises(ExportError, match=r"cannot open .*nowhere"):
        write_html(make_report(), f"{tmp_path}/nowhere/report.html")


def test_amounts_are_shown_with_all_their_digits(make_report: MakeReport) -> None:
    amount = Decimal("70368744177664.1300000001")

    page = make_page(make_report([], [paid(1, amount)])).decode()

    assert "70,368,744,177,664.1300000001" in page
