"""However a read is broken off, its checkpoint counts exactly what the caller was given.

For each way of reading: what was handed over before, and what a listing resumed from the checkpoint
delivers, are together the whole list.
"""

from __future__ import annotations

import asyncio
import json
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from itertools import count, product
from typing import Any

import attrs
import pytest
from account_server import account, ids, sort_by_amount

from paywint_async import (
    ClientClosedError,
    Handler,
    HistoryListing,
    IncompleteHistoryError,
    PageEvent,
    PaywintClient,
    PrecisionError,
    Request,
    Response,
    TransportError,
)
from paywint_async.export import HistoryReading, PaymentReading

ROWS = 10
PAYMENTS = 25  # in each direction

SPAN = {
    "since": datetime(2015, 1, 1, 0, 30, tzinfo=UTC),
    "until": datetime(2015, 1, 1, 1, 50, tzinfo=UTC),
}
KINDS = ("received", "history")
SELECTIONS: dict[str, dict[str, Any]] = {
    "all": {},
    "span": SPAN,
    "disordered_span": SPAN,
    "oldest_first": {"oldest_first": True},
}


async def collected(listing: Any) -> AsyncIterator[Any]:
    yield await listing.collect()


def read_by_pages(listing: Any) -> AsyncIterator[Any]:
    is_history = isinstance(listing, HistoryListing)
    return (HistoryReading(listing) if is_history else PaymentReading(listing)).pages()


FORMS: dict[str, Callable[[Any], AsyncIterator[Any]]] = {
    "iterate": aiter,
    "pages": lambda listing: listing.pages(),
    "arrow_batches": lambda listing: listing.arrow_batches(),
    "reading": read_by_pages,
    "collect": collected,
}


@attrs.frozen
class Way:
    """One way of reading one kind of list."""

    kind: str
    selection: str
    form: str

    def account(self, **options: Any) -> AbstractAsyncContextManager[Any]:
        middlewares = [*options.pop("middlewares", ())]
        if self.selection == "disordered_span":
            middlewares.append(sort_by_amount)
        return account(PAYMENTS, middlewares=middlewares, **options)

    def listing(self, client: PaywintClient, checkpoint: Any = None) -> Any:
        make = getattr(client.payments, self.kind)
        return make(rows_per_page=ROWS, checkpoint=checkpoint, **SELECTIONS[self.selection])

    def start(self, listing: Any) -> AsyncIterator[Any]:
        return FORMS[self.form](listing)

    async def rest(self, client: PaywintClient, listing: Any) -> list[str]:
        """The ids that a listing resumed from the checkpoint of another one delivers."""
        checkpoint = json.loads(json.dumps(listing.checkpoint))
        return keys(await self.listing(client, checkpoint).collect())


def param(kind: str, selection: str, form: str) -> Any:
    marks = () if selection == "all" else pytest.mark.slow
    return pytest.param(Way(kind, selection, form), id=f"{kind}-{selection}-{form}", marks=marks)


@pytest.fixture(params=[param(*each) for each in product(KINDS, SELECTIONS, FORMS)])
def way(request: pytest.FixtureRequest) -> Way:
    return request.param


def keys(value: Any) -> list[str]:
    """The ids of the payments in anything that a way of reading delivers."""
    if isinstance(value, list | tuple):
        return [key for each in value for key in keys(each)]
    if hasattr(value, "column"):
        return [str(each) for each in value.column("payment_id").to_pylist()]
    if hasattr(value, "records"):
        return ids(value.records)
    return ids([getattr(value, "payment", value)])


class LostConnection:
    """A middleware that fails one of the requests."""

    def __init__(self) -> None:
        self.fails_at = 0
        self.count = 0

    async def __call__(self, request: Request, handler: Handler) -> Response:
        self.count += 1
        if self.count == self.fails_at:
            raise TransportError("the connection was lost")
        return await handler(request)


async def test_an_error_at_any_request_leaves_an_exact_checkpoint(way: Way) -> None:
    lost = LostConnection()
    async with way.account(middlewares=[lost]) as (_, client):
        whole = keys(await way.listing(client).collect())
        failures = 0
        for fails_at in range(1, lost.count + 1):
            lost.count, lost.fails_at = 0, fails_at
            listing, found = way.listing(client), []
            try:
                async for each in way.start(listing):
                    found += keys(each)
            except TransportError:
                failures += 1
            lost.fails_at = 0

            assert found + await way.rest(client, listing) == whole
        assert failures


class Cancelling:
    """Cancels the coroutines awaited through it at one of the points where they wait.

    Args:
        at: which of these points, from 1.
        is_late: what they wait for there has come, and they have not continued yet.
    """

    def __init__(self, at: int, *, is_late: bool) -> None:
        self._left = at
        self._is_late = is_late

    @property
    def has_cancelled(self) -> bool:
        return self._left <= 0

    @types.coroutine
    def wait(self, awaitable: Awaitable[Any]) -> Generator[Any, Any, Any]:
        steps = awaitable.__await__()
        try:
            future = steps.send(None)
            while True:
                self._left -= 1
                if self._is_late or self._left:
                    yield future
                future = steps.send(None) if self._left else steps.throw(asyncio.CancelledError())
        except StopIteration as end:
            return end.value


