"""A file that an export has not made is neither removed nor written into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paywint_async import Payment
from paywint_async.export import ExportError, make_table, transfer
from paywint_async.export import _resumable as resumable

Read = Callable[..., Any]


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", ["payments.csv", "payments.jsonl.gz", "payments.parquet/"])
async def test_a_file_with_the_name_of_a_temporary_one_is_kept(
    tmp_path: Path, read: Read, name: str
) -> None:
    (tmp_path / f"{name.rstrip('/')}.tmp").write_bytes(b"my diary")

    with pytest.raises(ExportError, match=r"payments\.\S+\.tmp "):
        await transfer(read(), make_table(f"{tmp_path}/{name}", "sent"))

    assert content_of(tmp_path)[f"{name.rstrip('/')}.tmp"] == b"my diary"


async def test_a_file_beside_a_refused_directory_is_kept(tmp_path: Path, read: Read) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes").write_bytes(b"notes")
    (tmp_path / "mine.tmp").write_bytes(b"PAR1, says my diary")

    with pytest.raises(ExportError, match="choose another directory"):
        await transfer(read(), make_table(f"{tmp_path}/mine/", "sent"))

    assert content_of(tmp_path) == {"mine.tmp": b"PAR1, says my diary", "mine/notes": b"notes"}


async def test_a_file_that_another_export_writes_before_the_lock_is_refused(
    tmp_path: Path, read: Read, payments: list[Payment], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "payments.jsonl"
    open_locked = resumable.open_locked

    def too_late(name: str) -> int:
        path.write_bytes(b"of another export\n")
        return open_locked(name)

    monkeypatch.setattr(resumable, "open_locked", too_late)

    with pytest.raises(ExportError, match=r"is not empty and .* is new"):
        await transfer(read(payments), make_table(str(path), "sent"))

    assert path.read_bytes() == b"of another export\n"
