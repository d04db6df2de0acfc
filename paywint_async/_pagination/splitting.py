"""Splits a list into ranges, with one request for each. Imported on first use."""

from __future__ import annotations

from paywint_async._errors import IncompleteHistoryError
from paywint_async._pagination.decision import ContinuityError
from paywint_async._pagination.position import Selection
from paywint_async._pagination.ranges import ListingRange, cut, make_ranges
from paywint_async._pagination.run import PageSource, read_answer


async def split(source: PageSource, parts: int, selection: Selection) -> list[ListingRange]:
    """Returns the ranges of a snapshot; needs about one request for each, one after another.

    Raises:
        IncompleteHistoryError: the answers contradict each other.
        PaywintError: whatever the requests raise.
    """
    asking = cut(source.rows_per_page, parts, selection)
    try:
        page_no = next(asking)
        while True:
            page_no = asking.send(await read_answer(source, await source.fetch(page_no)))
    except StopIteration as end:
        return make_ranges(end.value, source.direction)
    except ContinuityError as error:
        problem = str(error)
    raise IncompleteHistoryError(
        f"the list of {source.direction} payments cannot be split: {problem}"
    )
