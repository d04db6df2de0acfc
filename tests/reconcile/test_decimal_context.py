"""No amount depends on the caller's decimal context: three digits, and each rounding is an error."""

from __future__ import annotations

import decimal
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from account_server import account
from export_destinations import FILES, output_in, rows_in
from ledger_reading import Write, read
from ledger_shapes import workbook
from webhook_deliveries import clock, delivery

from paywint_async._doctor.records import _ratio
from paywint_async.export import make_table, reader, transfer
from paywint_async.export._dialects import _mysql_value
from paywint_async.reconcile import (
    Columns,
    LedgerFormat,
    ReconcileOptions,
    Report,
    json_chunks,
    make_page,
    reconcile,
    text_lines,
)
from paywint_async.webhooks import parse_event

LONG = Decimal("12345678.91")
MT940 = (
    ":20:X\n:25:1/2\n:28C:1/1\n:60F:C260101USD0,00\n"
    ":61:2601020102D12345678,91NTRFREF//1\n:86:a\n"
    ":61:2601020102RC12345678,91NTRFREF//2\n:86:b\n:62F:C260102USD0,00\n-\n"
)
CAMT = (
    "<Document><BkToCstmrStmt><Stmt><Ntry><Amt Ccy='USD'>12345678.91</Amt><CdtDbtInd>{0}</CdtDbtInd>"
    "<BookgDt><Dt>2026-01-02</Dt></BookgDt><NtryDtls>{1}</NtryDtls></Ntry></Stmt></BkToCstmrStmt>"
    "</Document>"
)
PARTS = "".join(f"<TxDtls><Amt>{each}</Amt></TxDtls>" for each in ("12345670.00", "8.91"))
OFX = (
    "<OFX><CURDEF>USD<STMTTRN><DTPOSTED>20260102<TRNAMT>-12345678.91<FITID>1<NAME>a</STMTTRN></OFX>"
)


def narrow() -> AbstractContextManager[Any]:
    errors = [decimal.Inexact, decimal.InvalidOperation]
    return decimal.localcontext(decimal.Context(prec=3, traps=errors))


@pytest.mark.parametrize(
    ("name", "data", "fee", "amounts"),
    [
        ("a.csv", "Date,Debit,Credit\n2026-01-02,,12345678.91\n2026-01-02,12345678.91,\n", "", 2),
        ("a.csv", "Date,Debit,Credit\n2026-01-02,-12345678.91,\n", "", 1),
        ("a.csv", "Date,Amount,Fee\n2026-01-02,12345677.80,1.11\n", "Fee", 1),
        ("a.csv", "Date,Amount,Fee\n2026-01-02,-12345680.02,-1.11\n", "Fee", 1),
        ("a.csv", "Description,Amount\na,12345678.91\nb,12345678.91\nTotal,24691357.82\n", "", 2),
        ("a.csv", 'Date,Amount\n2026-01-02,"(12,345,678.91)"\n', "", 1),
        ("a.jsonl", '{"date":"2026-01-02","amount":12345677.80,"f":1.11}\n', "f", 1),
        ("a.xlsx", workbook(["Date", "Debit", "Memo"], ["2026-01-02", 12345678.91, "a"]), "", 1),
        ("a.sta", MT940, "", 2),
        ("a.xml", CAMT.format("DBIT", ""), "", 1),
        ("a.ofx", OFX, "", 1),
    ],
)
def test_a_ledger_is_read_exactly(
    write: Write, name: str, data: str | bytes, fee: str, amounts: int
) -> None:
    path, columns = write(data, name), Columns(fee=fee or None)

    with narrow():
        rows = read(path, columns, direction="both")

    assert [row.amount for row in rows] == [LONG] * amounts
    assert rows == read(path, columns, direction="both")


def test_the_transactions_of_an_entry_add_up_exactly(write: Write) -> None:
    path = write(CAMT.format("CRDT", PARTS), "a.xml")

    with narrow():
        assert [row.amount for row in read(path)] == [Decimal("12345670.00"), Decimal("8.91")]


