"""Generates records with extreme values, for tests of the handling of text and money."""

from paywint_async.emulator._generator import Chance, Generator, Slot
from paywint_async.emulator._hostile_catalogue import (
    FAILURES,
    FINAL_STATUSES,
    HARD_AMOUNTS,
    HARD_NAMES,
    METHODS,
    NAMES,
    NOTES,
    REJECTIONS,
    STATUSES,
)
from paywint_async.emulator._payment import EmulatedPayment

_SETTLING_US = 3 * 24 * 3600 * 1_000_000
_HARD_NAME_EVERY = 8
_Sides = tuple[str | None, str | None, str | None, str | None]


class HostileGenerator(Generator):
    """Trillions, digits that a float loses, names in many scripts, markup, formulas, null fields."""

    def _name(self, index: int, bits: int) -> str:
        names = HARD_NAMES if index % _HARD_NAME_EVERY == 0 else NAMES
        return names[bits % len(names)]

    def _fill(self, slot: Slot, chance: Chance) -> EmulatedPayment:
        status = STATUSES[chance.status]
        payer_id, payer_name, payee_id, payee_name = self._sides(slot, chance)
        return EmulatedPayment(
            payment_id=slot.payment_id,
            payer_id=payer_id,
            payer_name=payer_name,
            payee_id=payee_id,
            payee_name=payee_name,
            amount=_amount(chance.money),
            description=_description(chance.note),
            payment_method=METHODS[chance.paid_by % len(METHODS)],
            receiving_method=METHODS[chance.paid_to % len(METHODS)],
            created_at_us=slot.created_at_us,
            payment_date_us=_payment_date_us(status, slot.created_at_us, chance.settling),
            status=status,
            failure_reason=_failure(status, chance.reason),
        )

    def _sides(self, slot: Slot, chance: Chance) -> _Sides:
        """Id and name of payer and payee; each value of the other party may be null."""
        other = self._party(chance)
        other_id = other.party_id if chance.gaps & 0x0F else None
        other_name = other.name if chance.gaps >> 4 else None
        own = self.account
        if slot.direction == "sent":
            return own.party_id, own.name, other_id, other_name
        return other_id, other_name, own.party_id, own.name


def _payment_date_us(status: str, created_at_us: int, settling: int) -> int | None:
    return created_at_us + 1 + settling % _SETTLING_US if status in FINAL_STATUSES else None


def _amount(money: int) -> str:
    kind, magnitude, money = money & 15, 3 + (money >> 4 & 0xFF) % 5, money >> 12
    if kind == 0:
        return HARD_AMOUNTS[money % len(HARD_AMOUNTS)]
    dollars, cents = divmod(1 + money % 10**magnitude, 100)
    if kind == 1:
        return str(dollars + 1)
    if kind == 2:
        return f"{dollars}.{1 + cents % 9}"
    return f"{dollars}.{cents:02d}"


def _description(note: int) -> str | None:
    if note % 4 == 0:
        return f"Invoice INV-{note // 4 % 100_000}"
    return NOTES[note // 4 % len(NOTES)]


def _failure(status: str, reason: int) -> str | None:
    if status == "failed":
        return FAILURES[reason % len(FAILURES)]
    return REJECTIONS[reason % len(REJECTIONS)] if status == "rejected" else None
