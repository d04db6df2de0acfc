"""Reads a ledger and an account's history, and matches them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, islice
from typing import Any, cast

import attrs

from paywint_async import HistoryEntry, Payment, Payments
from paywint_async.export import display_name, reader
from paywint_async.export._transfer import OnProgress
from paywint_async.reconcile._activity import Activity
from paywint_async.reconcile._agreement import Agreement
from paywint_async.reconcile._column_parser import PlainRows
from paywint_async.reconcile._coverage import Coverage
from paywint_async.reconcile._errors import ReconcileError
from paywint_async.reconcile._ledger import OpenedLedger, unit_of
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._matching import Matching, MatchResult
from paywint_async.reconcile._payouts import LATEST, LONGEST
from paywint_async.reconcile._pipes import readable, shown_name
from paywint_async.reconcile._records import PAID, PaymentFact, Period
from paywint_async.reconcile._totals import Statement, statement

_MOST_SOURCES = 10_000


@attrs.frozen(kw_only=True)
class ReconcileOptions:
    """The options of a comparison."""

    ledger: str
    format: LedgerFormat
    period: Period = attrs.field(factory=Period)
    date_window: int = 3

    @property
    def directions(self) -> tuple[str, ...]:
        """The compared directions."""
        return ("received", "sent") if self.format.direction == "both" else (self.format.direction,)

    @property
    def first_day(self) -> date | None:
        """The first day of creation that is read; None: all payments from the first.

        A payment counts on the day it was paid, but lists are in the order of creation. So payments
        that were created before the period are read, too, as far back as a payout and the date window
        can reach.
        """
        days = LONGEST + LATEST + self.date_window
        return _shifted(self.period.since, -days)

    @property
    def span(self) -> dict[str, datetime]:
        """The listing's options for the payments that the period needs."""
        span = {"since": self.first_day, "until": _shifted(self.period.until, self.date_window + 1)}
        midnight, zone = time(), self.format.zone
        return {
            name: datetime.combine(day, midnight, tzinfo=zone).astimezone(UTC)
            for name, day in span.items()
            if day is not None and 1 < day.year < 9999  # representable in each time zone
        }

    @property
    def name(self) -> str:
        """The ledger's name, without a password, as valid text."""
        return display_name(shown_name(self.ledger)).encode("utf-8", "replace").decode()

    @property
    def unit(self) -> str:
        """The unit in which a row's place counts, such as ``line``."""
        return unit_of(self.ledger)


@attrs.frozen(kw_only=True)
class Report:
    """The result of a comparison, when ledger and history were read to their ends.

    ``notes`` say what was detected about the ledger, and what weakens the evidence; read them before
    the differences. ``sources`` are rows of the differences as they are in the file, by place, and
    ``unit`` is what a place counts. ``found_options`` are the detected options by name, as a profile
    has them.
    """

    options: ReconcileOptions
    result: MatchResult
    activities: Mapping[str, Activity]
    made_at: datetime
    notes: tuple[str, ...] = ()
    sources: Mapping[int, str] = attrs.field(factory=dict)
    found_options: Mapping[str, str] = attrs.field(factory=dict)
    unit: str = attrs.field(
        default=attrs.Factory(lambda report: report.options.unit, takes_self=True)
    )

    @property
    def agrees(self) -> bool:
        """Whether there is no difference."""
        return self.result.agrees

    @property
    def statements(self) -> list[Statement]:
        """For each direction, the steps from the ledger's paid sum to Paywint's."""
        sides = self.result.ledger, self.result.paywint
        return [statement(direction, *sides) for direction in self.options.directions]


async def reconcile(
    payments: Payments,
    options: ReconcileOptions,
    *,
    on_progress: OnProgress = lambda done, total: None,
    **listing: Any,
) -> Report:
    """Compare a ledger with the payments of an account, each of which is read exactly once.

    Args:
        payments: of the client.
        options: the ledger, and how to compare it.
        on_progress: called with the number of payments read and their total, None if unknown.
        listing: options of the listing, such as ``max_concurrency``.

    Raises:
        LedgerError: the ledger cannot be read; no request was sent.
        IncompleteHistoryError, APIError, TransportError, ResponseDecodeError, ClientClosedError: as the
            listing; there is no result then.
        ReconcileError: a payment is not in US dollars, or its day is out of the calendar.

    Cancellation: the requests end.
    """
    async with readable(options.ledger) as path:
        comparison = _Comparison(options, path)
        await comparison.read_ledger()
        await comparison.read_history(payments, on_progress, listing)
        await comparison.match_disagreeing()
        return comparison.finish()


