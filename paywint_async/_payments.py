"""What a caller does with payments. Checks arguments, sends calls, tells what they mean."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID
from weakref import WeakSet

from paywint_async import _arguments, _protocol
from paywint_async._calls import read, send
from paywint_async._config import SENT_PATH
from paywint_async._errors import InvalidRequestError, OutcomeUnknownError
from paywint_async._events import OnEvent, ignore
from paywint_async._find_created import find_candidates
from paywint_async._messages import Handler, Response
from paywint_async._models import CheckoutToken, Direction, Payment, PaymentLink, PaymentPage
from paywint_async._pagination.iterator import ListingIterator
from paywint_async._pagination.listing import PaymentListing
from paywint_async._pagination.merge import HistoryListing
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
        self._iterators: WeakSet[ListingIterator[Any]] = WeakSet()  # those in use

    async def create_link(
        self,
        amount: Decimal | int,
        *,
        description: str | None = None,
        invoice_number: str | None = None,
    ) -> PaymentLink:
        """A new pending payment, and the link at which it can be paid.

        Args:
            amount: US dollars, above zero, at most two decimals; a float is refused.
            description: shown to the payer, at most 255 characters.
            invoice_number: at most 20 characters.

        Raises:
            InvalidRequestError: an argument was refused; nothing was sent.
            OutcomeUnknownError: the link may or may not exist. Never sent twice in that case.
            APIError: the API refused; there is no link.
            TransportError: no connection; there is no link.

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
        """A short-lived token for the inline checkout, for a payer's email or phone.

        Args:
            amount: above zero, at most 100,000, at most two decimals; a float is refused.
            email: the payer's; either this or a phone number.
            phone: 5 to 20 characters, together with ``phone_country_code`` such as ``+1``.
            phone_country_code: 1 to 10 characters.
            currency: 3 to 10 characters.

        Raises:
            as `create_link`.

        Source: Create Checkout Token.
        """
        call = _protocol.create_checkout_token(amount, email, phone, phone_country_code, currency)
        return await send(self._handler, call)

    async def get(self, payment_id: UUID | str) -> Payment:
        """The payment as it is now.

        Raises:
            InvalidRequestError: no UUID; nothing was sent.
            NotFoundError: no such payment in this account.
            APIError, TransportError: after the retries.

        Source: Get Payment.
        """
        return await send(self._handler, _protocol.get(payment_id))

    async def find_created(self, error: OutcomeUnknownError) -> Payment | None:
        """The payment that a `create_link` of unknown outcome has made after all, or None.

        Reads the received payments from that moment on, and looks for one that is still pending,
        with that amount and description, created while the request was under way (by the server's
        clock, which the list tells). None: there is none now. A request that timed out may still be
        on its way to the server, so look again after a while before you ask for another link.

        Args:
            error: what `create_link` raised.

        Raises:
            InvalidRequestError: the error is not of `create_link`.
            OutcomeUnknownError: several payments match; ``candidates`` holds them.
            IncompleteHistoryError, APIError, TransportError: the list could not be read.
        """
        if not isinstance(error, OutcomeUnknownError):
            raise InvalidRequestError("error", "must be the OutcomeUnknownError of a create_link")
        if error.operation != "create_link":
            raise InvalidRequestError("error", f"is of {error.operation}, which makes no payment")
        found = await find_candidates(self.received(), error)
        if len(found) > 1:
            raise error.with_candidates(found)
        return found[0] if found else None

    async def page(
        self, direction: Direction | str, page_no: int, rows_per_page: int = 100
    ) -> PaymentPage:
        """One page as the API has it at this moment, counted from 1; for everything use a listing.

        Raises:
            InvalidRequestError: an argument was refused; nothing was sent.
            APIError, TransportError: after the retries.

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
        rows_per_page: int = 100,
        max_concurrency: int | None = None,
        checkpoint: dict[str, Any] | None = None,
    ) -> PaymentListing:
        """The payments this account has sent, as a listing; nothing is read before it is iterated.

        Args:
            rows_per_page: 10, 20, 50 or 100; 100 needs the fewest requests.
            max_concurrency: requests in flight at most; None: the client's.
            checkpoint: of an earlier listing of this direction; resumes right behind it.

        Raises:
            InvalidRequestError: an argument was refused.
        """
        return self._listing(Direction.SENT, rows_per_page, max_concurrency, checkpoint)

    def received(
        self,
        *,
        rows_per_page: int = 100,
        max_concurrency: int | None = None,
        checkpoint: dict[str, Any] | None = None,
    ) -> PaymentListing:
        """The payments this account has received; arguments as `sent`."""
        return self._listing(Direction.RECEIVED, rows_per_page, max_concurrency, checkpoint)

    def history(
        self,
        *,
        rows_per_page: int = 100,
        max_concurrency: int | None = None,
        checkpoint: dict[str, Any] | None = None,
    ) -> HistoryListing:
        """Sent and received payments, read at once and merged newest first; arguments as `sent`.

        ``max_concurrency`` bounds both directions together, ``checkpoint`` is of an earlier history.
        """
        sources = [self._source(direction, rows_per_page) for direction in Direction]
        concurrency = self._concurrency(max_concurrency)
        return HistoryListing(sources, concurrency, checkpoint, self._iterators.add)

    async def wait_until_final(
        self, payment_id: UUID | str, *, timeout: float, poll: float = 1.0
    ) -> Payment:
        """The payment, once its status is final; asked for at growing intervals.

        Any number of waits share the looks of one client: one at a payment for all who wait for it, at
        most ``max_concurrency`` at a time, and at once where `wake` tells of it. A payment that is
        `retried` is followed to its retry where `wake` has told which that is; what comes back then
        has another ``payment_id``. Otherwise `retried` is the end.

        Args:
            payment_id: of the payment to watch.
            timeout: seconds to wait at most.
            poll: seconds before the second look; each next wait is 1.5 times longer, 30 at most. Who
                waits with the shortest one decides for all who wait for that payment; if more
                payments than ``max_concurrency`` are waited for, up to a quarter is added, so that
                what began together spreads out.

        Raises:
            WaitTimeoutError: not final in time; ``payment`` is how it was last seen.
            ClientClosedError: the client was closed meanwhile.
            APIError, TransportError: as `get`.

        Cancellation: ends the look under way, unless somebody else waits for that payment, too.
        """
        watch = self.watch(
            payment_id, timeout=_arguments.check_seconds("timeout", timeout), poll=poll
        )
        seen: Payment | None = None
        async with watch:  # which ends the look under way, however this is left
            async for payment in watch:
                seen = payment
        assert seen is not None  # a watch without any state ends in an error
        return seen

    def watch(
        self, payment_id: UUID | str, *, timeout: float | None = None, poll: float = 1.0
    ) -> PaymentWatch:
        """The payment's states as they are seen, to iterate: the present one first, the final one last.

        Args:
            payment_id: of the payment to watch.
            timeout: seconds from the first step to the final state at most; None: for ever.
            poll: as `wait_until_final`, with which it shares its looks.

        Raises:
            InvalidRequestError: an argument was refused.
        """
        limit = None if timeout is None else _arguments.check_seconds("timeout", timeout)
        wanted = _arguments.check_payment_id(payment_id)
        return self._tracker.watch(wanted, limit, _arguments.check_seconds("poll", poll))

    def wake(self, payment_id: UUID | str, *, retry_payment_id: UUID | str | None = None) -> None:
        """Looks at a payment at once, where it is waited for: to be called for each webhook of it.

        It believes nothing: what a wait returns is what Get Payment says. Safe from any thread.

        Args:
            payment_id: of the payment that may have changed.
            retry_payment_id: the payment that a `retried` event names. No API call can confirm that
                it belongs to the other one, only that it asks the same payee for the same amount, so
                take it from events whose signature was verified. The latest 10,000 are remembered.
                Once a client was woken, waits that see `retried` give the webhook that names the
                retry 10 seconds to come.

        Raises:
            InvalidRequestError: no UUID.
        """
        retry = retry_payment_id
        if retry is not None:
            retry = _arguments.check_payment_id(retry, "retry_payment_id")
        self._tracker.wakes.tell(_arguments.check_payment_id(payment_id), retry)

    def _listing(
        self,
        direction: Direction,
        rows_per_page: int,
        max_concurrency: int | None,
        checkpoint: dict[str, Any] | None,
    ) -> PaymentListing:
        source = self._source(direction, rows_per_page)
        concurrency = self._concurrency(max_concurrency)
        return PaymentListing(source, concurrency, checkpoint, self._iterators.add)

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
