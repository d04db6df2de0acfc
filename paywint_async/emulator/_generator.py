"""Generates a record on demand from seed, direction and rank, which decide its content.

This is the part that all histories have in common; `HostileGenerator` and `EverydayGenerator` decide the
content. There is no list of records and no clock, so a million payments take no memory until they are
read.
"""

import struct
from abc import ABC, abstractmethod
from typing import NamedTuple

import attrs

from paywint_async.emulator._calendar import Calendar
from paywint_async.emulator._identity import TAG_BYTES, DirectionName, Identity
from paywint_async.emulator._payment import EmulatedPayment

_PARTIES = 512
_DRAW = struct.Struct(f">{TAG_BYTES}x QQQ HI BBBBB")


class Chance(NamedTuple):
    """The random numbers of a record, one for each property; the fields of `_DRAW`."""

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
    """The id, direction, rank and creation time of a record."""

    payment_id: str
    direction: DirectionName
    rank: int
    created_at_us: int


class Generator(ABC):
    """Generates the records of a seed.

    Args:
        identity: The seed's ids and randomness.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.account = Party(identity.uuid("account"), "Emulated Goods & Co.")
        self._parties: dict[int, Party] = {}  # made on demand: most emulators serve few payments

    def somebody(self, purpose: str) -> Party:
        """A party other than the account; the same for the same purpose."""
        return self._party_of(self._identity.bits(purpose)[0])

    def created_at_us(self, direction: DirectionName, rank: int, calendar: Calendar) -> int:
        """The creation time of the payment of this rank, in Unix microseconds."""
        chance = Chance(*_DRAW.unpack_from(self._identity.draw(direction, rank)))
        return calendar.created_at_us(rank, chance.jitter)

    def payment(self, direction: DirectionName, rank: int, calendar: Calendar) -> EmulatedPayment:
        """The payment of this rank."""
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
        return self._party_of(chance.party % _PARTIES)

    def _party_of(self, index: int) -> Party:
        party = self._parties.get(index)
        if party is None:
            party = self._parties[index] = self._make_party(index)
        return party

    def _make_party(self, index: int) -> Party:
        bits = int.from_bytes(self._identity.bits(f"name {index}")[:8], "big")
        return Party(self._identity.uuid(f"party {index}"), self._name(index, bits))

    @abstractmethod
    def _name(self, index: int, bits: int) -> str:
        """The name of the party of this number."""

    @abstractmethod
    def _fill(self, slot: Slot, chance: Chance) -> EmulatedPayment:
        """Make the record of a slot from its random numbers."""
