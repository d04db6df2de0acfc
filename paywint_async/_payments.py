"""The operations on payments: checks arguments, sends the calls and returns their results."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from weakref import WeakSet

from paywint_async import _arguments, _protocol
from paywint_async._calls import read, send
from paywint_async._config import SENT_PATH
from paywint_async._errors import InvalidRequestError, OutcomeUnknownError
from paywint_async._events import OnEvent, ignore
from paywint_async._find_created import find_created
from paywint_async._messages import Handler, Response
from paywint_async._models import CheckoutToken, Direction, Payment, PaymentLink, PaymentPage
from paywint_async._pagination.iterator import ListingIterator
from paywint_async._pagination.listing import PaymentListing, read_selection
from paywint_async._pagination.merge import HistoryListing
from paywint_async._pagination.position import Selection
from paywint_async._pagination.run import PageSource
from paywint_async._tracking import PaymentWatch, Tracker


class Payments:
    """The payments of one account; reached as ``client.payments``."""

    def __init__(
        self,
        handler: Handler,
        max_concurrency: int,
        tracker: Tracker,
        on_event: OnEvent = ignore,
        *,
        sent_path: str = SENT_PATH,
    ) -> None:
        self._handler = handler
        self._max_concurrency = max_concurrency
        self._tracker = tracker
        self._on_event = on_event
        self._sent_path = sent_path
        self._iterators: WeakSet[ListingIterator[Any]] = (
            WeakSet()
        )  # ended when the client is closed

    async def create_link(
        self,
        amount: Decimal | int,
        *,
        description: str | None = None,
        invoice_number: str | None = None,
    ) -> PaymentLink:
        """Creates a pending payment and returns it with the link at which it can be paid.

        Args:
            amount: US dollars, above zero, at most two decimals; a float is refused.
            description: shown to the payer, at most 255 characters.
            invoice_number: at most 20 characters.

        Raises:
            InvalidRequestError: an argument is invalid; nothing was sent.
            OutcomeUnknownError: the link may or may not exist; the request was sent once.
            APIError: the API refused; there is no link.
            TransportError: no connection; there is no link.
            ClientClosedError: the client is closed, or was closed before the request was sent; there is
                no link.

        Cancellation: closes the connection. If the request had been sent, the link may exist, and no
        OutcomeUnknownError says so.

        Source: Create Payment Link.
        """
        return await send(self._handler, _protocol.create_link(amount, description, invoice_number))

    async def create_checkout_token(
        self,
        amount: Decimal | int,
        *,
        email: str | None = None,
        phone: str | None = None,
        phone_country_code: str | None = None,
        currency: str = "USD",
    ) -> CheckoutToken:
        """Creates a short-lived token for the inline checkout, for a payer's email or phone.

        Args:
            amount: above zero, at most 100,000, at most two decimals; a float is refused.
            email: the payer's; either this or a phone number.
            phone: 5 to 20 characters, together with ``phone_country_code`` such as ``+1``.
            phone_country_code: 1 to 10 characters.
            currency: 3 to 10 characters.

        Raises:
            InvalidRequestError: an argument is invalid; nothing was sent.
            OutcomeUnknownError: a token may or may not have been created; the request was sent once.
            APIError, TransportError, ClientClosedError: as `create_link`; there is no token.

        Cancellation: closes the connection; if the request had been sent, the token may exist.

        Source: Create Checkout Token.
        """
        call = _protocol.create_checkout_token(amount, email, phone, phone_country_code, currency)
        return await send(self._handler, call)

    async def get(self, payment_id: UUID | str) -> Payment:
        """Returns the payment in its current state.

        Raises:
            InvalidRequestError: not a UUID; nothing was sent.
            NotFoundError: no such payment in this account.
            APIError, TransportError: after the retries.
            ResponseDecodeError: the response is not the payment as the API documents it.
            ClientClosedError: the client is closed, or was closed during the call.

        Cancellation: closes the connection, or ends the wait for the next attempt.

        Source: Get Payment.
        """
        return await send(self._handler, _protocol.get(payment_id))

    async def find_created(self, error: OutcomeUnknownError) -> Payment | None:
        """Returns the payment that a `create_link` of unknown outcome created, or None.

        Reads the received payments since the request began, and looks for one that is unpaid and has
        the same amount and description (an empty one is none; spaces around it do not count). It is
        returned if it is the only one, and was created during the request, by the server's clock within
        seconds, or by the local clock if the server does not report its own. An identical link that
        another call created in that time cannot be told from it. One that was created later is an error:
        the server may have processed the request late, but the link may also be of another call. Without
        the server's clock, so is one that was created up to 5 minutes earlier.
        None: there is none now. A request that timed out may still be processed, so look again after a
        while before you create another link.

        Args:
            error: what `create_link` raised.

        Raises:
            InvalidRequestError: the error was not raised by `create_link`.
            OutcomeUnknownError: several payments match, or one that was created outside the request's
                time; they are in its ``candidates``. Compare ``created_at`` with ``ended_at``.
            IncompleteHistoryError, APIError, TransportError, ResponseDecodeError: the list could not be
                read.
            ClientClosedError: the client is closed, or was closed during the call.

        Cancellation: ends the requests; nothing is changed by them.
        """
        if not isinstance(error, OutcomeUnknownError):
            raise InvalidRequestError("error", "must be the OutcomeUnknownError of a create_link")
        if error.operation != "create_link":
            raise InvalidRequestError("error", f"is of {error.operation}, which makes no payment")
        return await find_created(
            self.page(Direction.RECEIVED, 1, 10), lambda since: self.received(since=since), error
        )

    async def page(
        self, direction: Direction | str, page_no: int, rows_per_page: int = 100
    ) -> PaymentPage:
        """Returns one page of the list as it is now, counted from 1; to read all pages use a listing.

        Raises:
            InvalidRequestError: an argument is invalid; nothing was sent.
            APIError, TransportError: after the retries.
            ResponseDecodeError: the response is not the page as the API documents it.
            ClientClosedError: the client is closed, or was closed during the call.

        Cancellation: closes the connection, or ends the wait for the next attempt.

        Source: List Received Payments; List Sent Payments (assumed).
        """
        call = _protocol.page(
            _arguments.check_direction(direction),
            _arguments.check_whole("page_no", page_no, low=1),
            _arguments.check_rows_per_page(rows_per_page),
            self._sent_path,
        )
        return await send(self._handler, call)

    def sent(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        oldest_first: bool = False,
        rows_per_page: int = 100,
        max_concurrency: int | None = None,
        checkpoint: dict[str, Any] | None = None,
    ) -> PaymentListing:
        """Returns a listing of the payments this account has sent; iterating it sends the first request.

        The API cannot select by time. With ``since`` or ``until`` the listing finds the beginning and
        the end of the span by binary search, and reads only its pages: at most
        ``2 × log2(pages) + 4`` requests more than the span has pages. If the list is not in the order of
        ``created_at``, the whole list is read, and the payments in the span are delivered; a
        `DisorderEvent` reports it.

        Args:
            since: payments created then or later; with a time zone. None: from the first one on.
            until: payments created before then; with a time zone. None: up to the newest one.
            oldest_first: in the order of time, whatever the server's order; a newest-first list is read
                from its end. If the list is not in the order of ``created_at``, its own order is kept,
                from its oldest end; a `DisorderEvent` reports it.
            rows_per_page: 10, 20, 50 or 100; 100 needs the fewest requests.
            max_concurrency: the most requests in flight; None: the client's.
            checkpoint: the checkpoint of an earlier listing of this direction, after which this one
                resumes. It contains span and order, which need not be given again.

        Raises:
            InvalidRequestError: an argument is invalid, or the checkpoint has another span or order.
        """
        selection = read_selection(since, until, oldest_first)
        return self._listing(Direction.SENT, selection, rows_per_page, max_concurrency, checkpoint)

    def received(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        oldest_first: bool = False,
        rows_per_page: int = 100,
        max_concurrency: int | None = None,
        checkpoint: dict[str, Any] | None = None,
    ) -> PaymentListing:
        """Returns a listing of the payments this account has received; arguments as `sent`."""
        selection = read_selection(since, until, oldest_first)
        return self._listing(
            Direction.RECEIVED, selection, rows_per_page, max_concurrency, checkpoint
        )

    def history(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        oldest_first: bool = False,
        rows_per_page: int = 100,
        max_concurrency: int | None = None,
        checkpoint: dict[str, Any] | None = None,
    ) -> HistoryListing:
        """Returns a listing of both directions, read concurrently and merged by time.

        Arguments as `sent`; ``max_concurrency`` limits both directions together, and ``checkpoint`` is
        that of an earlier history.
        """
        sources = [self._source(direction, rows_per_page) for direction in Direction]
        concurrency = self._concurrency(max_concurrency)
        selection = read_selection(since, until, oldest_first)
        return HistoryListing(sources, concurrency, checkpoint, self._iterators.add, selection)

    async def wait_until_final(
        self, payment_id: UUID | str, *, timeout: float, poll: float = 1.0
    ) -> Payment:
        """Polls the payment until its status is final, at growing intervals, and returns it.

        All waits of one client share their requests: one request serves all tasks that wait for that
        payment, at most ``max_concurrency`` are in flight, and `wake` triggers one immediately. A
        `retried` payment is followed to its retry if `wake` was given that id; the payment returned
        then has another ``payment_id``. Otherwise `retried` is final.

        Args:
            payment_id: the payment to wait for.
            timeout: the longest wait, in seconds.
            poll: seconds before the second request; each further interval is 1.5 times longer, 30 at
                most. Of several waits for one payment the shortest ``poll`` applies. If more payments
                than ``max_concurrency`` are waited for, intervals are up to a quarter longer, so that
                requests that began together spread out.

        Raises:
            WaitTimeoutError: not final in time; ``payment`` is its last known state.
            ClientClosedError: the client is closed, or was closed during the wait.
            InvalidRequestError, NotFoundError, APIError, TransportError, ResponseDecodeError: as `get`.

        Cancellation: cancels the request in flight, unless another wait needs it.
        """
        watch = self.watch(
            payment_id, timeout=_arguments.check_seconds("timeout", timeout), poll=poll
        )
        seen: Payment | None = None
        async with watch:  # so that the request in flight ends in every case
            async for payment in watch:
                seen = payment
        assert seen is not None  # a watch that has seen no state raises
        return seen

    def watch(
        self, payment_id: UUID | str, *, timeout: float | None = None, poll: float = 1.0
    ) -> PaymentWatch:
        """Returns an iterator over the payment's states: the current one first, the final one last.

        Args:
            payment_id: the payment to watch.
            timeout: the longest time from the first step to the final state, in seconds; None:
                unlimited.
            poll: as `wait_until_final`, with which it shares its requests.

        Raises:
            InvalidRequestError: an argument is invalid.
        """
        limit = None if timeout is None else _arguments.check_seconds("timeout", timeout)
        wanted = _arguments.check_payment_id(payment_id)
        return self._tracker.watch(wanted, limit, _arguments.check_seconds("poll", poll))

    def wake(self, payment_id: UUID | str, *, retry_payment_id: UUID | str | None = None) -> None:
        """Requests a payment immediately if a task waits for it; call it for each webhook of a payment.

        A wait still returns the answer of Get Payment. Safe to call from any thread.

        Args:
            payment_id: the payment that may have changed.
            retry_payment_id: the payment that a `retried` event names. No API call can confirm that
                it is the retry of the other one, only that payee and amount are the same, so take it
                from events whose signature was verified. The latest 10,000 are kept. After the first
                `wake` on a client, waits that see `retried` wait up to 10 seconds for the webhook that
                names the retry.

        Raises:
            InvalidRequestError: not a UUID.
        """
        retry = retry_payment_id
        if retry is not None:
            retry = _arguments.check_payment_id(retry, "retry_payment_id")
        self._tracker.wakes.tell(_arguments.check_payment_id(payment_id), retry)

    def _listing(
        self,
        direction: Direction,
        selection: Selection,
        rows_per_page: int,
        max_concurrency: int | None,
        checkpoint: dict[str, Any] | None,
    ) -> PaymentListing:
        source = self._source(direction, rows_per_page)
        concurrency = self._concurrency(max_concurrency)
        return PaymentListing(source, concurrency, checkpoint, self._iterators.add, selection)

    def _source(self, direction: Direction, rows_per_page: int) -> PageSource:
        rows = _arguments.check_rows_per_page(rows_per_page)
        handler, sent_path = self._handler, self._sent_path

        async def fetch(page_no: int) -> tuple[int, Response]:
            request = _protocol.page_request(
                direction, page_no, rows, is_bounded=True, sent_path=sent_path
            )
            return page_no, await handler(request)

        def read_page(page_no: int, response: Response) -> PaymentPage:
            return read(
                lambda answer: _protocol.read_page(answer, page_no, rows, direction), response
            )

        return PageSource(
            direction=direction,
            rows_per_page=rows,
            fetch=fetch,
            read=read_page,
            tell=self._on_event,
        )

    def _concurrency(self, value: int | None) -> int:
        if value is None:
            return self._max_concurrency
        return _arguments.check_whole("max_concurrency", value, low=1)
