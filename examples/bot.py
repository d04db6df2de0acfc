"""A chat bot: `/ask 4.50 coffee` makes a payment link, and reports when it is paid.

Chat frameworks call a coroutine function for each message and provide one to answer with;
`Bot.on_message` takes the text and that function. In discord.py:
`await bot.on_message(message.content, message.channel.send)`; in aiogram:
`await bot.on_message(message.text, message.answer)`. Here the chat is the terminal.

    pip install paywint-async
    PAYWINT_API_KEY=... PAYWINT_API_SECRET=... python examples/bot.py
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from types import TracebackType
from typing import Self

from paywint_async import PaywintClient, PaywintError, WaitTimeoutError

Say = Callable[[str], Awaitable[object]]
PATIENCE = 15 * 60.0  # seconds


class Bot:
    """Answers slash commands: `async with Bot(client) as bot`. Leaving the block cancels its waits."""

    def __init__(self, client: PaywintClient) -> None:
        self._client = client
        self._waits: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for wait in self._waits:
            wait.cancel()
        await asyncio.gather(*self._waits, return_exceptions=True)

    async def on_message(self, text: str, say: Say) -> None:
        """Handles one message; answers with `say`, at once and when a payment is final."""
        command, _, rest = text.strip().partition(" ")
        try:
            if command == "/ask":
                await self._ask(rest, say)
            elif command == "/status":
                payment = await self._client.payments.get(rest.strip())
                await say(f"{payment.status}, ${payment.amount}")
            elif command.startswith("/"):
                await say("I know /ask AMOUNT [WHAT FOR] and /status ID")
        except PaywintError as error:
            await say(f"Sorry: {error}")

    async def _ask(self, rest: str, say: Say) -> None:
        amount, _, description = rest.strip().partition(" ")
        try:
            dollars = Decimal(amount)
        except InvalidOperation:
            await say("How much? For example: /ask 4.50 coffee")
            return
        link = await self._client.payments.create_link(dollars, description=description or None)
        await say(f"Pay here: {link.payment_link}")
        wait = asyncio.create_task(self._tell(link.payment_id, description or "it", say))
        self._waits.add(wait)
        wait.add_done_callback(self._waits.discard)

    async def _tell(self, payment_id: object, what: str, say: Say) -> None:
        try:
            payment = await self._client.payments.wait_until_final(
                str(payment_id), timeout=PATIENCE
            )
        except WaitTimeoutError:
            await say(f"Nobody has paid for {what} so far.")
        except PaywintError as error:
            await say(f"I lost sight of {what}: {error}")
        else:
            paid = f"${payment.amount} for {what} is paid. Thank you!"
            await say(paid if payment.status == "success" else f"{what}: {payment.status}")


async def main() -> None:
    """The terminal as a chat."""

    async def say(text: str) -> None:
        print(text, flush=True)

    loop = asyncio.get_running_loop()
    async with PaywintClient.from_env() as client, Bot(client) as bot:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            await bot.on_message(line, say)


if __name__ == "__main__":
    asyncio.run(main())
