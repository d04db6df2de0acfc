"""`paywint reconcile`: how a ledger is read, and the options that decide it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import openpyxl
import pytest
from comparison_samples import kinds
from fixed_account import Paid, month, serve_account
from ledger_shapes import SHAPES

Command = Callable[..., Any]


@pytest.fixture
def payments(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Paid]]:
    """The account's payments; the command reads this account."""
    made = month()
    with serve_account(made) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield made


def write(folder: Path, name: str, payments: list[Paid]) -> Path:
    path = folder / SHAPES[name].file
    path.write_bytes(SHAPES[name].make(payments))
    return path


# -- explaining ------------------------------------------------------------------------------------


def test_a_ledger_is_explained_without_an_account(paywint: Command, tmp_path: Path) -> None:
    path = write(tmp_path, "german_bank", month())

    outcome = paywint("reconcile", path, "--explain")

    lines = outcome.out.splitlines()
    told = dict(line.split("  ", 1) for line in lines[: lines.index("")])
    assert (outcome.code, outcome.err) == (0, "")
    assert {name: text.strip() for name, text in told.items()} == {
        "kind": "text with separated values",
        "encoding": "Windows-1252 (detected)",
        "delimiter": "; (detected)",
        "header": "line 1 (detected)",
        "description column": "'Verwendungszweck' (detected)",
        "amount column": "'Betrag' (detected)",
        "date column": "'Buchungstag' (detected)",
        "currency column": "'Währung' (detected)",
        "dates": "day/month/year (detected)",
        "amounts": "decimal comma (detected)",
        "sign": "negative amounts were sent, others received",
        "not used": "'Valutadatum'",
        "rows": "40 received, 1 sent",
    }
    assert sum(line.startswith("line ") for line in lines) == 3


def test_the_explanation_shows_the_sign_of_debit_and_credit(
    paywint: Command, tmp_path: Path
) -> None:
    path = write(tmp_path, "quickbooks_desktop", month())

    plain = paywint("reconcile", path, "--explain").out
    swapped = paywint(
        *("reconcile", path, "--explain", "--debit-column", "Credit", "--credit-column", "Debit")
    ).out

    assert "'Credit' is received, 'Debit' is sent" in plain
    assert "rows                40 sent" in plain
    assert "'Debit' is received, 'Credit' is sent" in swapped
    assert "rows                40 received" in swapped


def test_an_undecidable_ledger_is_refused_by_explain_as_well(
    paywint: Command, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("date,amount\n03/04/2026,1.50\n")

    outcome = paywint("reconcile", path, "--explain")

    assert (outcome.code, outcome.out) == (1, "")
    assert "--date-format dmy or --date-format mdy does" in outcome.err


# -- hints -----------------------------------------------------------------------------------------


def test_a_ledger_whose_debits_are_received_payments_gets_the_right_hint(
    paywint: Command, tmp_path: Path, payments: list[Paid]
) -> None:
    path = write(tmp_path, "quickbooks_desktop", payments)

    outcome = paywint("reconcile", path)

    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.endswith(
        "all 40 rows are of sent payments by their debit and credit columns, and received ones "
        "are compared; --debit-column 'Credit' --credit-column 'Debit' swaps the two, "
        "as QuickBooks Desktop needs\n"
    )


def test_detected_settings_are_one_line_on_stderr(
    paywint: Command, tmp_path: Path, payments: list[Paid]
) -> None:
    outcome = paywint("reconcile", write(tmp_path, "german_bank", payments))

    found, conclusion = outcome.err.splitlines()
    assert outcome.code == 0
    assert found.startswith(
        "paywint: detected: text in Windows-1252, delimiter ';', dates as day/month/year, amounts "
        "with a decimal comma; columns: "
    )
    assert "not used: 'Valutadatum'" in found
    assert conclusion.startswith("paywint: the books agree")


# -- profiles --------------------------------------------------------------------------------------


def test_a_profile_decides_what_the_next_ledger_leaves_undecided(
    paywint: Command, tmp_path: Path, payments: list[Paid]
) -> None:
    profile = tmp_path / "xero.toml"
    path = write(tmp_path, "xero", payments)
    assert paywint("reconcile", path, "--save-profile", profile).code == 0
    path = write(tmp_path, "xero", [each for each in payments if each.when.day < 12])

    alone = paywint("reconcile", path)
    outcome = paywint("reconcile", path, "--profile", profile, "--until", "2015-01-11")

    assert (alone.code, outcome.code) == (1, 0)


def test_a_saved_profile_has_the_given_and_the_detected_settings(
    paywint: Command, tmp_path: Path
) -> None:
    profile, path = tmp_path / "a.toml", write(tmp_path, "german_bank", month())

    paywint(
        *("reconcile", path, "--explain", "--save-profile", profile),
        *("--description-column", "", "--paid-status", "gebucht"),
    )

    assert tomllib.loads(profile.read_text()) == {
        "delimiter": ";",
        "date-format": "dmy",
        "decimal-mark": ",",
        "date-column": "Buchungstag",
        "amount-column": "Betrag",
        "currency-column": "Währung",
        "description-column": "",
        "paid-status": ["gebucht"],
    }


def test_an_option_overrides_the_profile(paywint: Command, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('date_format = "mdy"\nheader-line = 1\n')
    (tmp_path / "a.csv").write_text("date,amount\n03/04/2026,1.50\n")
    command = ("reconcile", tmp_path / "a.csv", "--explain", "--profile", tmp_path / "a.toml")

    assert "on 2026-03-04" in paywint(*command).out
    assert "on 2026-04-03" in paywint(*command, "--date-format", "dmy").out


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("date-format", "is not a valid TOML profile"),
        ('datum = "dmy"', "has the unknown key 'datum'; known are id-column, "),
        ("date-format = 1", "has an invalid value: date-format = 1"),
        ('header-line = "1"', "has an invalid value: header-line = '1'"),
        ('decimal-mark = ";"', "has an invalid value: decimal-mark = ';'"),
        ("paid-status = [1]", "has an invalid value: paid-status = [1]"),
    ],
)
def test_an_invalid_profile_is_refused(
    paywint: Command, tmp_path: Path, text: str, wanted: str
) -> None:
    (tmp_path / "a.toml").write_text(text)

    outcome = paywint("reconcile", "a.csv", "--explain", "--profile", tmp_path / "a.toml")

    assert (outcome.code, outcome.out) == (1, "")
    assert f"a.toml: {wanted}" in outcome.err


