"""Generates a record on demand from seed, direction and rank.

This is common to all histories; `HostileGenerator` and `EverydayGenerator` fill in the content. No
record is stored, so a million payments cost nothing until they are read.
"""

import struct
from abc import ABC, abstractmethod
from typing import NamedTuple

import attrs

from paywint_async.emulator._calendar import Calendar
from paywint_async.emulator._identity import TAG_BYTES, Direction, Identity
from paywint_async.emulator._payment import EmulatedPayment

_PARTIES = 512
_DRAW = struct.Struct(f">{TAG_BYTES}x QQQ HI BBBBB")


class Chance(NamedTuple):
    """The random numbers of a record, one for each property; `_DRAW` unpacks them."""

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
    """A payer or payee."""

    party_id: str
    name: str


@attrs.frozen(kw_only=True)
class Slot:
    """The id, direction, rank and time of a record."""

    payment_id: str
    direction: Direction
    rank: int
    created_at_us: int


class Generator(ABC):
    """Generates the records of a seed's history.

    Args:
        identity: The seed's ids and randomness.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.account = Party(identity.uuid("account"), "Emulated Goods & Co.")
        self._parties = [self._make_party(index) for index in range(_PARTIES)]

    def somebody(self, purpose: str) -> Party:
        """Return one of the other parties, always the same for the same purpose."""
        return self._parties[self._identity.bits(purpose)[0]]

    def created_at_us(self, direction: Direction, rank: int, calendar: Calendar) -> int:
        """Return the time of creation of the payment of a rank, in Unix microseconds."""
        chance = Chance(*_DRAW.unpack_from(self._identity.draw(direction, rank)))
        return calendar.created_at_us(rank, chance.jitter)

    def payment(self, direction: Direction, rank: int, calendar: Calendar) -> EmulatedPayment:
        """Return the payment of a rank."""
        draw = self._identity.draw(direction, rank)
        chance = Chance(*_DRAW.unpack_from(draw))
        slot = Slot(
            payment_id=self._identity.payment_id(direction, rank, draw),
            direction=direction,
            rank=rank,
            created_at_us=calendar.created_at_us(rank, chance.jitter),
        )
        return self._fill(slot, chance)

    def _party(self, chance: Chance) -> Party:
        return self._parties[chance.party % _PARTIES]

    def _make_party(self, index: int) -> Party:
        bits = int.from_bytes(self._identity.bits(f"name {index}")[:8], "big")
        return Party(self._identity.uuid(f"party {index}"), self._name(index, bits))

    @abstractmethod
    def _name(self, index: int, bits: int) -> str:
        """Return the name of a party."""

    @abstractmethod
    def _fill(self, slot: Slot, chance: Chance) -> EmulatedPayment:
        """Return the record of a slot."""
