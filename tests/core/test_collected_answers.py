"""`client.answers()`: the answers received during a block, also of calls that succeeded."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref

import pytest
from fault_server import API_KEY, CLOSE_UNANSWERED, FaultServer, answer
from virtual_time import pass_time

from paywint_async import (
    Answer,
    Answers,
    Handler,
    InvalidRequestError,
    NotFoundError,
    PaywintClient,
    RateLimit,
    RateLimitedError,
    Request,
    Response,
    RetryPolicy,
    TransportError,
)
from paywint_async._middleware.answers import collectors_of_context
from paywint_async.emulator import Emulator

QUICK = RetryPolicy(max_attempts=3, base_delay=0)
ID = "X-Request-Id: r-1\r\n"
PAYMENT_ID = "d4211545-cfc9-4aa0-8fcc-e4c2639e8052"


async def read(client: PaywintClient) -> object:
    return await client.payments.page("received", 1)


async def answer_without_network(request: Request, handler: Handler) -> Response:
    return Response(status=200, body=b"{}")


def operations(seen: Answers) -> list[str]:
    return [each.operation for each in seen]


class TestAnAnswer:
    async def test_of_a_success_has_status_headers_and_attempts(self, connect):
        async with FaultServer(answer(503), answer(body=b"{}", headers=ID)) as server:
            client = connect(server, retry=QUICK)
            with client.answers() as seen:
                await client.request("GET", "/x")
        (one,) = seen
        assert isinstance(one, Answer)
        assert (one.operation, one.status, one.request_id, one.attempts) == (
            "request",
            200,
            "r-1",
            2,
        )
        assert one.headers["x-request-id"] == "r-1"

    async def test_of_a_refusal_equals_what_its_error_has(self, connect):
        async with FaultServer(answer(404, headers=ID)) as server:
            client = connect(server)
            with client.answers() as seen, pytest.raises(NotFoundError) as caught:
                await client.payments.get(PAYMENT_ID)
        error = caught.value
        assert seen == [
            Answer(
                operation="get",
                status=error.status,
                headers=error.headers,
                request_id=error.request_id,
                attempts=error.attempts,
            )
        ]

    async def test_shows_no_secret(self, connect):
        headers = f"Set-Cookie: session=hush\r\nX-Auth-Token: hush\r\nX-Echo: {API_KEY}\r\n"
        async with FaultServer(answer(body=b"{}", headers=headers)) as server:
            client = connect(server)
            with client.answers() as seen:
                await client.request("GET", "/x")
        assert (seen[0].headers["set-cookie"], seen[0].headers["x-auth-token"]) == ("***", "***")
        assert "hush" not in repr(seen)
        assert API_KEY not in repr(seen)

    async def test_that_was_lost_is_not_collected(self, connect):
        async with FaultServer(CLOSE_UNANSWERED) as server:
            client = connect(server, retry=QUICK)
            with client.answers() as seen, pytest.raises(TransportError):
                await read(client)
        assert seen == []

    async def test_of_a_call_that_was_held_back_is_not_collected(self, connect):
        async with FaultServer() as server:
            limit = RateLimit(1, per_seconds=1000)
            client = connect(server, rate_limit=limit, retry=QUICK)
            await read(client)
            with client.answers() as seen, pytest.raises(RateLimitedError):
                await read(client)
        assert seen == []


class TestTheCollectedAnswers:
    async def test_are_not_those_of_another_client(self, connect):
        async with FaultServer() as server:
            with connect(server).answers() as seen:
                await read(connect(server))
        assert seen == []

    async def test_include_each_page_of_a_listing(self, connect):
        async with Emulator(payments=95) as emulator:
            client = connect(emulator)
            with client.answers() as seen:
                payments = await client.payments.received(rows_per_page=10).collect()
        assert len(payments) == 95
        assert operations(seen) == ["received"] * emulator.request_count
        assert emulator.request_count >= 10

    async def test_include_those_of_tasks_that_the_block_starts(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            with client.answers() as seen:
                await asyncio.gather(*(read(client) for _ in range(5)))
        assert len(seen) == 5

    async def test_are_not_those_of_other_tasks(self, connect):
        async with Emulator(payments=5, latency=1.0) as emulator:
            client = connect(emulator)

            async def request(operation: str) -> list[str]:
                with client.answers() as seen:
                    await client.payments.page(operation, 1)
                    await client.payments.page(operation, 1)
                return operations(seen)

            sent, received = await asyncio.gather(request("sent"), request("received"))
        assert (sent, received) == (["sent"] * 2, ["received"] * 2)

    async def test_exclude_those_that_arrive_after_the_block(self, connect):
        async with Emulator(payments=5, latency=1.0) as emulator:
            client = connect(emulator)
            with client.answers() as seen:
                late = asyncio.create_task(read(client))
                await pass_time(0.5)
            await late
            await read(client)
        assert seen == []

    async def test_are_in_the_order_of_arrival(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            with client.answers() as seen:
                await read(client)
                await client.payments.create_link(5)
                await client.request("GET", "/x")
        assert operations(seen) == ["received", "create_link", "request"]

    async def test_of_a_client_include_those_of_its_views(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            with client.answers() as seen:
                await read(client.with_options(request_timeout=5).with_options(headers={}))
        assert operations(seen) == ["received"]

    async def test_of_a_view_are_only_its_own(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            view = client.with_options(request_timeout=5)
            with view.answers() as seen:
                await read(client)
                await read(client.with_options())
                assert seen == []
                await read(view)
        assert operations(seen) == ["received"]

    async def test_of_a_nested_block_are_collected_by_both(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            with client.answers() as outer:
                await read(client)
                with client.answers() as inner:
                    await client.payments.create_link(5)
                await read(client)
        assert operations(outer) == ["received", "create_link", "received"]
        assert operations(inner) == ["create_link"]

    async def test_stay_separate_if_blocks_end_out_of_order(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            first, second = client.answers(), client.answers()
            seen, also_seen = first.__enter__(), second.__enter__()
            first.__exit__(None, None, None)
            await read(client)
            second.__exit__(None, None, None)
            await read(client)
        assert (operations(seen), operations(also_seen)) == ([], ["received"])

    async def test_are_kept_when_the_block_raises(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            with pytest.raises(KeyError), client.answers() as seen:
                await read(client)
                raise KeyError
        assert operations(seen) == ["received"]

    async def test_of_a_shared_wait_are_collected_for_every_waiter(self, connect):
        async with Emulator(payments=0) as emulator:
            client = connect(emulator)
            link = await client.payments.create_link(5)

            async def wait() -> list[str]:
                with client.answers() as seen:
                    await client.payments.wait_until_final(link.payment_id, timeout=100)
                return operations(seen)

            waits = [asyncio.create_task(wait()) for _ in range(3)]
            await pass_time(0.5)
            emulator.schedule(link.payment_id, "success", after=0)
            assert await asyncio.gather(*waits) == [["get"] * (emulator.request_count - 1)] * 3

    async def test_end_with_a_block_that_is_left_in_another_context(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            block = client.answers()
            seen = contextvars.copy_context().run(block.__enter__)
            block.__exit__(None, None, None)
            await read(client)
        assert seen == []


class TestMemory:
    async def test_the_latest_are_kept_and_the_others_are_counted(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            with client.answers(limit=2) as seen:
                await client.payments.create_link(5)
                for _ in range(3):
                    await read(client)
        assert operations(seen) == ["received"] * 2
        assert seen.dropped == 2

    async def test_a_thousand_are_kept_by_default(self, connect):
        async with FaultServer() as server:
            client = connect(server, middlewares=[answer_without_network])
            with client.answers() as seen:
                for _ in range(1003):
                    await client.request("GET", "/x")
        assert (len(seen), seen.dropped) == (1000, 3)

    async def test_a_task_that_outlives_the_block_does_not_keep_its_answers(self, connect):
        async with FaultServer() as server:
            client = connect(server)
            with client.answers() as seen:
                await read(client)
                task = asyncio.create_task(asyncio.sleep(1000))
            gone = weakref.ref(seen)
            del seen
            gc.collect()
            assert gone() is None
            task.cancel()

    async def test_does_not_grow_with_blocks_in_tasks_that_start_each_other(self, connect):
        async with FaultServer() as server:
            client, blocks = connect(server), []

            async def chain(left: int) -> None:
                with client.answers():
                    blocks.append(len(collectors_of_context()))
                    task = asyncio.create_task(pass_on(left))
                await task

            async def pass_on(left: int) -> None:
                await asyncio.sleep(0)  # until the block has ended
                if left:
                    await chain(left - 1)

            await chain(5)
        assert blocks == [1] * 6

    @pytest.mark.parametrize("limit", [0, -1, 1.5, None, True])
    async def test_a_limit_below_one_is_refused(self, connect, limit):
        async with FaultServer() as server:
            with pytest.raises(InvalidRequestError, match="limit"):
                connect(server).answers(limit=limit)
