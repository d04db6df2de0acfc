"""The state file: created and changed payments are kept across restarts."""

import sqlite3

import aiohttp
import pytest

from paywint_async.emulator import Emulator


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state.db"


async def link(account, amount=1):
    body = b'{"amount": %s}' % str(amount).encode()
    return (await account.create_link(body)).json["data"]["payment_id"]


async def test_a_restarted_emulator_has_created_and_changed_payments(serve, file):
    async with serve(payments=60, state=file) as account:
        paid, failed = await link(account), await link(account)
        await account.emulator.pay(paid)
        await account.emulator.fail(failed, reason="no 💸")
        await account.emulator.retry(failed)
        rows = await account.everything("received")
    async with serve(payments=60, state=file) as account:
        assert await account.everything("received") == rows


async def test_a_changed_generated_payment_stays_changed(serve, file):
    async with serve(payments=100, state=file) as account:
        rows = await account.everything("sent")
        chosen = next(row["payment_id"] for row in rows if row["status"] == "opened")
        await account.emulator.pay(chosen)
    async with serve(payments=100, state=file) as account:
        assert account.emulator.payment(chosen).status == "success"


async def test_timelines_are_kept(serve, file):
    async with serve(state=file) as account:
        payment_id = await link(account)
        await account.emulator.open(payment_id)
        timeline = account.emulator.timeline(payment_id)
    async with serve(state=file) as account:
        assert account.emulator.timeline(payment_id) == timeline


@pytest.mark.parametrize("digits", ["12345678901234567.89", "0.10", "100.00"])
async def test_an_amount_keeps_its_digits(serve, file, digits):
    async with serve(state=file) as account:
        payment_id = await link(account, digits)
    async with serve(state=file) as account:
        assert (await account.get(payment_id)).json["data"]["amount"] == digits


async def test_a_link_expires_across_a_restart(serve, file):
    async with serve(state=file) as account:
        payment_id = await link(account)
        account.emulator.advance(80_000)
    async with serve(state=file) as account:
        assert account.emulator.payment(payment_id).status == "pending"
        account.emulator.advance(6_401)
        assert account.emulator.payment(payment_id).status == "expired"


async def test_arrivals_and_deletions_are_kept(serve, file):
    async with serve(payments=10, state=file) as account:
        account.emulator.arrive("sent", 3)
        account.emulator.delete("sent", 2)
        await link(account)
        ids = account.emulator.history("sent"), account.emulator.history("received")
    async with serve(payments=10, state=file) as account:
        assert (account.emulator.history("sent"), account.emulator.history("received")) == ids


async def test_checkout_tokens_do_not_repeat_after_a_restart(serve, file):
    tokens = []
    for _ in range(2):
        async with serve(state=file) as account:
            made = await account.create_token({"amount": 5, "email": "a@b.example"})
            tokens.append(made.json["data"]["checkout_token"])
    assert len(set(tokens)) == 2


async def test_the_same_emulator_can_be_started_again(serve, file):
    emulator = Emulator(hostile=True, payments=3, state=file)
    for count in (4, 5):
        async with emulator:
            emulator.arrive("sent")
            assert len(emulator.history("sent")) == count


async def test_changes_while_the_file_is_closed_are_an_error(file):
    emulator = Emulator(hostile=True, payments=3, state=file)
    emulator.delete("sent", 1)
    with pytest.raises(RuntimeError, match="change them while the emulator runs"):
        await emulator.start()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"seed": 2}, "with seed=1, not 2"),
        ({"payments": 4}, "with payments=3, not 4"),
        ({"order": "oldest"}, "with order=newest, not oldest"),
    ],
)
async def test_the_file_of_another_history_is_refused(file, other, message):
    async with Emulator(hostile=True, payments=3, seed=1, state=file):
        pass
    with pytest.raises(ValueError, match=message):
        await Emulator(**{"payments": 3, "seed": 1, "state": file, **other}).start()


async def test_a_file_in_use_is_refused_at_once(file):
    async with Emulator(state=file):
        with pytest.raises(ValueError, match="is in use by another emulator"):
            await Emulator(state=file).start()


async def test_a_file_that_is_not_a_database_is_refused_unchanged(file):
    file.write_bytes(b"my thesis, the only copy " * 100)
    with pytest.raises(ValueError, match="cannot be used"):
        await Emulator(state=file).start()
    assert file.read_bytes() == b"my thesis, the only copy " * 100


async def test_the_database_of_another_program_is_refused_unchanged(file):
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE thesis (page TEXT)")
    database.close()
    before = file.read_bytes()
    with pytest.raises(ValueError, match="a database of another program"):
        await Emulator(state=file).start()
    assert file.read_bytes() == before


async def test_a_refused_emulator_leaves_nothing_open(file):
    file.write_bytes(b"x" * 5000)
    emulator = Emulator(state=file)
    with pytest.raises(ValueError, match="cannot be used"):
        await emulator.start()
    file.unlink()
    async with (
        emulator,
        aiohttp.ClientSession() as session,
        session.get(f"{emulator.url}/nothing") as answer,
    ):
        assert answer.status == 404


def copy_of(file):
    """Copy the open files, as they are after `kill -9`."""
    copy = file.with_name("copy.db")
    copy.write_bytes(file.read_bytes())
    copy.with_name("copy.db-wal").write_bytes(file.with_name("state.db-wal").read_bytes())
    return copy


async def test_a_link_is_in_the_file_when_it_is_answered(serve, file):
    async with serve(state=file) as account:
        payment_id = await link(account)
        copy = copy_of(file)
    async with serve(state=copy) as account:
        assert account.emulator.payment(payment_id).status == "pending"


async def test_a_change_is_in_the_file_when_it_is_made(serve, file):
    async with serve(state=file) as account:
        payment_id = await link(account)
        await account.emulator.pay(payment_id)
        copy = copy_of(file)
    async with serve(state=copy) as account:
        assert account.emulator.payment(payment_id).status == "success"


async def test_a_token_is_not_issued_twice_after_a_kill(serve, file):
    body = {"amount": 5, "email": "a@b.example"}
    async with serve(state=file) as account:
        first = (await account.create_token(body)).json["data"]["checkout_token"]
        copy = copy_of(file)
    async with serve(state=copy) as account:
        assert (await account.create_token(body)).json["data"]["checkout_token"] != first


async def test_a_failed_write_is_repeated_with_the_next_change(serve, file):
    async with serve(state=file) as account:
        payment_id = await link(account)
        database = account.emulator._state._database
        database.execute("PRAGMA query_only = ON")
        with pytest.raises(sqlite3.OperationalError):
            await account.emulator.open(payment_id)
        database.execute("PRAGMA query_only = OFF")
        await account.emulator.pay(payment_id)
        timeline = account.emulator.timeline(payment_id)
    async with serve(state=file) as account:
        assert account.emulator.timeline(payment_id) == timeline
        assert [name for name, _at in timeline] == ["pending", "opened", "success"]
