"""Derives credentials, ids and random numbers from the seed.

All of them are blake2b hashes of seed, direction and rank: the same on every platform and version of
Python, and independent of the number of payments. Knows nothing of the content of payments.
"""

from hashlib import blake2b
from typing import Literal

DirectionName = Literal["sent", "received"]
DIRECTIONS: tuple[DirectionName, DirectionName] = ("sent", "received")

TAG_BYTES = 10
_TAG_BITS = 74
_LOW_BITS = 62


class Identity:
    """The credentials, ids and random numbers of one seed.

    A payment id is a version 4 UUID. Its 122 free bits are a 74-bit tag (a hash of direction and rank)
    and 48 bits for rank and direction, XORed with a pad derived from the tag. So two hashes recover the
    rank from an id, and ids of no payment are recognised.

    Args:
        seed: Any integer; equal seeds give equal results.
    """

    def __init__(self, seed: int) -> None:
        self._key = blake2b(f"paywint emulator {seed}".encode(), digest_size=32).digest()
        self._prefixes = {name: self._key + name.encode() for name in DIRECTIONS}
        self.api_key = self.uuid("api key")
        self.api_secret = f"pw_emulator_{self.bits('api secret').hex()[:48]}"
        # The other party of the account's payments.
        self.payer_key = self.uuid("payer key")
        self.payer_secret = f"pw_emulator_{self.bits('payer secret').hex()[:48]}"

    def bits(self, purpose: str) -> bytes:
        """64 bytes that depend only on the seed and the purpose."""
        return blake2b(self._key + b"/" + purpose.encode()).digest()

    def uuid(self, purpose: str) -> str:
        """A version 4 UUID that depends only on the seed and the purpose."""
        bits = self.bits(purpose)
        return _version_4(int.from_bytes(bits[:6], "big"), _tag(bits[6:]))

    def draw(self, direction: DirectionName, rank: int) -> bytes:
        """The 64 random bytes of a record; the first `TAG_BYTES` are also in its id."""
        return blake2b(self._prefixes[direction] + rank.to_bytes(8, "big")).digest()

    def payment_id(self, direction: DirectionName, rank: int, draw: bytes | None = None) -> str:
        """The id of the payment of this rank, as a lower-case UUID.

        Args:
            draw: The result of `draw` for this rank, if the caller has it.
        """
        tag = _tag(draw if draw is not None else self.draw(direction, rank))
        place = rank << 1 | DIRECTIONS.index(direction)
        return _version_4(place ^ self._pad(tag), tag)

    def locate(self, payment_id: str) -> tuple[DirectionName, int] | None:
        """The direction and rank of a payment id of this seed; None if it is not one.

        Args:
            payment_id: A UUID in its hyphenated form, in either case.
        """
        number = int(payment_id.replace("-", ""), 16)
        tag = (number >> 64 & 0xFFF) << _LOW_BITS | number & (1 << _LOW_BITS) - 1
        place = number >> 80 ^ self._pad(tag)
        direction, rank = DIRECTIONS[place & 1], place >> 1
        # Only a valid id is encoded to itself; this also checks version and variant.
        if self.payment_id(direction, rank) != payment_id.lower():
            return None
        return direction, rank

    def _pad(self, tag: int) -> int:
        salted = self._key + b"|" + tag.to_bytes(TAG_BYTES, "big")
        return int.from_bytes(blake2b(salted, digest_size=6).digest(), "big")


def _tag(bits: bytes) -> int:
    return int.from_bytes(bits[:TAG_BYTES], "big") >> TAG_BYTES * 8 - _TAG_BITS


def _version_4(place: int, tag: int) -> str:
    high, low = tag >> _LOW_BITS, tag & (1 << _LOW_BITS) - 1
    number = place << 80 | 0x4000 << 64 | high << 64 | 0b10 << _LOW_BITS | low
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
