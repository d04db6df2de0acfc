"""Chooses the pages to request when a record is looked up in a list that changes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from paywint_async._pagination.decision import ContinuityError, PageAnswer
from paywint_async._pagination.position import page_of

OUTRUN = "payments arrive, or are deleted, faster than they can be read"
_PATIENCE = 12  # consecutive answers without the records they were requested for
_NEIGHBOURS = (1, -1, 2, -2, 3, -3)  # tried after the pages where the record is expected


def pages_around(guess: Callable[[], list[int]], last: Callable[[], int]) -> Iterator[int]:
    """Yields the pages where a record should be, then their neighbours; starts over if the guess changes.

    Args:
        guess: returns the pages where the record should be, as far as is known now.
        last: returns the list's last page.

    Raises:
        ContinuityError: the record is on none of these pages.
    """
    guesses: list[int] = []
    tried: set[int] = set()
    while True:
        pages = guess()
        if guesses != (guesses := pages):
            tried.clear()
        around = (guesses[0] + step for step in _NEIGHBOURS)
        allowed = range(1, last() + 1)
        page = next((p for p in (*guesses, *around) if p in allowed and p not in tried), None)
        if page is None:
            raise ContinuityError(
                "the payments read last are not in this history (another account's?)"
            )
        tried.add(page)
        yield page


def last_page(total: int, rows: int) -> Generator[int, PageAnswer, PageAnswer]:
    """Yields page numbers, is sent the answers, and returns one that is the last page by its own total.

    A page that is not the last one by its own total does not show the end of the list.

    Args:
        total: of the latest answer.

    Raises:
        ContinuityError: payments arrive faster than the end can be read.
    """
    expected = total
    for _ in range(_PATIENCE):
        answer = yield page_of(expected - 1, rows)
        if answer.keys and answer.fits(rows) and answer.total <= answer.page_no * rows:
            return answer
        expected = answer.total + max(0, answer.total - total)  # as many may arrive again
        total = answer.total
    raise ContinuityError(OUTRUN)