# -- what the report shows -------------------------------------------------------------------------


def test_a_difference_shows_the_original_line_of_the_ledger(
    paywint: Command, tmp_path: Path, payments: list[Paid]
) -> None:
    extra = Paid(
        payment_id=payments[0].payment_id,
        amount=Decimal("7777.77"),
        when=payments[20].when,
        description="Two\nlines",
        payer="Nobody",
    )
    path = write(tmp_path, "quickbooks_online", [*payments[:3], extra, *payments[3:]])
    page = tmp_path / "a.html"

    outcome = paywint("reconcile", path, "--json", "--html", page)

    (difference,) = json.loads(outcome.out)["differences"]
    (row,) = difference["rows"]
    day = f"{extra.when:%m/%d/%Y}"
    source = f'{day},Payment,1003,Nobody,"Two\nlines",Undeposited,"7,777.77",'
    lines = path.read_text().replace("\r\n", "\n").split("\n")
    assert row["source"].replace("\r\n", "\n") == source
    assert lines[row["line"] - 1] == source.split("\n")[0]
    assert "Undeposited,&#34;7,777.77&#34;," in page.read_text()


def test_fees_are_a_line_of_the_statement(
    paywint: Command, tmp_path: Path, payments: list[Paid]
) -> None:
    path, options = (
        write(tmp_path, "stripe_net_of_fees", payments),
        SHAPES["stripe_net_of_fees"].options,
    )

    outcome = paywint("reconcile", path, *options, "--json")

    told = json.loads(outcome.out)
    (statement,) = told["statements"]
    steps = {each["outcome"]: each for each in statement["steps"]}
    net = sum(each.amount - Decimal("0.30") for each in payments)
    assert (outcome.code, kinds(told)) == (0, {})
    assert steps["fees"]["amount"] == "12.00"
    assert Decimal(statement["ledger"]["amount"]) == net
    assert sum(Decimal(each["ledger"]["amount"]) for each in statement["steps"]) == net
    assert "fees deducted in the ledger" in paywint("reconcile", path, *options).out


def test_payouts_are_reported_in_every_report(
    paywint: Command, tmp_path: Path, payments: list[Paid]
) -> None:
    days = sorted({each.when.date() for each in payments})
    runs = [days[start : start + 3] for start in range(0, len(days), 3)]
    lines = []
    for run in runs:
        total = sum(each.amount for each in payments if each.when.date() in run)
        lines.append(f"{run[-1]},Payout,{total}")
    path, page = tmp_path / "a.csv", tmp_path / "a.html"
    path.write_text("\n".join(["date,description,amount", *lines]))

    outcome = paywint("reconcile", path, "--html", page)
    told = json.loads(paywint("reconcile", path, "--json").out)

    sentence = f"line 2 of {runs[0][-1]} with "
    assert (outcome.code, told["matched_by"]["payout"]) == (0, len(runs))
    assert [each["until"] for each in told["payouts"]] == [str(run[-1]) for run in runs]
    assert sum(len(each["payment_ids"]) for each in told["payouts"]) == len(payments)
    assert f"\n{sentence}" in outcome.out
    assert sentence.capitalize() in page.read_text()


def test_the_report_counts_the_matches_by_evidence(
    paywint: Command, tmp_path: Path, payments: list[Paid]
) -> None:
    rows = [f"{payments[0].payment_id},,,{payments[0].amount}"]
    rows += [f",{each.when.date()},,{each.amount}" for each in payments[1:3]]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["payment_id,date,description,amount", *rows]))

    outcome = paywint("reconcile", path)

    assert "matched: 1 by id, 2 by amount and date" in outcome.out


# -- Excel -----------------------------------------------------------------------------------------


