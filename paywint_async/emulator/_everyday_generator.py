"""Generates records like those of a small company; the default."""

from paywint_async.emulator._everyday_catalogue import (
    COMPANIES,
    FAILURES,
    FAMILY_NAMES,
    GIVEN_NAMES,
    NOTES,
    QUICK_METHODS,
    REJECTIONS,
    SLOW_METHODS,
    STATUSES,
)
from paywint_async.emulator._generator import Chance, Generator, Slot
from paywint_async.emulator._identity import Identity
from paywint_async.emulator._payment import EmulatedPayment
from paywint_async.emulator._transitions import EXPIRED, FINAL, PROCESSING, SUCCESS, UNPAID

_COMPANY_EVERY = 5
_LINK_LIFE_US = 24 * 3600 * 1_000_000
_SLOW_US = (24 * 3600 * 1_000_000, 48 * 3600 * 1_000_000)
"""The least time until a payment is settled, and the range above that."""
_QUICK_US = (5_000_000, 600_000_000)
_AMOUNTS = (
    (55, 3_00, 99_99),
    (85, 100_00, 999_99),
    (98, 1_000_00, 4_999_99),
    (100, 5_000_00, 24_999_99),
)
"""(below this percentage, the least cents, the most)"""


class EverydayGenerator(Generator):
    """Amounts from 3 to 25,000 dollars, usual names, mostly paid, nothing in the future.

    Args:
        identity: The seed's ids and randomness.
        end_us: The end of the history, in Unix microseconds: a payment that was not settled by then is
            `processing`, and a link that was not used within a day has expired.
    """

    def __init__(self, identity: Identity, end_us: int) -> None:
        super().__init__(identity)
        self._end_us = end_us

    def _name(self, index: int, bits: int) -> str:
        if index % _COMPANY_EVERY == 0:
            return COMPANIES[bits % len(COMPANIES)]
        given, family = bits % len(GIVEN_NAMES), bits // len(GIVEN_NAMES) % len(FAMILY_NAMES)
        return f"{GIVEN_NAMES[given]} {FAMILY_NAMES[family]}"

    def _fill(self, slot: Slot, chance: Chance) -> EmulatedPayment:
        methods = SLOW_METHODS if chance.paid_by % 4 == 0 else QUICK_METHODS
        method = methods[chance.paid_by // 4 % len(methods)]
        status, ended_us = self._outcome(slot, chance, is_slow=methods is SLOW_METHODS)
        payer, payee = self._party(chance), self.account
        if slot.direction == "sent":
            payer, payee = payee, payer
        is_paid = status not in UNPAID and status != EXPIRED
        has_payer = is_paid or slot.direction == "sent"
        return EmulatedPayment(
            payment_id=slot.payment_id,
            payer_id=payer.party_id if has_payer else None,
            payer_name=payer.name if has_payer else None,
            payee_id=payee.party_id,
            payee_name=payee.name,
            amount=_amount(chance.money),
            description=_description(chance.note),
            payment_method=method if is_paid else None,
            receiving_method="PW_BANK" if status == SUCCESS else None,
            created_at_us=slot.created_at_us,
            payment_date_us=ended_us,
            status=status,
            failure_reason=_failure(status, chance.reason),
        )

    def _outcome(self, slot: Slot, chance: Chance, *, is_slow: bool) -> tuple[str, int | None]:
        """The status, and the time at which it was reached if it is final."""
        status, created_us = STATUSES[chance.status], slot.created_at_us
        if created_us >= self._end_us:  # it arrives while the emulator runs
            return status, created_us + 1 if status in FINAL else None
        if status in UNPAID or status == EXPIRED:
            expires_us = created_us + _LINK_LIFE_US
            if expires_us <= self._end_us:
                return EXPIRED, expires_us
            return ("pending" if status == EXPIRED else status), None
        first_us, range_us = _SLOW_US if is_slow else _QUICK_US
        settled_us = created_us + first_us + chance.settling % range_us
        return (status, settled_us) if settled_us <= self._end_us else (PROCESSING, None)


def _amount(money: int) -> str:
    """Dollars in the form in which JSON encoders write a float: `45.0`, `4.5`, `150.75`."""
    share, money = money % 100, money // 100
    least, most = next((least, most) for below, least, most in _AMOUNTS if share < below)
    cents = least + money % (most - least + 1)
    if money >> 32 & 1:  # half of the prices are whole dollars
        cents = max(cents - cents % 100, 3_00)
    dollars, rest = divmod(cents, 100)
    return f"{dollars}.{rest:02d}".removesuffix("0") if rest else f"{dollars}.0"


def _description(note: int) -> str | None:
    if note % 4 == 0:
        return f"Invoice INV-{1000 + note // 4 % 9000}"
    return NOTES[note // 4 % len(NOTES)]


def _failure(status: str, reason: int) -> str | None:
    if status == "failed":
        return FAILURES[reason % len(FAILURES)]
    return REJECTIONS[reason % len(REJECTIONS)] if status == "rejected" else None
