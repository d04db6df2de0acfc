"""The format of a ledger is detected from all of its rows; an ambiguous one is refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from ledger_reading import Write, read, refusal

from paywint_async.reconcile import Columns, LedgerFormat
from paywint_async.reconcile._date_forms import orders_of
from paywint_async.reconcile._ledger import OpenedLedger
from paywint_async.reconcile._number_forms import marks_of

# -- amounts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1,234.50", "1234.50"),
        ("$5", "5"),
        ("5 USD", "5"),
        ("USD 1,234.50", "1234.50"),
        ("US$-5.00", "-5.00"),
        ("(5.00)", "-5.00"),
        ("($1,234.50)", "-1234.50"),
        ("5.00-", "-5.00"),
        ("−5.00", "-5.00"),
        ("5.00 CR", "5.00"),
        ("5.00DR", "-5.00"),
        ("1 234.50", "1234.50"),
        ("1\u00a0234.50", "1234.50"),
        ("1'234.50", "1234.50"),
        ("12,34,567.89", "1234567.89"),
        ('="5.00"', "5.00"),
    ],
)
def test_an_amount_is_read_in_the_usual_formats(write: Write, text: str, amount: str) -> None:
    quoted = text.replace('"', '""')

    (row, _) = read(write(f'date,amount\n,"{quoted}"\n,1.99\n'), direction="both")

    wanted = Decimal(amount)
    assert (row.amount, row.direction) == (abs(wanted), "sent" if wanted < 0 else "received")


@pytest.mark.parametrize(
    ("texts", "amounts"),
    [
        (["44.300", "2.71"], ["44.300", "2.71"]),
        (["44.300", "2,71"], ["44300", "2.71"]),
        (["44,300", "2.71"], ["44300", "2.71"]),
        (["44,300", "2,71"], ["44.300", "2.71"]),
        (["1.234.567", "2"], ["1234567", "2"]),
        (["44.300", "0.125"], ["44.300", "0.125"]),
    ],
)
def test_one_amount_decides_how_the_others_are_read(
    write: Write, texts: list[str], amounts: list[str]
) -> None:
    rows = read(write("date,amount\n" + "".join(f',"{text}"\n' for text in texts)))

    assert [row.amount for row in rows] == [Decimal(each) for each in amounts]


def test_an_amount_after_many_rows_decides_the_format(write: Write) -> None:
    text = "date,amount\n" + ',"44.300"\n' * 3000 + ',"2,71"\n'

    assert read(write(text))[0].amount == 44_300


@pytest.mark.parametrize("text", ["44.300", "44,300"])
def test_an_ambiguous_amount_is_refused(write: Write, text: str) -> None:
    path = write(f'date,amount\n,"{text}"\n,7\n')

    assert refusal(path) == (
        f", column 'amount': {text!r} in line 2 can mean "
        + ("44.300 or 44300" if text == "44.300" else "44300 or 44.300")
        + ", and no other value decides it; --decimal-mark . or --decimal-mark , does"
    )
    assert {read(path, decimal_mark=mark)[0].amount for mark in ".,"} == {
        Decimal("44.300"),
        Decimal(44_300),
    }


def test_amounts_that_contradict_each_other_are_refused(write: Write) -> None:
    assert refusal(write('date,amount\n,1.50\n,"1,5"\n')) == (
        ", column 'amount': '1.50' in line 2 and '1,5' in line 3 contradict each other (decimal mark); "
        "--decimal-mark . or --decimal-mark ,"
    )


@pytest.mark.parametrize("text", ["1_000", "1e3", "NaN", "", "$", "1$000", "5-5", "1,2,3"])
def test_a_text_that_is_no_amount_has_no_reading(text: str) -> None:
    assert marks_of(text) == {}


# -- dates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["03/04/2026", "31/01/2026"], [date(2026, 4, 3), date(2026, 1, 31)]),
        (["03/04/2026", "01/31/2026"], [date(2026, 3, 4), date(2026, 1, 31)]),
        (["3.4.2026", "5.6.2026"], [date(2026, 4, 3), date(2026, 6, 5)]),
        (["03.04.26", "05.06.26"], [date(2026, 4, 3), date(2026, 6, 5)]),
        (["20260403", "20260131"], [date(2026, 4, 3), date(2026, 1, 31)]),
        (["27/01/15", "02/01/15"], [date(2015, 1, 27), date(2015, 1, 2)]),
        (["15/01/27", "15/01/02"], [date(2015, 1, 27), date(2015, 1, 2)]),
        (["2026/04/03", "2026/01/31"], [date(2026, 4, 3), date(2026, 1, 31)]),
        (["Apr 3, 2026", "31-Jan-2026"], [date(2026, 4, 3), date(2026, 1, 31)]),
        (["4/3/2026 11:59 PM", "1/31/2026 12:00 AM"], [date(2026, 4, 3), date(2026, 1, 31)]),
        (["01/01/2026", "02/02/2026"], [date(2026, 1, 1), date(2026, 2, 2)]),
    ],
)
def test_all_dates_together_decide_the_order(
    write: Write, texts: list[str], days: list[date]
) -> None:
    rows = read(write("date,amount\n" + "".join(f'"{text}",1\n' for text in texts)))

    assert [row.day for row in rows] == days


def test_ambiguous_dates_are_refused(write: Write) -> None:
    path = write("date,amount\n03/04/2026,1\n05/06/2026,1\n")

    assert refusal(path) == (
        ", column 'date': '03/04/2026' in line 2 can mean 2026-04-03 or 2026-03-04, and no other "
        "value decides it; --date-format dmy or --date-format mdy does"
    )
    assert read(path, date_format="dmy")[0].day == date(2026, 4, 3)
    assert read(path, date_format="mdy")[0].day == date(2026, 3, 4)
    assert read(path, date_format="%d/%m/%Y")[0].day == date(2026, 4, 3)


def test_dates_that_contradict_each_other_are_refused(write: Write) -> None:
    problem = refusal(write("date,amount\n31/01/2026,1\n01/31/2026,1\n"))

    assert "'31/01/2026' in line 2 and '01/31/2026' in line 3 contradict each other" in problem
    assert problem.endswith("--date-format dmy or --date-format mdy")


def test_a_date_that_contradicts_the_first_thousand_rows_is_refused(
    write: Write,
) -> None:
    text = "date,amount\n" + "31/01/2026,1.50\n" * 1500 + "01/31/2026,1.50\n"

    assert refusal(write(text)) == (
        ", line 1502, column 'date': '01/31/2026' is not a date of the form day/month/year"
    )


@pytest.mark.parametrize(
    "text", ["2026-02-30", "TOTAL", "31/31/2026", "1/2/3", "0/1/2026", "1/2/1026"]
)
def test_an_invalid_date_has_no_reading(text: str) -> None:
    assert orders_of(text) == {}


# -- the file --------------------------------------------------------------------------------------


def notes(path: str, **settings: object) -> list[str]:
    opened = OpenedLedger(path, LedgerFormat(**settings))  # type: ignore[arg-type]
    assert list(opened.read())
    return opened.notes()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("date,description,amount\n,Müller,1\n".encode("cp1252"), "text in Windows-1252"),
        ("date,description,amount\n,Müller,1\n".encode("utf-16"), "text in UTF-16"),
        ("date,description,amount\n,Müller,1\n".encode("utf-16-le"), "text in UTF-16-LE"),
        ("date;description;amount\n;Müller;1\n".encode(), "delimiter ';'"),
        ("date\tdescription\tamount\n\tMüller\t1\n".encode(), "delimiter tab"),
        (b"Report\n\ndate,amount\n,1\n", "header in line 3"),
    ],
)
def test_the_detected_file_format_is_reported(write: Write, data: bytes, found: str) -> None:
    assert notes(write(data))[0] == f"detected: {found}"


def test_a_byte_order_mark_and_plain_text_need_no_note(write: Write) -> None:
    assert notes(write("\ufeffdate,description,amount\n,Müller,1.50\n")) == []


def test_a_given_encoding_is_used(write: Write) -> None:
    path = write("date,description,amount\n,Мюллер,1\n".encode("koi8-r"))

    assert read(path, encoding="koi8-r")[0].description == "Мюллер"


def test_the_header_is_where_most_names_are(write: Write) -> None:
    path = write("Description,Amount\nopening,5\n\nDate,Description,Amount\n2026-01-01,a,1.50\n")

    assert [row.amount for row in read(path)] == [Decimal("1.50")]


def test_a_given_header_line_is_used(write: Write) -> None:
    path = write("Date,Description,Amount\nDate,Amount,Description\n2026-01-01,1.50,a\n")

    assert [row.description for row in read(path, header_line=2)] == ["a"]
    assert "has nothing in line 9, see --header-line" in refusal(path, header_line=9)


def test_without_a_header_columns_are_named_by_their_number(write: Write) -> None:
    path = write("2026-01-01,a,1.50\n2026-01-02,b,2\n")

    rows = read(path, Columns(date="1", description="2", amount="3"), header_line=0)

    assert [(row.description, row.amount) for row in rows] == [("a", Decimal("1.50")), ("b", 2)]


def test_an_ambiguous_delimiter_is_refused(write: Write) -> None:
    problem = refusal(write("date,amount,;date;amount\n"))

    assert (
        problem == ": can be read with the delimiter ',' and with ';'; choose one with --delimiter"
    )


# -- rows that are no payments ---------------------------------------------------------------------


def test_sections_footers_totals_and_repeated_headers_are_skipped_and_reported(
    write: Write,
) -> None:
    path = write(
        "date,description,amount\n"
        "Checking,,\n"
        "2026-01-01,Rent,1.50\n"
        ",,\n"
        "date,description,amount\n"
        "2026-01-02,Total Energy,2\n"
        "Total for Checking,,3.50\n"
        "2026-01-03,Closing balance,\n"
        '"Saturday, Jan 31, 2015 09:00 AM"\n'
    )

    assert [row.place for row in read(path)] == [3, 6]
    assert notes(path) == [
        "skipped 2 rows with neither date nor amount (lines 2, 9)",
        "skipped 1 row that repeat the names of the columns (line 5)",
        "skipped 2 rows with totals or balances (lines 7, 8)",
    ]


def test_without_dates_a_total_is_recognised_by_its_sum(write: Write) -> None:
    path = write("description,amount\nRent,1.50\nTotal Energy,2\nTotal,3.50\n")

    assert [row.place for row in read(path)] == [2, 3]


def test_a_row_with_an_id_is_never_skipped(write: Write) -> None:
    path = write("payment_id,date,amount\nd4211545-cfc9-4aa0-8fcc-e4c2639e8052,,\n")

    assert "line 2, column 'amount': '' is not an amount: it is empty" in refusal(path)


def test_a_dash_is_an_empty_amount(write: Write) -> None:
    (row,) = read(write("date,debit,credit\n2026-01-01,-,1.50\n"))

    assert (row.direction, row.amount) == ("received", Decimal("1.50"))


# -- debits, credits, directions, fees, ids --------------------------------------------------------


def test_credit_is_received_and_debit_is_sent_unless_the_options_swap_them(write: Write) -> None:
    path = write("date,Debit,Credit\n2026-01-01,1.50,\n2026-01-02,,2.50\n")
    swapped = Columns(debit="Credit", credit="Debit")

    directions = [[row.direction for row in read(path, each)] for each in (None, swapped)]

    assert directions == [["sent", "received"], ["received", "sent"]]


def test_debits_may_be_negative_in_their_column(write: Write) -> None:
    path = write("date,debit,credit\n2026-01-01,-1.50,0.00\n2026-01-02,0,2.50\n")

    assert [(row.direction, str(row.amount)) for row in read(path)] == [
        ("sent", "1.50"),
        ("received", "2.50"),
    ]


def test_a_row_of_both_debit_and_credit_is_refused(write: Write) -> None:
    assert refusal(write("date,debit,credit\n2026-01-01,1,2\n")).startswith(
        ", line 2, column 'debit': '1' and the other column has an amount, too"
    )


@pytest.mark.parametrize("words", [("CR", "DR"), ("Credit", "Debit"), ("H", "S")])
def test_a_column_of_direction_words_gives_the_direction(
    write: Write, words: tuple[str, str]
) -> None:
    rows = read(write(f"date,amount,Type\n,1.50,{words[0]}\n,2.50,{words[1]}\n"), direction="both")

    assert [row.direction for row in rows] == ["received", "sent"]


def test_a_column_with_other_words_gives_no_direction(write: Write) -> None:
    assert read(write("date,amount,Type\n,1.50,Debit\n,2.50,Payment\n"))[0].direction == "received"


@pytest.mark.parametrize("fees", [("0.30", "0.00"), ("-0.30", "")])
def test_a_fee_is_added_back_whatever_its_sign(write: Write, fees: tuple[str, str]) -> None:
    path = write(f"date,Net,Fee\n,2.41,{fees[0]}\n,5.00,{fees[1]}\n")

    rows = read(path, Columns(amount="Net", fee="Fee"))

    assert [(row.amount, row.fee) for row in rows] == [
        (Decimal("2.71"), Decimal("0.30")),
        (Decimal("5.00"), 0),
    ]


def test_a_column_of_another_name_is_used_if_all_its_values_are_ids(write: Write) -> None:
    identity = "{D4211545-CFC9-4AA0-8FCC-E4C2639E8052}"

    (row, _) = read(write(f"Reference,amount,date\n{identity},1.50,\n,2,\n"))
    (other, _) = read(write(f"Reference,amount,date\n{identity},1.50,\nA-1,2,\n"))

    assert str(row.payment_id) == identity.strip("{}").lower()
    assert other.payment_id is None


def test_ids_in_two_columns_are_refused(write: Write) -> None:
    identity = "d4211545-cfc9-4aa0-8fcc-e4c2639e8052"

    assert refusal(write(f"ID,Reference,amount\n{identity},{identity},1.50\n")) == (
        ": has ids in 'ID' and 'Reference'; --id-column says which are Paywint's"
    )


def test_an_unused_column_of_ids_is_reported(write: Write) -> None:
    path = write("Token,amount,date\nd4211545-cfc9-4aa0-8fcc-e4c2639e8052,1.50,\n")

    assert "not used, though it looks like ids of payments: 'Token' (--id-column)" in notes(path)
