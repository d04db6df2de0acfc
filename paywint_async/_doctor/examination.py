"""Sends the requests of an examination: a few rounds of concurrent reads. Judges nothing.

Pages and payments are requested by the SDK's own methods, so that callers would get the same answers.
Requests that these would refuse (an id that is not a UUID) are sent by `client.request`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any

import attrs

from paywint_async import ClientClosedError, PaywintClient, PaywintError
from paywint_async._doctor.delivery import RecordedDelivery
from paywint_async._doctor.exchanges import ExchangeRecorder, collect_exchanges
from paywint_async._doctor.observations import Observations, Question, QuestionKind, Setup

PAGE_SIZES = (10, 20, 50, 100)
INVALID_PAGE_SIZE = 7
SMALLEST = PAGE_SIZES[0]
LARGEST = PAGE_SIZES[-1]
_PAYMENT_PATH = "/api/user-api/payment/get/"
_RECEIVED_PATH = "/api/user-api/payment/list/payment-received"
_INVALID_ID = "no-uuid"

_NOT_LISTED: Mapping[str, Any] = {}
_Ask = Coroutine[Any, Any, Question]


class Examination:
    """The questions to one account.

    Args:
        client: has ``recorder`` among its ``attempt_middlewares``.
        recorder: keeps the answers.
        setup: the configuration of the client.
        delivery: a recorded webhook, whose payment is requested.
    """

    def __init__(
        self,
        client: PaywintClient,
        recorder: ExchangeRecorder,
        setup: Setup,
        delivery: RecordedDelivery | None = None,
    ) -> None:
        self._client = client
        self._compressed = client.with_options(headers={"Accept-Encoding": "gzip"})
        self._uncompressed = client.with_options(headers={"Accept-Encoding": "identity"})
        self._recorder = recorder
        self._setup = setup
        self._delivery = delivery
        self._questions: list[Question] = []
        self._is_out_of_time = False

    async def run(self, seconds: float) -> Observations:
        """Asks all questions, for at most ``seconds``.

        Cancellation: ends every request.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._ask_all()
        except TimeoutError:
            self._is_out_of_time = True
        return Observations(
            setup=self._setup,
            questions=self._questions,
            exchanges=self._recorder.exchanges,
            request_count=self._recorder.request_count,
            delivery=self._delivery,
            is_out_of_time=self._is_out_of_time,
        )

    async def _ask_all(self) -> None:
        first = await self._page("received", 1, SMALLEST)
        if not first.is_page:
            return
        sent, *_ = await self._together(
            [
                self._page("sent", 1, SMALLEST),
                self._page("received", 1, 20, self._uncompressed),
                self._page("received", 1, 50),
                self._page("received", 1, LARGEST, self._compressed),
                self._unknown_payment(),
                self._raw(QuestionKind.INVALID_ID, "GET", f"{_PAYMENT_PATH}{_INVALID_ID}"),
                self._raw(
                    QuestionKind.INVALID_PAGE_SIZE,
                    "POST",
                    _RECEIVED_PATH,
                    {"rows_per_page": INVALID_PAGE_SIZE, "page_no": 1},
                ),
            ]
        )
        rest = [*self._rest_of("received", first), *self._rest_of("sent", sent)]
        await self._together([*self._webhook_payment(), *rest])

    def _webhook_payment(self) -> Iterable[_Ask]:
        if self._delivery is not None and self._delivery.event.payment_id is not None:
            yield self._payment(self._delivery.event.payment_id, QuestionKind.WEBHOOK_PAYMENT)

    def _rest_of(self, direction: str, first: Question) -> Iterable[_Ask]:
        """Asks for a list's last page, the page after it, some pages between, and one payment."""
        total = first.total or 0
        if not first.is_page or not total:
            return
        last = -(-total // SMALLEST)
        yield self._page(direction, last + 1, SMALLEST)
        if last > 1:
            yield self._page(direction, last, SMALLEST)
        between = {-(-total * share // (4 * LARGEST)) for share in (1, 2, 3)}
        # The first page of received payments has been asked for in each size.
        for page_no in sorted(between - ({1} if direction == "received" else set())):
            yield self._page(direction, page_no, LARGEST)
        if first.records:
            listed = first.records[0]
            yield self._payment(listed.get("payment_id"), QuestionKind.PAYMENT, listed)

    async def _together(self, asks: Iterable[_Ask]) -> list[Question]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask) for ask in asks]
        return [task.result() for task in tasks]

    async def _page(
        self, direction: str, page_no: int, rows: int, client: PaywintClient | None = None
    ) -> Question:
        question = Question(kind=QuestionKind.PAGE, direction=direction, page_no=page_no, rows=rows)
        payments = (client or self._client).payments
        return await self._ask(question, lambda: payments.page(direction, page_no, rows))

    async def _payment(
        self, payment_id: object, kind: QuestionKind, listed: Mapping[str, Any] = _NOT_LISTED
    ) -> Question:
        question = Question(kind=kind, listed=listed)
        return await self._ask(question, lambda: self._client.payments.get(str(payment_id)))

    async def _unknown_payment(self) -> Question:
        question = Question(kind=QuestionKind.UNKNOWN_PAYMENT)
        return await self._ask(question, lambda: self._client.payments.get(uuid.uuid4()))

    async def _raw(self, kind: QuestionKind, method: str, path: str, json: Any = None) -> Question:
        request = self._client.request
        return await self._ask(
            Question(kind=kind), lambda: request(method, path, json=json, repeatable=True)
        )

    async def _ask(self, question: Question, call: Callable[[], Awaitable[Any]]) -> Question:
        exchanges = collect_exchanges()
        error: PaywintError | None = None
        try:
            await call()
        except ClientClosedError:
            raise
        except PaywintError as raised:
            error = raised.with_traceback(None)
        last = exchanges[-1] if exchanges else None
        answered = attrs.evolve(question, exchange=last, error=error)
        self._questions.append(answered)
        return answered
