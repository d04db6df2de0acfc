"""The protocol of all destinations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias, TypeVar
from uuid import UUID

from paywint_async import Payment

R_contra = TypeVar("R_contra", contravariant=True)

Checkpoint: TypeAlias = dict[str, Any]


class Sink(Protocol[R_contra]):
    """Takes records page by page; `commit` makes them durable.

    One task calls ``open`` first, then ``write`` and ``commit`` in any order, and at last ``close``, also
    where one of the others failed. After a failed or cancelled ``write`` or ``commit`` only ``close``
    follows.

    Every method may raise ExportError. A cancelled method must leave the last commit valid.
    """

    async def open(self) -> Checkpoint | None:
        """Opens the destination; returns the checkpoint of the last commit, where reading continues.

        What was written after that commit, by a process that was killed, is dropped.
        """

    async def write(self, page: Sequence[R_contra]) -> None:
        """Takes the next records. Durable only after the next `commit`."""

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Makes everything written durable together with the checkpoint: both or neither.

        Args:
            checkpoint: of the listing, after the record written last; None: before the first one.
        """

    async def close(self, *, complete: bool) -> None:
        """Releases locks and connections. Idempotent.

        Args:
            complete: whether the reading ended without an error, and its last commit was made.
        """


class Table(Sink[R_contra], Protocol[R_contra]):
    """A sink whose rows can be brought up to date: a payment's status changes until it is final.

    `pending` and `refresh` are called after ``open`` or ``commit``, before the next ``write``; the next
    ``commit`` makes the refreshed rows durable.
    """

    def pending(
        self, *, recheck_since: datetime | None = None
    ) -> AsyncGenerator[Sequence[UUID], None]:
        """Yields the ids of the payments that are not final in the table, a few hundred at a time.

        Args:
            recheck_since: payments created from then on, final or not, may be given to `refresh`, too.
        """
        ...

    async def refresh(self, payments: Sequence[Payment]) -> int:
        """Updates the rows of these payments in place.

        Args:
            payments: payments whose ids `pending` has yielded, or that were created since its
                `recheck_since`; those without a row are ignored.

        Returns:
            The number of rows that have changed.
        """
        ...
