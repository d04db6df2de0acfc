"""Finds the pairs of a row and a payment that agree completely, as most do, in little memory. Pure.

Such a pair has one id and one direction, no other row names that payment, and amount and status are
equal. It is not a difference and affects no other pair, so only totals of it are kept. All other rows and
payments are matched by `Matching`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, Inexact
from itertools import compress, islice, repeat

import attrs

from paywint_async import Payment
from paywint_async.reconcile._column_parser import (
    CODE_BITS,
    CODE_MASK,
    Meaning,
    PlainRows,
    code_of,
    codes_of,
    key_of,
    keys_of,
    meaning_of,
)
from paywint_async.reconcile._records import LedgerRow
from paywint_async.reconcile._totals import EXACTLY, Sum

_CENT, _FACTOR = Decimal("0.01"), Decimal(100 << CODE_BITS)
_PARSED, _REPEATED = -1, -2  # instead of a content; no code of a row is all ones


@attrs.frozen(kw_only=True)
class AgreedTotal:
    """The totals of agreed pairs of one status and direction; ``is_inside`` is of their payments."""

    rows: Meaning
    is_inside: bool
    ledger: Sum
    paywint: Sum


class Agreement:
    """The plain rows without the payments that agree with them.

    All rows are added first, then `match` is called with each payment.
    """

    def __init__(self) -> None:
        self._contents: dict[int, int] = {}
        self._plain = bytearray()  # by the number of a record: whether its row is plain
        self._totals: defaultdict[tuple[int, bool], Sum] = defaultdict(Sum)

    @property
    def has_rows(self) -> bool:
        """Whether any plain row was added."""
        return bool(self._plain)

    def add(self, rows: PlainRows) -> None:
        """Add plain rows, whose numbers are greater than those before."""
        self._plain.extend(bytes(rows.numbers[0] - len(self._plain)))
        if len(rows.numbers) == rows.numbers[-1] + 1 - rows.numbers[0]:
            self._plain.extend(b"\1" * len(rows.numbers))
        else:
            self._plain.extend(bytes(rows.numbers[-1] + 1 - len(self._plain)))
            for number in rows.numbers:
                self._plain[number] = 1
        contents = self._contents
        count = len(contents)
        contents.update(zip(rows.keys, rows.contents, strict=True))
        if len(contents) == count + len(rows.keys):
            return
        new = {*islice(reversed(contents), len(contents) - count)}  # which are the last ones
        for key, times in Counter(rows.keys).items():
            if times > 1 or key not in new:
                contents[key] = _REPEATED

    def add_parsed(self, row: LedgerRow) -> None:
        """Add a row that is not plain, and that `Matching` has already."""
        if row.payment_id is not None:
            key = key_of(row.payment_id.int, row.direction)
            is_plain = self._contents.get(key, _PARSED) != _PARSED
            self._contents[key] = _REPEATED if is_plain else _PARSED

    def match(
        self,
        payments: Sequence[Payment],
        amounts: Sequence[Decimal],
        direction: str,
        status: str,
        *,
        is_inside: bool,
    ) -> tuple[Sequence[Payment], Sequence[Payment]]:
        """Count the payments that agree with a plain row, and forget these rows.

        Args:
            payments: of one direction and status.
            amounts: of the payments.
            direction: of the payments.
            status: of the payments.
            is_inside: whether they are in the period.

        Returns:
            The payments that no plain row names; and those of which `Matching` needs a plain row first.
        """
        keys = keys_of([each.payment_id.int for each in payments], direction)
        contents = [*map(self._contents.get, keys, repeat(_PARSED))]
        code = code_of(status, direction, is_inside=is_inside)
        if code is not None and _contents_of(amounts, code) == contents:
            self._forget(keys)
            self._totals[code, is_inside].take_all(amounts)
            return (), ()
        known = codes_of(status, direction)
        agree = [
            each & CODE_MASK in known and _contents_of([amount], each & CODE_MASK) == [each]
            for amount, each in zip(amounts, contents, strict=True)
        ]
        self._forget(compress(keys, agree))
        for content, amount in compress(zip(contents, amounts, strict=True), agree):
            self._totals[content & CODE_MASK, is_inside].take(amount)
        others = [
            (payment, content == _PARSED)
            for payment, content, is_agreed in zip(payments, contents, agree, strict=True)
            if not is_agreed
        ]
        return (
            [payment for payment, is_unnamed in others if is_unnamed],
            [payment for payment, is_unnamed in others if not is_unnamed],
        )

    def _forget(self, keys: Iterable[int]) -> None:
        for key in keys:
            del self._contents[key]

    def totals(self) -> Iterator[AgreedTotal]:
        """Yield the totals of the pairs that agree."""
        for (code, is_inside), paywint in self._totals.items():
            in_cents = paywint.amount.quantize(_CENT, context=EXACTLY)  # as all plain rows are
            ledger = Sum(count=paywint.count, amount=in_cents)
            yield AgreedTotal(
                rows=meaning_of(code), is_inside=is_inside, ledger=ledger, paywint=paywint
            )

    @property
    def has_open(self) -> bool:
        """Whether `Matching` needs any plain row."""
        return self.has_rows and any(each != _PARSED for each in self._contents.values())

    def is_plain(self, number: int) -> bool:
        """Return whether a record is a plain row."""
        return number < len(self._plain) and bool(self._plain[number])

    def may_be_open(self, payment_id: str) -> bool:
        """Return whether `is_open` can be true of a plain row with this id."""
        number = int(payment_id.replace("-", ""), 16)
        return any(key_of(number, each) in self._contents for each in ("sent", "received"))

    def is_open(self, row: LedgerRow) -> bool:
        """Return whether `Matching` needs a plain row."""
        assert row.payment_id is not None
        return key_of(row.payment_id.int, row.direction) in self._contents


def _contents_of(amounts: Iterable[Decimal], code: int) -> list[Decimal]:
    """Return the contents of rows with these amounts and this code; empty if one has 400 digits."""
    try:
        return [*map(EXACTLY.fma, amounts, repeat(_FACTOR), repeat(Decimal(code)))]
    except Inexact:
        return []
