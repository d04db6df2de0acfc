"""The checkpoint file of an export: one small JSON document, replaced as a whole.

Version 1:

| field | meaning |
| --- | --- |
| ``version`` | 1 |
| ``format``, ``direction`` | of the export; it can only be continued with the same |
| ``size`` | the number of confirmed bytes of the output; what follows them is not confirmed |
| ``tail`` | SHA-256 of the last (at most) 4,096 of those bytes; null for a stream |
| ``successor`` | size and tail of the file that is about to replace the output; else null |
| ``listing`` | the listing's own checkpoint; null before the first commit |
"""

from __future__ import annotations

import json
import os
from typing import Annotated, Any, Literal

import attrs
import msgspec

from paywint_async.export._errors import ExportError, translated
from paywint_async.export._files import (
    open_locked,
    put_in_place,
    replacement,
    temporary_path,
    write_all,
)
from paywint_async.export._platform import system
from paywint_async.export._sink import Checkpoint

_LARGEST = 1_000_000  # bytes; a checkpoint has about 2,000, and a wrong file may have anything


@attrs.frozen(kw_only=True)
class Extent:
    """A file's size in bytes, and the digest of its end."""

    size: Annotated[int, msgspec.Meta(ge=0)]
    tail: str | None


@attrs.frozen(kw_only=True)
class Confirmed:
    """The content of the checkpoint file; the fields are those of the table above."""

    version: Literal[1] = 1
    format: str
    direction: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    tail: str | None
    listing: dict[str, Any] | None
    successor: Extent | None = None


class CheckpointFile:
    """The checkpoint file of one export, locked while it is open.

    Args:
        path: the file; if it is missing or empty, the export is new.
        format: of the output.
        direction: ``sent``, ``received`` or ``both``.
    """

    def __init__(self, path: str, *, format: str, direction: str) -> None:
        self.path = path
        self._real_path = os.path.realpath(path)  # so that replacing it keeps a symbolic link
        self._format = format
        self._direction = direction
        self._fd: int | None = None

    def open(self) -> Confirmed | None:
        """Locks the file; returns its content, or None for a new export.

        Raises:
            ExportError: in use, not readable, damaged, or of another format or direction.
        """
        fd = self._fd = open_locked(self._real_path)
        with translated(f"cannot read {self.path}"):
            text = system.read_at(fd, _LARGEST, 0)
        return self._parse(text) if text else None

    def save(
        self,
        *,
        size: int,
        tail: str | None,
        listing: Checkpoint | None,
        successor: Extent | None = None,
    ) -> None:
        """Replaces the document; the former one stays complete until the new one is durable."""
        confirmed = Confirmed(
            format=self._format,
            direction=self._direction,
            size=size,
            tail=tail,
            listing=listing,
            successor=successor,
        )
        text = json.dumps(attrs.asdict(confirmed), indent=1).encode() + b"\n"
        with translated(f"cannot write {self.path}"):
            self._replace(text)

    def close(self) -> None:
        """Releases the lock. Idempotent."""
        fd, self._fd = self._fd, None
        if fd is not None:
            system.close(fd)

    def _parse(self, text: bytes) -> Confirmed:
        try:
            confirmed = msgspec.json.decode(text, type=Confirmed)
        except (ValueError, RecursionError) as error:  # msgspec's own, or bytes that are no UTF-8
            raise ExportError(f"{self.path} is not an export's checkpoint: {error}") from None
        for field in ("format", "direction"):
            saved, asked = getattr(confirmed, field), getattr(self, f"_{field}")
            if saved != asked:
                raise ExportError(
                    f"{self.path} belongs to a {field} of {str(saved)!r}, not {str(asked)!r}"
                )
        return confirmed

    def _replace(self, text: bytes) -> None:
        with replacement(self._real_path) as fd:
            write_all(fd, text)
            put_in_place(fd, temporary_path(self._real_path), self._real_path)
        self.close()
        self._fd = fd