@pytest.mark.parametrize("header", ["id,amount,date", "id,debit,credit,date"])
async def test_a_comparison_is_exact(tmp_path: Path, header: str) -> None:
    path = tmp_path / "books.csv"
    async with account(100) as (_, client):
        paid = [each async for each in client.payments.received() if each.status == "success"]
        empty = "," if "debit" in header else ""
        rows = [f"{p.payment_id},{empty}{p.amount},{p.created_at:%Y-%m-%d}" for p in paid[5:]]
        rows += [f"{paid[4].payment_id},{empty}{paid[4].amount + LONG},2026-01-02"]
        path.write_text("\n".join([header, *rows, *rows[:2]]))
        options = ReconcileOptions(ledger=str(path), format=LedgerFormat())
        expected = await reconcile(client.payments, options)
        with narrow():
            report = await reconcile(client.payments, options)
            found = _shown(report)

    assert found == _shown(expected)
    assert len(report.result.differences) > 5


def _shown(report: Report) -> list[str]:
    report = attrs.evolve(report, made_at=datetime(2026, 1, 1, tzinfo=UTC))
    return [
        b"".join(json_chunks(report)).decode(),
        *text_lines(report, 1000),
        make_page(report).decode(),
    ]


@pytest.mark.parametrize(
    ("written", "unit", "amount"),
    [
        ("1234567891", "cents", LONG),
        ("12345678.91", "dollars", LONG),
        ("12345678.91", None, LONG),
        ("1234567891e-2", "dollars", LONG),
    ],
)
def test_the_amount_of_a_webhook_is_exact(written: str, unit: Any, amount: Decimal) -> None:
    body = delivery(amount=0).replace(b'"amount": 0', b'"amount": ' + written.encode())

    with narrow():
        assert parse_event(body, {}, clock=clock, amounts=unit).amount == amount


@pytest.mark.parametrize("kind", [*FILES, "parquet", "sqlite"])
async def test_an_export_is_exact(tmp_path: Path, kind: str) -> None:
    output = output_in(tmp_path, kind)
    async with account(20) as (_, client):
        expected = [str(each.amount) async for each in client.payments.received()]
        with narrow():
            await transfer(reader(client.payments, "received"), make_table(output, "received"))

    written = [row["amount"] for row in rows_in(output)]
    assert sorted(map(Decimal, written)) == sorted(map(Decimal, expected))


def test_mysql_gets_what_it_can_hold_and_nothing_is_rounded_before_that() -> None:
    with narrow():
        assert _mysql_value(LONG) == LONG
    for amount in ("12345678901234567890.123456789012", "12345678901234567890.0123456789000001"):
        with pytest.raises(ValueError, match="cannot hold"):
            _mysql_value(Decimal(amount))


async def test_the_emulator_adds_and_refunds_exactly() -> None:
    async with account(refunded_status="refunded") as (emulator, client):
        with narrow():
            link = await client.payments.create_link(amount=LONG)
            await emulator.pay(link.payment_id)
            await emulator.refund(link.payment_id, Decimal("12345678.90"))
            partial = (await client.payments.get(link.payment_id)).status
            await emulator.refund(link.payment_id, "0.01")
            payment = await client.payments.get(link.payment_id)

    assert (partial, payment.status, payment.amount) == ("success", "refunded", LONG)


@pytest.mark.parametrize("amount", ["0.001", "1E-30", "0", "-1", "NaN", "5.0100000000000000000001"])
async def test_the_emulator_refunds_whole_cents_only(amount: str) -> None:
    async with account() as (emulator, client):
        link = await client.payments.create_link(amount=LONG)
        await emulator.pay(link.payment_id)
        with narrow(), pytest.raises(ValueError, match="at most two decimals"):
            await emulator.refund(link.payment_id, amount)


@pytest.mark.parametrize(
    ("got", "words"), [("1234567891", "100 times"), ("12345678910", "1000 times"), ("1", "not")]
)
def test_the_doctor_compares_amounts_exactly(got: str, words: str) -> None:
    with narrow():
        assert _ratio(LONG, Decimal(got)) == words
