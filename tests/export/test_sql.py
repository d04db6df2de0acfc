"""Databases: exact columns, one transaction for data and checkpoint, and no password in any message."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from export_destinations import KINDS, output_in

from paywint_async import ConfigurationError, Payment, PaymentStatus, PaywintClient
from paywint_async.emulator import Emulator
from paywint_async.export import ExportError, display_name, make_table, reader, transfer

Read = Callable[..., Any]
Make = Callable[..., Payment]

SECRET = "correct-horse"


@contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / "payments.db")) as connection:
        yield connection


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder}/payments.db"


async def export(emulator: Emulator, output: str, direction: str) -> None:
    keys = emulator.api_key, emulator.api_secret
    async with PaywintClient(*keys, base_url=emulator.url) as client:
        await transfer(reader(client.payments, direction), make_table(output, direction))


async def fill(output: str, *pages: Any, direction: str = "sent") -> Any:
    table = make_table(output, direction)
    try:
        start = await table.open()
        for number, page in enumerate(pages):
            await table.write(page)
            await table.commit({"delivered": number})
    finally:
        await table.close(complete=False)
    return start


async def test_sqlite_has_amounts_as_their_digits_and_times_that_sort(
    tmp_path: Path, payment: Make
) -> None:
    exact = payment(1, amount=Decimal("9007199254740993.370"))

    await fill(url_in(tmp_path), [exact])

    with opened(tmp_path) as database:
        found = database.execute(
            "SELECT amount, typeof(amount), created_at, datetime(created_at) FROM paywint_payments"
        ).fetchone()
    assert found == (
        "9007199254740993.370",
        "text",
        "2025-01-01T00:01:00.000000Z",
        "2025-01-01 00:01:00",
    )


async def test_sqlite_has_amounts_without_an_exponent(tmp_path: Path, payment: Make) -> None:
    await fill(url_in(tmp_path), [payment(1, amount=Decimal("0.0000001"))])

    with opened(tmp_path) as database:
        found = database.execute("SELECT amount FROM paywint_payments").fetchone()
    assert found == ("0.0000001",)


async def test_the_first_year_has_four_digits_too(tmp_path: Path, payment: Make) -> None:
    await fill(url_in(tmp_path), [payment(1, created_at=datetime(1, 1, 1, tzinfo=UTC))])

    with opened(tmp_path) as database:
        found = database.execute("SELECT created_at FROM paywint_payments").fetchone()
    assert found == ("0001-01-01T00:00:00.000000Z",)


async def test_a_time_beyond_the_calendar_of_utc_is_refused(tmp_path: Path, payment: Make) -> None:
    wrong = payment(1, created_at=datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))))

    with pytest.raises(ExportError) as caught:
        await fill(url_in(tmp_path), [wrong])

    assert str(caught.value) == (
        f"cannot write payment {wrong.payment_id} into {url_in(tmp_path)}: date value out of range"
    )


async def test_a_repeated_payment_replaces_its_row(tmp_path: Path, payment: Make) -> None:
    await fill(url_in(tmp_path), [payment(1), payment(2)], [payment(2, description="corrected")])

    with opened(tmp_path) as database:
        rows = database.execute("SELECT description FROM paywint_payments ORDER BY payment_id")
        assert [text for (text,) in rows] == ["Rent, June", "corrected"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE paywint_checkpoints SET listing = '{'",
        "UPDATE paywint_checkpoints SET listing = '[]'",
        "UPDATE paywint_checkpoints SET listing = x'ff'",
        "UPDATE paywint_checkpoints SET listing = 5",
        "UPDATE paywint_checkpoints SET revision = 'x'",
    ],
)
async def test_a_damaged_checkpoint_is_reported(tmp_path: Path, payment: Make, damage: str) -> None:
    await fill(url_in(tmp_path), [payment(1)])
    with opened(tmp_path) as database, database:
        database.execute(damage)

    with pytest.raises(ExportError) as caught:
        await fill(url_in(tmp_path))

    assert str(caught.value) == (
        f"{url_in(tmp_path)}: what paywint_checkpoints has of 'sent' is not an export's checkpoint"
    )


async def test_an_invalid_id_is_reported(tmp_path: Path, payment: Make) -> None:
    await fill(url_in(tmp_path), [payment(1, status=PaymentStatus.PENDING)])
    with opened(tmp_path) as database, database:
        database.execute("UPDATE paywint_payments SET payment_id = 'none'")
    table = make_table(url_in(tmp_path), "sent")
    await table.open()

    with pytest.raises(ExportError, match=f"^cannot read {url_in(tmp_path)}: badly formed"):
        _ = [ids async for ids in table.pending()]

    await table.close(complete=False)


@pytest.mark.parametrize("loss", ["DELETE FROM paywint_payments", "DROP TABLE paywint_payments"])
@pytest.mark.parametrize("direction", ["sent", "both"])
async def test_a_database_whose_payments_are_all_gone_is_reported(
    tmp_path: Path, loss: str, direction: str
) -> None:
    async with Emulator(hostile=True, payments=20) as emulator:
        await export(emulator, url_in(tmp_path), direction)
        with opened(tmp_path) as database, database:
            database.execute(loss)

        with pytest.raises(ExportError, match=f"^{url_in(tmp_path)} has no payments, but "):
            await export(emulator, url_in(tmp_path), direction)

        with opened(tmp_path) as database, database:
            database.execute("DELETE FROM paywint_checkpoints")
        await export(emulator, url_in(tmp_path), direction)
    with opened(tmp_path) as database:
        count = database.execute("SELECT count(*) FROM paywint_payments").fetchone()
    assert count == (20 if direction == "sent" else 40,)


async def test_each_direction_has_a_checkpoint_of_its_own(tmp_path: Path, payment: Make) -> None:
    await fill(url_in(tmp_path), [payment(1)], direction="sent")

    assert await fill(url_in(tmp_path), [payment(1)], direction="received") is None

    assert await fill(url_in(tmp_path), direction="sent") == {"delivered": 0}
    with opened(tmp_path) as database:
        assert database.execute("SELECT count(*) FROM paywint_payments").fetchone() == (2,)


@pytest.mark.parametrize("kind", [each for each in KINDS if "sql" in each])
def test_each_direction_may_begin_a_new_database_at_once(tmp_path: Path, kind: str) -> None:
    output = output_in(tmp_path, kind)

    async def begin_all() -> list[Any]:
        directions = ("sent", "received", "both")
        return await asyncio.gather(*(fill(output, direction=each) for each in directions))

    assert asyncio.run(begin_all()) == [None, None, None]


async def test_a_table_does_not_report_open_payments_of_the_other_direction(
    tmp_path: Path, payment: Make
) -> None:
    await fill(url_in(tmp_path), [payment(1, status=PaymentStatus.PENDING)], direction="received")
    table = make_table(url_in(tmp_path), "sent")
    await table.open()

    assert [ids async for ids in table.pending()] == []
    assert await table.refresh([payment(1)]) == 0

    await table.close(complete=True)


async def test_the_checkpoint_always_fits_the_visible_rows(tmp_path: Path, read: Read) -> None:
    seen = []

    def check(done: int, total: int | None) -> None:
        with opened(tmp_path) as database:
            (count,) = database.execute("SELECT count(*) FROM paywint_payments").fetchone()
            listing = database.execute("SELECT listing FROM paywint_checkpoints").fetchone()
        assert listing == (f'{{"delivered": {count}}}',)
        seen.append(count)

    await transfer(read(), make_table(url_in(tmp_path), "sent"), commit_every=0, on_progress=check)

    assert seen == [*range(10, 205, 10), 205]


async def test_a_missing_directory_is_reported(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/missing/payments.db"

    with pytest.raises(ExportError) as caught:
        await fill(url)

    assert str(caught.value) == f"cannot open {url}: unable to open database file"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("sp ace ünï", "sp ace ünï"),
        ("100%.d", "100%.d"),
        ("100%25.d", "100%.d"),
        ("caf\udce9", "caf\udce9"),  # not UTF-8
        ("line\nbreak", "line\nbreak"),
    ],
)
async def test_the_file_name_in_a_url_is_decoded(
    tmp_path: Path, payment: Make, written: str, name: str
) -> None:
    (tmp_path / name).mkdir()
    url = f"sqlite:///{tmp_path}/{written}/payments.db"

    await fill(url, [payment(1)])

    assert os.listdir(tmp_path / name) == ["payments.db"]
    assert display_name(url) == f"sqlite:///{tmp_path}/{name}/payments.db"


async def test_a_file_that_is_not_a_database_is_refused_unchanged(tmp_path: Path) -> None:
    (tmp_path / "payments.db").write_bytes(b"dear diary, " * 100)

    with pytest.raises(ExportError, match="file is not a database"):
        await fill(url_in(tmp_path))

    assert (tmp_path / "payments.db").read_bytes() == b"dear diary, " * 100


async def test_a_failed_connection_is_reported_without_the_password() -> None:
    with pytest.raises(ExportError) as caught:
        await fill(f"postgresql://me:{SECRET}@127.0.0.1:1/books")

    assert str(caught.value).startswith("cannot open postgresql://me:***@127.0.0.1:1/books: ")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"oracle://me:{SECRET}@host/books", "oracle is not a database that payments are written"),
        (f"mysql://me:{SECRET}@host", "the mysql URL names no database"),
        (f"mysql://me:{SECRET}@host/books?x=1", "'x' is not an option"),
        (f"postgresql://me:{SECRET}@host", "the postgresql URL names no database"),
        ("sqlite:///", "the sqlite URL names no file"),
        ("sqlite:///:memory:", "the sqlite URL names no file"),
        ("sqlite:///file::memory:", "the sqlite URL names no file"),
        ("sqlite:///file:payments.db", "the sqlite URL names no file"),
        ("sqlite://host/payments.db", "the sqlite URL names no file"),
        ("sqlite:payments.db", "the destination is not the URL of a database"),
        (
            f"postgresql://me:{SECRET}@host:port/books",
            "the destination is not the URL of a database",
        ),
        (f"postgresql://me@host/books?password={SECRET}", "'password' is not an option"),
        ("sqlite:///payments.db?ssl=require", "'ssl' is not an option"),
    ],
)
def test_a_wrong_url_is_refused_without_its_password(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_table(url, "sent")

    assert problem in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_the_display_name_is_the_url_without_its_password() -> None:
    assert display_name(f"postgres://me:{SECRET}@host/books?sslmode=require") == (
        "postgresql://me:***@host/books?ssl=require"
    )
    assert display_name("payments.jsonl") == "payments.jsonl"


async def test_the_scheme_may_be_in_capitals(tmp_path: Path, payment: Make) -> None:
    await fill(f"SQLite:///{tmp_path}/payments.db", [payment(1)])

    with opened(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM paywint_payments").fetchone() == (1,)
