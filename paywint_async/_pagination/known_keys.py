"""The keys that were delivered: none may come again, and the latest prove the place. Pure.

Methods that answer a question change nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from paywint_async._pagination.position import Key

_RECENT = 300  # three of the largest pages: an overlap is checked against up to that many keys
_KNOWN = 1000  # keys that may not come again, before all but the recent ones are forgotten


class KnownKeys:
    """The keys delivered last, in order, and a set of those that may not come again."""

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
        """The keys delivered last, and apart from them the ``unhanded`` last ones."""
        recent = tuple(self._recent)
        edge = len(recent) - unhanded
        return recent[:edge], recent[edge:]

    def overlap(self, keys: Sequence[Key], skip: int) -> range:
        """Which of a page's keys, of which ``skip`` stand before the next one, are to be those here."""
        return range(max(0, skip - len(self._recent)), min(skip, len(keys)))

    def agree(self, keys: Sequence[Key], skip: int) -> bool:
        """Whether a page shows the keys delivered last where they should stand, as far as it does."""
        shown = self.overlap(keys, skip)
        if not shown:  # as a rule
            return True
        recent, shift = list(self._recent), len(self._recent) - skip
        return (
            list(keys[shown.start : shown.stop]) == recent[shift + shown.start : shift + shown.stop]
        )

    def are_new(self, keys: Sequence[Key]) -> bool:
        """Whether none of these keys is known, and none of them stands here twice."""
        return len(set(keys)) == len(keys) and self._known.isdisjoint(keys)

    def find(self, keys: Sequence[Key]) -> list[int]:
        """The indexes at which recently delivered keys stand."""
        recent = set(self._recent)
        return [index for index, key in enumerate(keys) if key in recent]

    def add(self, keys: Sequence[Key]) -> None:
        """Adds the keys delivered next."""
        self._recent.extend(keys)
        self._known.update(keys)
        if len(self._known) > _KNOWN:
            self._known = set(self._recent)

    def re_anchor(self, keys: Sequence[Key]) -> None:
        """Takes the keys that a page shows before the next record in place of what stood there.

        Recent keys that are missing among them were deleted; all others here may not come again.
        """
        self._known.update(keys)
        recent = list(self._recent)
        if found := [keys[index] for index in self.find(keys)]:
            self._recent = deque([*recent[: recent.index(found[0])], *found], maxlen=_RECENT)
