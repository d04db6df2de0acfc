"""A record from its rank, made when asked: (seed, direction, rank) and nothing else decides it.

It holds no history and no clock, so a million payments cost nothing until somebody reads them.
"""

import struct
from typing import NamedTuple

import attrs

from paywint_async.emulator._catalogue import (
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
from paywint_async.emulator._identity import TAG_BYTES, Direction, Identity
from paywint_async.emulator._payment import EmulatedPayment

EPOCH_US = 1_420_070_400_000_000
"""2015-01-01T00:00:00Z, where every history begins."""

STEP_US = 300_000_000
"""The average time from one payment to the next: five minutes."""

_SETTLING_US = 3 * 24 * 3600 * 1_000_000
_PARTIES = 512
_HARD_NAME_EVERY = 8
_Sides = tuple[str | None, str | None, str | None, str | None]
_DRAW = struct.Struct(f">{TAG_BYTES}x QQQ HI BBBBB")


class _Chance(NamedTuple):
    """The randomness of a record, one number for each thing that varies; as `_DRAW` reads it."""

    jitter: int
    settling: int
    money: int
    party: int
    note: int
    status: int
    paid_by: int
    paid_to: int
    reason: int
    gaps: int


@attrs.frozen
class Party:
    """Somebody who pays or is paid."""

    party_id: str
    name: str


class Generator:
    """The generated part of a seed's history.

    Args:
        identity: The seed's ids and randomness.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.account = Party(identity.uuid("account"), "Emulated Goods & Co.")
        self._parties = [self._party(index) for index in range(_PARTIES)]

    def somebody(self, purpose: str) -> Party:
        """One of the other parties; the same for the same purpose."""
        return self._parties[self._identity.bits(purpose)[0]]

    def created_at_us(self, direction: Direction, rank: int) -> int:
        """When the payment of this rank was made, in Unix microseconds; it grows with the rank."""
        chance = _Chance(*_DRAW.unpack_from(self._identity.draw(direction, rank)))
        return _created_at_us(rank, chance.jitter)

    def payment(self, direction: Direction, rank: int, shift_us: int = 0) -> EmulatedPayment:
        """The payment of this rank.

        Args:
            shift_us: Microseconds by which both of its times are moved.
        """
        draw = self._identity.draw(direction, rank)
        chance = _Chance(*_DRAW.unpack_from(draw))
        created = _created_at_us(rank, chance.jitter) + shift_us
        status = STATUSES[chance.status]
        payer_id, payer_name, payee_id, payee_name = self._sides(
            direction, chance.party, chance.gaps
        )
        return EmulatedPayment(
            payment_id=self._identity.payment_id(direction, rank, draw),
            payer_id=payer_id,
            payer_name=payer_name,
            payee_id=payee_id,
            payee_name=payee_name,
            amount=_amount(chance.money),
            description=_description(chance.note),
            payment_method=METHODS[chance.paid_by % len(METHODS)],
            receiving_method=METHODS[chance.paid_to % len(METHODS)],
            created_at_us=created,
            payment_date_us=_payment_date_us(status, created, chance.settling),
            status=status,
            failure_reason=_failure(status, chance.reason),
        )

    def _party(self, index: int) -> Party:
        bits = int.from_bytes(self._identity.bits(f"name {index}")[:8], "big")
        names = HARD_NAMES if index % _HARD_NAME_EVERY == 0 else NAMES
        return Party(self._identity.uuid(f"party {index}"), names[bits % len(names)])

    def _sides(self, direction: Direction, party: int, gaps: int) -> _Sides:
        """Payer's id and name, then payee's; of the other side each is unknown now and then."""
        other = self._parties[party % _PARTIES]
        other_id = other.party_id if gaps & 0x0F else None
        other_name = other.name if gaps >> 4 else None
        own = self.account
        if direction == "sent":
            return own.party_id, own.name, other_id, other_name
        return other_id, other_name, own.party_id, own.name


def _created_at_us(rank: int, jitter: int) -> int:
    # The jitter stays below the step: that alone makes the times strictly increasing.
    return EPOCH_US + (rank - 1) * STEP_US + jitter % STEP_US


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
