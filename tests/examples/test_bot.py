"""The example bot: what it answers, and what it says later by itself."""

from __future__ import annotations

import asyncio

import pytest
from example_modules import load
from virtual_time import pass_time

from paywint_async.emulator import Emulator


@pytest.fixture
async def chat(client_of):
    """`send(text)`, what was said, and the emulator."""
    said = []

    async def say(text):
        said.append(text)

    async with (
        Emulator() as emulator,
        client_of(emulator) as client,
        load("bot").Bot(client) as bot,
    ):
        yield lambda text: bot.on_message(text, say), said, emulator


async def test_a_link_is_made_and_the_payment_announced(chat):
    send, said, emulator = chat
    await send("/ask 4.50 coffee")
    assert said[0].startswith("Pay here: http://127.0.0.1:")
    payment_id = said[0].rpartition("/")[2]
    await emulator.pay(payment_id)
    await pass_time(60)
    assert said[1:] == ["$4.50 for coffee is paid. Thank you!"]
    await send(f"/status {payment_id}")
    assert said[2:] == ["success, $4.50"]


async def test_a_payment_that_comes_to_nothing_is_said(chat):
    send, said, emulator = chat
    await send("/ask 3")
    await emulator.reject(said[0].rpartition("/")[2])
    await pass_time(60)
    assert said[1:] == ["it: rejected"]


async def test_nobody_is_waited_for_for_ever(chat):
    send, said, _emulator = chat
    await send("/ask 3 cake")
    await pass_time(16 * 60)
    assert said[1:] == ["Nobody has paid for cake so far."]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/ask much", "How much? For example: /ask 4.50 coffee"),
        ("/ask", "How much? For example: /ask 4.50 coffee"),
        ("/dance", "I know /ask AMOUNT [WHAT FOR] and /status ID"),
        ("/ask 0 tea", "Sorry: amount: "),
        ("/ask NaN tea", "Sorry: amount: "),
        ("/status x", "Sorry: payment_id: "),
        ("/status d4211545-cfc9-4aa0-8fcc-e4c2639e8052", "Sorry: the API answered 404"),
    ],
)
async def test_a_message_is_answered(chat, text, answer):
    send, said, _emulator = chat
    await send(text)
    (told,) = said
    assert told.startswith(answer)


async def test_talk_is_left_alone(chat):
    send, said, _emulator = chat
    await send("how are you?")
    assert said == []


async def test_a_payment_out_of_sight_is_said(chat):
    send, said, emulator = chat
    await send("/ask 3 cake")
    await emulator.aclose()
    await pass_time(600)
    assert said[1].startswith("I lost sight of cake: ")


async def test_nothing_of_it_outlives_it(client_of):
    async def say(text):
        pass

    before = asyncio.all_tasks()
    async with Emulator() as emulator, client_of(emulator) as client:
        async with load("bot").Bot(client) as bot:
            for _ in range(5):
                await bot.on_message("/ask 3 cake", say)
            assert len(asyncio.all_tasks() - before) >= 5
        waits = [task for task in asyncio.all_tasks() - before if "Bot" in str(task.get_coro())]
        assert waits == []