def test_one_of_several_sheets_with_tables_must_be_chosen(paywint: Command, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "January"
    for sheet in (book.active, book.create_sheet("February")):
        sheet.append(["date", "amount"])
        sheet.append(["2015-01-01", 1.5])
    book.create_sheet("Notes").append(["nothing"])
    path = tmp_path / "a.xlsx"
    book.save(path)

    outcome = paywint("reconcile", path, "--explain")

    assert outcome.code == 1
    assert "has tables in the sheets 'January', 'February'; choose one with --sheet" in outcome.err
    assert paywint("reconcile", path, "--explain", "--sheet", "february").code == 0
    assert "there are 'January', 'February', 'Notes'" in (
        paywint("reconcile", path, "--explain", "--sheet", "March").err
    )


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--encoding", "klingon"), "--encoding: 'klingon' is not a known encoding"),
        (("--encoding", "rot13"), "--encoding: 'rot13' is not a known encoding"),
        (("--date-format", "german"), "is neither dmy, mdy, ymd nor a pattern with % in it"),
        (("--decimal-mark", ";"), "decimal-mark"),
        (("--header-line", "-1"), "is not a whole number"),
        (("--save-profile", "."), "--save-profile must be the name of a file"),
        (("--save-profile", "./no.csv"), "--save-profile must not be the ledger"),
    ],
)
def test_invalid_ledger_options_are_wrong_usage(
    paywint: Command, options: tuple[str, ...], word: str
) -> None:
    outcome = paywint("reconcile", "no.csv", "--explain", *options)

    assert (outcome.code, outcome.out) == (2, "")
    assert word in outcome.err


# -- equal amounts ---------------------------------------------------------------------------------


@pytest.fixture
def subscriptions(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Paid]]:
    """An account that received 50.00 on each day, and on every third day twice."""
    made = [
        Paid(
            payment_id=UUID(int=number),
            amount=Decimal("50.00"),
            when=datetime(2026, 5, 1, 9, tzinfo=UTC) + timedelta(days=number * 3 // 4),
            description="",
            payer=f"Customer {number}",
        )
        for number in range(39, -1, -1)
    ]
    with serve_account(made) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield made


def bank_statement(folder: Path, payments: list[Paid]) -> Path:
    path = folder / "bank.csv"
    lines = [f"{each.when:%d.%m.%Y};{each.payer};50,00" for each in reversed(payments)]
    path.write_text("\n".join(["Buchungstag;Auftraggeber;Betrag", *lines]))
    return path


def test_equal_amounts_of_a_ledger_agree_day_by_day(
    paywint: Command, tmp_path: Path, subscriptions: list[Paid]
) -> None:
    path = bank_statement(tmp_path, subscriptions)

    outcome = paywint("reconcile", path)

    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "the books agree")
    assert "matched: 40 by amount day by day" in outcome.out
    told = json.loads(paywint("reconcile", path, "--json").out)
    assert told["matched_by"]["amount_and_day"] == 40


def test_the_ledger_of_a_month_agrees_though_equal_payments_follow_it(
    paywint: Command, tmp_path: Path, subscriptions: list[Paid]
) -> None:
    week = [each for each in subscriptions if 10 <= each.when.day <= 16]
    path = bank_statement(tmp_path, week)

    outcome = paywint("reconcile", path, "--since", "2026-05-10", "--until", "2026-05-16")

    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "the books agree")


def test_a_day_that_disagrees_leaves_equal_amounts_ambiguous(
    paywint: Command, tmp_path: Path, subscriptions: list[Paid]
) -> None:
    path = bank_statement(tmp_path, [*subscriptions[:5], *subscriptions[6:]])

    told = json.loads(paywint("reconcile", path, "--json").out)

    assert kinds(told) == {"ambiguous": 1}
    assert told["statements"][0]["steps"][-1]["amount"] == "50.00"
    (group,) = told["differences"]
    assert group["evidence"] == "amount_and_date"
    assert (len(group["rows"]), len(group["payments"])) == (39, 40)


def test_the_day_of_a_payment_is_that_of_the_time_zone_whatever_offset_the_api_gives(
    paywint: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = datetime(2015, 1, 5, 12, tzinfo=UTC)
    night = datetime(2015, 1, 5, 1, 30, tzinfo=timezone(timedelta(hours=2)))  # the 4th in UTC
    made = [
        Paid(
            payment_id=UUID(int=number),
            amount=Decimal("50.00"),
            when=noon if number == 9 else night,
            description="",
            payer="Ann",
        )
        for number in (9, 3, 2, 1)
    ]
    path = tmp_path / "ids.csv"
    rows = [f"{each.payment_id},50.00,{each.when.astimezone(UTC).isoformat()}" for each in made]
    path.write_text("\n".join(["payment_id,amount,date", *rows]))
    with serve_account(made) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        outcome = paywint("reconcile", path, "--since", "2015-01-05", "--until", "2015-01-05")

    (agreed,) = [line.split() for line in outcome.out.splitlines() if line.startswith("agree ")]
    assert (outcome.code, agreed) == (0, ["agree", "1", "50.00", "1", "50.00", "0.00"])
