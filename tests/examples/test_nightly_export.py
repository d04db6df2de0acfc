"""The example job: night after night, broken off and gone on with, each payment once."""

from __future__ import annotations

import json

import pytest
from example_modules import load

from paywint_async import PaywintError
from paywint_async.emulator import Emulator


def ids_in(path):
    return [json.loads(line)["payment_id"] for line in path.read_bytes().splitlines()]


async def test_each_night_appends_what_is_new(client_of, tmp_path):
    job, path = load("nightly_export"), tmp_path / "payments.jsonl"
    async with Emulator(hostile=True, payments=250) as emulator, client_of(emulator) as client:
        nights = []
        for arrive in (0, 0, 30):
            emulator.arrive("received", arrive)
            nights.append(await job.export(client, path))
        assert nights == [250, 0, 30]
        assert sorted(ids_in(path)) == sorted(emulator.history("received"))


async def test_a_night_that_is_broken_off_is_gone_on_with(client_of, tmp_path, monkeypatch):
    job, path = load("nightly_export"), tmp_path / "payments.jsonl"
    write, pages = job.Book.write, []

    def fail_on_the_third(book, lines, checkpoint):
        pages.append(lines)
        if len(pages) == 3:
            book._file.write(lines)  # half done: written, and not noted
            raise OSError("the power is gone")
        write(book, lines, checkpoint)

    async with Emulator(hostile=True, payments=450) as emulator, client_of(emulator) as client:
        monkeypatch.setattr(job.Book, "write", fail_on_the_third)
        with pytest.raises(OSError, match="the power is gone"):
            await job.export(client, path)
        monkeypatch.setattr(job.Book, "write", write)
        emulator.arrive("received", 7)
        assert await job.export(client, path) == 250
        assert await job.export(client, path) == 7
        assert sorted(ids_in(path)) == sorted(emulator.history("received"))


async def test_its_exit_code_tells_the_scheduler(environment, tmp_path, capsys):
    job, path = load("nightly_export"), str(tmp_path / "payments.jsonl")
    async with Emulator(hostile=True, payments=3) as emulator:
        environment(emulator)
        assert await job.main(path) == 0
        assert capsys.readouterr().out == "3 new payments\n"
        job.export = fail
        assert await job.main(path) == 1
        assert "stopped: no answer; the next run continues" in capsys.readouterr().err


async def fail(client, path):
    raise PaywintError("no answer")
