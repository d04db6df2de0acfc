"""The delivered keys: none may be delivered twice, and the latest prove the position. Pure.

Methods that answer a question change nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from paywint_async._pagination.position import Key

_RECENT = 300  # three of the largest pages: an overlap is checked against up to that many keys
_KNOWN = 1000  # size of the set of delivered keys at which all but the recent ones are dropped


class KnownKeys:
    """The keys delivered last, in order, and a larger set that detects repeated delivery."""

    def __init__(self, recent: Iterable[Key] = ()) -> None:
        self._recent: deque[Key] = deque(recent, maxlen=_RECENT)
        self._known = set(self._recent)

    def __bool__(self) -> bool:
        return bool(self._recent)

    @property
    def last(self) -> Key | None:
        """The key delivered last."""
        return self._recent[-1] if self._recent else None

    def split(self, unhanded: int) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
        """Splits the recent keys into those handed over and the last ``unhanded`` ones."""
        recent = tuple(self._recent)
        edge = len(recent) - unhanded
        return recent[:edge], recent[edge:]

    def overlap(self, keys: Sequence[Key], skip: int) -> range:
        """The indexes in a page that must repeat recent keys; ``skip`` keys precede the one due next."""
        return range(max(0, skip - len(self._recent)), min(skip, len(keys)))

    def agree(self, keys: Sequence[Key], skip: int) -> bool:
        """Whether a page repeats the recent keys at the indexes of `overlap`."""
        shown = self.overlap(keys, skip)
        if not shown:  # as a rule
            return True
        recent, shift = list(self._recent), len(self._recent) - skip
        return (
            list(keys[shown.start : shown.stop]) == recent[shift + shown.start : shift + shown.stop]
        )

    def are_new(self, keys: Sequence[Key]) -> bool:
        """Whether none of these keys is known, and none is repeated among them."""
        return len(set(keys)) == len(keys) and self._known.isdisjoint(keys)

    def find(self, keys: Sequence[Key]) -> list[int]:
        """The indexes of recently delivered keys in ``keys``: the longest run in the order of delivery.

        Keys outside that run have been moved, and do not show where the others stand.
        """
        places = {key: place for place, key in enumerate(self._recent)}
        runs: list[list[int]] = [[]]
        previous = -1
        for index, key in enumerate(keys):
            if (place := places.get(key)) is None:
                continue
            if place < previous:
                runs.append([])
            runs[-1].append(index)
            previous = place
        return max(runs, key=len)

    def is_lone(self, keys: Sequence[Key], first: int) -> bool:
        """Whether a page from offset ``first`` on shows one recent key, without its predecessor.

        Such a key has been moved: it does not show where the others stand.
        """
        found = self.find(keys)
        if len(found) != 1 or keys[found[0]] == self._recent[0]:
            return False
        return found[0] > 0 or first == 0

    def ends_with(self, keys: Sequence[Key]) -> bool:
        """Whether these keys were delivered last, in this order, as far as the recent ones reach."""
        recent = list(self._recent)[-len(keys) :]
        return bool(recent) and recent == list(keys[-len(recent) :])

    def add(self, keys: Sequence[Key]) -> None:
        """Adds the keys delivered next."""
        self._recent.extend(keys)
        self._known.update(keys)
        if len(self._known) > _KNOWN:
            self._known = set(self._recent)

    def re_anchor(self, keys: Sequence[Key]) -> None:
        """Replaces the recent keys by those that a page shows before the record due next.

        Recent keys that the page no longer shows were deleted. All keys remain known.
        """
        self._known.update(keys)
        recent = list(self._recent)
        if found := [keys[index] for index in self.find(keys)]:
            self._recent = deque([*recent[: recent.index(found[0])], *found], maxlen=_RECENT)