class _Comparison:
    def __init__(self, options: ReconcileOptions, path: str) -> None:
        self._options = options
        self._matching = Matching(
            directions=options.directions,
            period=options.period,
            date_window=options.date_window,
        )
        self._activities = {direction: Activity() for direction in options.directions}
        self._ledger = OpenedLedger(path, options.format)
        self._coverage = Coverage(options.directions, options.period)
        self._agreement = Agreement()
        self._disagreeing: list[PaymentFact] = []  # with plain rows

    async def read_ledger(self) -> None:
        columns = self._ledger.columns(self._options.directions, self._options.period)
        rows = self._ledger.rows() if columns is None else self._ledger.plain_rows(columns)
        async with aclosing(rows):
            async for row in rows:
                if isinstance(row, PlainRows):
                    self._coverage.take_plain(row)
                    self._agreement.add(row)
                    continue
                self._coverage.take(row)
                self._matching.add_row(row)
                if columns is not None and not columns.is_hopeless:
                    self._agreement.add_parsed(row)
        directions_by, hint = self._ledger.directions_by()
        self._coverage.refuse_too_little(self._options.name, directions_by=directions_by, hint=hint)

    async def read_history(
        self, payments: Payments, on_progress: OnProgress, listing: Mapping[str, Any]
    ) -> None:
        direction = self._options.format.direction
        reading = reader(payments, direction, **self._options.span, **listing)(None)
        done = 0
        async with aclosing(reading.pages()) as pages:
            async for page in pages:
                self._matching.add_payments([*self._not_agreed(page, direction)])
                done += len(page)
                on_progress(done, reading.total)

    async def match_disagreeing(self) -> None:
        """Match the plain rows that do not agree with their payments."""
        if self._agreement.has_open:
            async with aclosing(self._ledger.open_rows(self._agreement)) as some:
                async for rows in some:
                    for row in rows:
                        self._matching.add_row(row)
        self._matching.add_payments(self._disagreeing)
        self._matching.add_agreed(self._agreement.totals())

    def _not_agreed(
        self, page: Sequence[Payment | HistoryEntry], usual_direction: str
    ) -> Iterator[PaymentFact]:
        """Count the payments of a page; yield those that no plain row names."""
        for direction, payments in _by_direction(page, usual_direction):
            groups: defaultdict[tuple[date, str], list[Payment]] = defaultdict(list)
            for day, payment in zip(self._days(payments), payments, strict=True):
                groups[day, payment.status._value_].append(payment)
            for (day, status), some in groups.items():
                amounts = [each.amount for each in some]
                is_inside = self._options.period.has(day)
                if is_inside:
                    durations = _durations(some) if status == PAID else ()
                    self._activities[direction].take_all(day, status, amounts, durations)
                unnamed, disagreeing = self._agreement.match(
                    some, amounts, direction, status, is_inside=is_inside
                )
                self._disagreeing += (self._fact(each, direction) for each in disagreeing)
                yield from (self._fact(each, direction) for each in unnamed)

    def _days(self, payments: Sequence[Payment]) -> list[date]:
        """Return the day of each payment in the time zone of the comparison."""
        if self._options.format.zone is UTC and {each.currency for each in payments} == {"USD"}:
            moments = [each.payment_date or each.created_at for each in payments]
            if {each.tzinfo for each in moments} == {UTC}:
                return [*map(datetime.date, moments)]
        return [self._when(each).date() for each in payments]

    def _fact(self, payment: Payment, direction: str) -> PaymentFact:
        return PaymentFact(
            payment_id=payment.payment_id,
            direction=direction,
            amount=payment.amount,
            status=payment.status.value,
            when=self._when(payment),
            party=payment.payer_name if direction == "received" else payment.payee_name,
            description=payment.description,
            reason=payment.failure_reason,
        )

    def _when(self, payment: Payment) -> datetime:
        """Return when a payment was paid, or else created, in the time zone of the comparison."""
        if payment.currency != "USD" and (payment.currency or "USD").upper() != "USD":
            raise ReconcileError(
                f"payment {payment.payment_id} is in {payment.currency}: only US dollars are compared"
            )
        when, zone = payment.payment_date or payment.created_at, self._options.format.zone
        try:
            return when.astimezone(zone)
        except OverflowError:
            raise ReconcileError(
                f"payment {payment.payment_id} is of {when}, which is out of the calendar in {zone}"
            ) from None

    def finish(self) -> Report:
        result = self._matching.finish()
        notes = [
            *self._ledger.notes(),
            *self._coverage.notes(),
            *self._coverage.notes_with_history(result, date_window=self._options.date_window),
        ]
        if "since" in self._options.span:
            day = self._options.first_day
            notes.append(
                f"payments created before {day} were not read, even if they were paid later"
            )
        return Report(
            options=self._options,
            result=result,
            activities=self._activities,
            made_at=datetime.now(UTC),
            notes=tuple(notes),
            sources=self._ledger.sources(_places(result)),
            found_options=self._ledger.found_options(),
            unit=self._ledger.unit,
        )


def _durations(payments: Sequence[Payment]) -> list[timedelta]:
    """Return the times from creation to payment of those that were ever paid."""
    return [each.payment_date - each.created_at for each in payments if each.payment_date]


def _by_direction(
    page: Sequence[Payment | HistoryEntry], direction: str
) -> Iterable[tuple[str, Sequence[Payment]]]:
    """Return the payments of each direction; a page has entries if ``direction`` is ``both``."""
    if direction != "both":
        return ((direction, cast(Sequence[Payment], page)),)
    groups: defaultdict[str, list[Payment]] = defaultdict(list)
    for entry in cast(Sequence[HistoryEntry], page):
        groups[entry.direction.value].append(entry.payment)
    return groups.items()


def _shifted(day: date | None, days: int) -> date | None:
    try:
        return None if day is None else day + timedelta(days=days)
    except OverflowError:
        return None


def _places(result: MatchResult) -> set[int]:
    """Return the places of the rows whose sources a report shows, at most 10,000."""
    places = (row.place for difference in result.differences for row in difference.rows)
    payouts = (payout.row.place for payout in result.payouts)
    return set(islice(chain(payouts, places), _MOST_SOURCES))
