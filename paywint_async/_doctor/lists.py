"""Judges the two lists: path, page sizes, order, totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from paywint_async._doctor.examination import INVALID_PAGE_SIZE, PAGE_SIZES, SMALLEST
from paywint_async._doctor.observations import Observations, Question, QuestionKind
from paywint_async._doctor.verdicts import Judgement, confirmed, contradicted, not_seen

DIRECTIONS = ("received", "sent")


def judge_sent_path(observations: Observations) -> Judgement:
    """Checks that the list of sent payments is at the assumed path."""
    asked = [each for each in observations.of_kind(QuestionKind.PAGE) if each.direction == "sent"]
    if any(each.is_page for each in asked):
        return confirmed(f"{_path(asked)} answers with a list")
    exchange = asked[0].exchange if asked else None
    if exchange is None or exchange.status in (401, 429) or exchange.status >= 500:
        return not_seen(observations.reason(asked))
    return contradicted(f"{_path(asked)} answers {exchange.status} and no list")


def _path(asked: Iterable[Question]) -> str:
    return next(each.exchange.request.path for each in asked if each.exchange is not None)


def judge_page_sizes(observations: Observations) -> Judgement:
    """Checks that pages of each published size are accepted, and have that size."""
    seen = list[str]()
    for rows in PAGE_SIZES:
        first_pages = [
            each
            for each in observations.of_kind(QuestionKind.PAGE)
            if (each.direction, each.page_no, each.rows) == ("received", 1, rows)
        ]
        for each in first_pages:
            if each.exchange is not None and each.exchange.status in (400, 413, 422):
                return contradicted(f"pages of {rows} are refused ({each.exchange.status})")
            if each.is_page and not _has_expected_length(each):
                return contradicted(
                    f"a page of {rows} has {len(each.records)} payments, "
                    f"where totalRecords says {_expected_length(each)}"
                )
            if each.is_page:
                seen.append(str(rows))
    if not seen:
        return not_seen(observations.reason())
    return confirmed(f"pages of {', '.join(seen)} are as asked for{_other(observations)}")


def _other(observations: Observations) -> str:
    for each in observations.of_kind(QuestionKind.INVALID_PAGE_SIZE):
        if each.exchange is not None and each.exchange.status < 500:
            is_accepted = each.exchange.is_success
            return f"; {INVALID_PAGE_SIZE} is {'accepted, too' if is_accepted else 'refused'}"
    return ""


def _has_expected_length(page: Question) -> bool:
    """Whether a page has as many payments as its own total says."""
    return page.total is None or len(page.records) == _expected_length(page)


def _expected_length(page: Question) -> int:
    rest = (page.total or 0) - (page.page_no - 1) * page.rows
    return min(max(rest, 0), page.rows)


def judge_totals(observations: Observations) -> Judgement:
    """Checks that ``totalRecords`` counts the whole list, by the pages at the end of the list."""
    # Only pages of the smallest size: larger ones that are cut short are a finding of page sizes.
    pages = observations.pages(rows=SMALLEST)
    if not pages:
        return not_seen(observations.reason())
    for each in pages:
        if each.total is None:
            return contradicted(f"{each.direction}: totalRecords is not a whole number")
        if not _has_expected_length(each):
            return contradicted(
                f"{each.direction}: {_position(each)} has {len(each.records)} payments, "
                f"where totalRecords says {_expected_length(each)}"
            )
    lists = " and ".join(way for way in DIRECTIONS if any(each.direction == way for each in pages))
    return confirmed(f"{lists}: the last page is where totalRecords says")


def _position(page: Question) -> str:
    """Names a page, without a number that would disclose how many payments there are."""
    return "page 1" if page.page_no == 1 else "a page at the end"


def judge_order(observations: Observations) -> Judgement:
    """Checks that both lists begin with the newest payment."""
    orders = {way: order for way in DIRECTIONS if (order := _order(observations.pages(way)))}
    if not orders:
        return not_seen(observations.reason(observations.of_kind(QuestionKind.PAGE)))
    seen = "; ".join(f"{way}: {order}" for way, order in orders.items())
    if set(orders.values()) == {"newest first"}:
        return confirmed(seen)
    return contradicted(seen)


def _order(pages: Sequence[Question]) -> str | None:
    """The order of a list, from its pages in order; None if they do not show it."""
    steps = set[bool]()
    for rows in PAGE_SIZES:
        same_size = [each for each in pages if each.rows == rows]
        same_size.sort(key=lambda each: each.page_no)
        for page in same_size:
            steps |= _steps(page.records)
        for page, later in pairwise(same_size):
            # Arrivals between two answers push payments onto later pages, where they are seen again.
            if not _ids(page) & _ids(later):
                steps |= _steps([*page.records[-1:], *later.records[:1]])
    if not steps:
        return None
    if len(steps) == 2:
        return "not by created_at"
    return "newest first" if steps == {True} else "oldest first"


def _steps(records: Iterable[Mapping[str, Any]]) -> set[bool]:
    """The directions of time from one payment to the next: True is back, False is ahead."""
    found = (_moment(each.get("created_at")) for each in records)
    times = [moment for moment in found if moment is not None]
    return {later < earlier for earlier, later in pairwise(times) if later != earlier}


def _ids(page: Question) -> set[str]:
    return {str(each.get("payment_id")) for each in page.records}


def _moment(text: object) -> datetime | None:
    """Parses a time; one without a zone is taken as UTC."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
