"""The one protocol of every place that payments go to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias, TypeVar
from uuid import UUID

from paywint_async import Payment

R_contra = TypeVar("R_contra", contravariant=True)

Checkpoint: TypeAlias = dict[str, Any]


class Sink(Protocol[R_contra]):
    """Takes records page by page, and can say later up to where it has them for good.

    Called in this order, by one task: ``open``, then ``write`` and ``commit`` in any mixture, then
    ``close``, which comes also where one of the others failed. After a failed or cancelled ``write``
    or ``commit`` only ``close`` follows.

    Every method may raise ExportError.
    """

    async def open(self) -> Checkpoint | None:
        """Makes ready; returns the checkpoint of the last commit, from which to read on.

        Whatever was written after that commit, by whoever was killed, is dropped here.
        """

    async def write(self, page: Sequence[R_contra]) -> None:
        """Takes the next records. Not yet for good."""

    async def commit(self, checkpoint: Checkpoint | None) -> None:
        """Makes what was written last, together with the checkpoint that belongs to it.

        Both or neither, whenever the process or the machine dies.
        """

    async def close(self, *, complete: bool) -> None:
        """Lets go of everything. Idempotent.

        Args:
            complete: the reading came to its end, and its last commit was made.
        """


class Table(Sink[R_contra], Protocol[R_contra]):
    """A sink whose rows can be brought up to date: a payment's status changes until it is final.

    `pending` and `refresh` come behind ``open`` or ``commit``, before the next ``write``; the next
    ``commit`` makes what was refreshed last.
    """

    def pending(
        self, *, recheck_since: datetime | None = None
    ) -> AsyncGenerator[Sequence[UUID], None]:
        """The ids of the payments that are not final here, a few hundred at a time.

        Args:
            recheck_since: `refresh` will also be given payments created from then on, final or not.
        """
        ...

    async def refresh(self, payments: Sequence[Payment]) -> int:
        """Takes payments as they are now; keeps the rows' places.

        Args:
            payments: those that `pending` has told, or that were created since its `recheck_since`;
                what has no row here is passed over.

        Returns:
            How many rows differ from what was here.
        """
        ...