async def read_on(iterator: AsyncIterator[Any], cancelling: Cancelling) -> list[str]:
    """The ids that were handed over before the end or the cancellation."""
    found: list[str] = []
    try:
        while True:
            found += keys(await cancelling.wait(anext(iterator)))
    except (asyncio.CancelledError, StopAsyncIteration):
        return found


@pytest.mark.parametrize("is_late", [False, True], ids=["waiting", "woken"])
async def test_a_cancellation_at_any_await_leaves_an_exact_checkpoint(
    way: Way, is_late: bool
) -> None:
    async with way.account() as (_, client):
        whole = keys(await way.listing(client).collect())
        for at in count(1):
            cancelling = Cancelling(at, is_late=is_late)
            listing = way.listing(client)
            iterator = way.start(listing)

            found = await read_on(iterator, cancelling)

            assert found + await way.rest(client, listing) == whole
            if not cancelling.has_cancelled:
                break
            if way.form != "collect":
                assert found + [key async for each in iterator for key in keys(each)] == whole
        assert at > 3


class ManyDigits:
    """A middleware that gives one payment an amount with more digits than an Arrow column holds."""

    def __init__(self, payment_id: str) -> None:
        self._payment_id = payment_id

    async def __call__(self, request: Request, handler: Handler) -> Response:
        response = await handler(request)
        page = json.loads(response.body)
        for record in page["records"]:
            if record["payment_id"] == self._payment_id:
                record["amount"] = 1.23456789012
        return attrs.evolve(response, body=json.dumps(page).encode())


@pytest.mark.parametrize("place", [0, 7, -1])
@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_batch_that_cannot_be_made_leaves_an_exact_checkpoint(
    kind: str, selection: str, place: int
) -> None:
    way = Way(kind, selection, "arrow_batches")
    async with way.account() as (_, client):
        whole = keys(await way.listing(client).collect())
        many_digits = ManyDigits(whole[place])
    async with way.account(middlewares=[many_digits]) as (_, client):
        listing, found = way.listing(client), []
        batches = way.start(listing)
        for _ in range(2):  # the error ends the read: it is raised again
            with pytest.raises(PrecisionError, match=whole[place]):
                async for batch in batches:
                    found += keys(batch)

        assert whole[place] not in found
        assert found + await way.rest(client, listing) == whole


@pytest.mark.parametrize("form", ["iterate", "pages", "arrow_batches"])
@pytest.mark.parametrize("kind", KINDS)
async def test_an_interrupted_read_does_not_continue_after_the_lost_page(
    kind: str, form: str
) -> None:
    def interrupt(event: Any) -> None:
        if isinstance(event, PageEvent) and event.page_no == 2 and not interruptions:
            interruptions.append(event)
            raise KeyboardInterrupt

    interruptions: list[PageEvent] = []
    way = Way(kind, "all", form)
    async with way.account(on_event=interrupt) as (_, client):
        listing, found = way.listing(client), []
        iterator = way.start(listing)
        with pytest.raises(KeyboardInterrupt):
            async for each in iterator:
                found += keys(each)
        with pytest.raises(ClientClosedError, match="interrupted"):
            await anext(iterator)

        rest = await way.rest(client, listing)
        assert found + rest == keys(await way.listing(client).collect())


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_being_collected_is_not_in_the_checkpoint(kind: str) -> None:
    seen = []

    async def look(request: Request, handler: Handler) -> Response:
        seen.append((listing.checkpoint, listing.total))
        return await handler(request)

    way = Way(kind, "all", "collect")
    async with way.account(middlewares=[look]) as (_, client):
        listing = way.listing(client)
        start = await anext(aiter(listing))
        checkpoint = listing.checkpoint
        listing = way.listing(client, checkpoint)
        seen.clear()
        whole = keys(start) + keys(await listing.collect())

        assert [each for each, _ in seen] == [checkpoint] * len(seen)
        assert seen[-1][1] == len(whole)
        assert listing.checkpoint != checkpoint
        assert await way.rest(client, listing) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_the_checkpoint_of_an_incomplete_collection_is_where_it_began(kind: str) -> None:
    class Gone:
        """Answers every page but the first as if it were empty."""

        async def __call__(self, request: Request, handler: Handler) -> Response:
            response = await handler(request)
            page = json.loads(response.body)
            if b'"page_no":1,' not in request.body.replace(b" ", b"") + b",":
                page["records"] = []
            return attrs.evolve(response, body=json.dumps(page).encode())

    way = Way(kind, "all", "collect")
    async with way.account() as (_, client):
        listing = way.listing(client)
        await anext(aiter(listing))
        checkpoint = listing.checkpoint
    async with way.account(middlewares=[Gone()]) as (_, client):
        listing = way.listing(client, checkpoint)
        with pytest.raises(IncompleteHistoryError) as caught:
            await listing.collect()

        assert caught.value.checkpoint == listing.checkpoint == checkpoint
