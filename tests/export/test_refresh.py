"""Which payments a refresh requests, how many concurrently, and errors of the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest

from paywint_async import InvalidRequestError, NotFoundError, Payment, PaymentPage, ServerError
from paywint_async.export import ExportError, Refresh, make_table

Make = Callable[..., Payment]


@attrs.define
class Here:
    """A table with some payments that are not final; records its calls."""

    ids: list[UUID]
    refreshed: list[Payment] = attrs.field(factory=list)
    commits: list[tuple[int, Any]] = attrs.field(factory=list)

    async def pending(self) -> AsyncGenerator[Sequence[UUID], None]:
        yield self.ids

    async def refresh(self, payments: Sequence[Payment]) -> int:
        self.refreshed += payments
        return len(payments)

    async def commit(self, checkpoint: Any) -> None:
        self.commits.append((len(self.refreshed), checkpoint))


@attrs.define
class Api:
    """Payments that can be requested; counts the concurrent requests."""

    answer: Callable[[UUID], Payment]
    in_flight: int = 0
    peak: int = 0

    async def get(self, payment_id: UUID) -> Payment:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await asyncio.sleep(0)
            return self.answer(payment_id)
        finally:
            self.in_flight -= 1

    async def page(self, direction: str, page_no: int, rows_per_page: int) -> PaymentPage:
        return PaymentPage(records=(), total_records=10**9, page_no=1, rows_per_page=10)


def refresh_of(api: Api, **options: Any) -> Refresh:
    return Refresh(api, "received", **options)  # type: ignore[arg-type]


async def test_each_payment_is_requested_once_with_limited_concurrency(payment: Make) -> None:
    ids = [UUID(int=number) for number in range(1, 700)]
    api, here = Api(lambda each: payment(each.int)), Here([*ids, *ids[:50]])
    refresh = refresh_of(api, max_concurrency=7)

    await refresh.run(here, {"at": 1})  # type: ignore[arg-type]

    assert sorted(each.payment_id for each in here.refreshed) == ids
    assert api.peak == 7
    assert here.commits == [(699, {"at": 1})]
    assert (refresh.changed, refresh.missing) == (699, 0)


async def test_many_changes_are_committed_in_parts(payment: Make) -> None:
    ids = [UUID(int=number) for number in range(1, 20_300)]
    here = Here(ids)

    await refresh_of(Api(lambda each: payment(each.int))).run(here, None)  # type: ignore[arg-type]

    assert here.commits == [(20_000, None), (20_299, None)]


async def test_payments_unknown_to_the_api_are_counted_and_kept(payment: Make) -> None:
    def answer(payment_id: UUID) -> Payment:
        if payment_id.int == 2:
            raise NotFoundError(404, "no such payment")
        return payment(payment_id.int)

    here = Here([UUID(int=1), UUID(int=2), UUID(int=3)])
    refresh = refresh_of(Api(answer))

    await refresh.run(here, None)  # type: ignore[arg-type]

    assert sorted(each.payment_id.int for each in here.refreshed) == [1, 3]
    assert (refresh.changed, refresh.missing) == (2, 1)


async def test_an_error_is_raised_unchanged_and_leaves_no_task(
    payment: Make, other_tasks: Callable[[], set[Any]]
) -> None:
    def answer(payment_id: UUID) -> Payment:
        raise ServerError(503, "later")

    here = Here([UUID(int=number) for number in range(1, 90)])

    with pytest.raises(ServerError):
        await refresh_of(Api(answer)).run(here, None)  # type: ignore[arg-type]

    assert here.commits == []
    assert other_tasks() == set()


async def test_without_open_payments_nothing_is_requested() -> None:
    here = Here([])

    await refresh_of(Api(lambda _: pytest.fail("requested"))).run(here, None)  # type: ignore[arg-type]

    assert here.commits == []


def test_a_recheck_from_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="recheck_since"):
        refresh_of(Api(lambda _: pytest.fail("requested")), recheck_since=datetime(2026, 1, 1))


async def test_a_file_with_a_time_without_a_zone_is_damaged(tmp_path: Path, payment: Make) -> None:
    output = tmp_path / "a.csv"
    table = make_table(str(output), "sent")
    try:
        await table.open()
        await table.write([payment(1)])
        await table.commit({"delivered": 1})
        output.write_bytes(output.read_bytes().replace(b"Z,", b"0,"))

        with pytest.raises(ExportError, match=r"damaged .*has no time zone"):
            _ = [ids async for ids in table.pending(recheck_since=datetime(2026, 1, 1, tzinfo=UTC))]
    finally:
        await table.close(complete=False)
