"""The observations of an examination: questions, answers, and reasons for missing ones. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import attrs

from paywint_async import APIError, InvalidRequestError, PaywintError, RateLimitedError
from paywint_async._doctor.delivery import RecordedDelivery
from paywint_async._doctor.exchanges import Exchange, RequestLimitError


class QuestionKind(StrEnum):
    """The kind of a question."""

    PAGE = "page"
    PAYMENT = "payment"
    UNKNOWN_PAYMENT = "unknown payment"
    WEBHOOK_PAYMENT = "payment of a webhook"
    INVALID_ID = "invalid id"
    INVALID_PAGE_SIZE = "invalid page size"


@attrs.frozen(kw_only=True)
class Question:
    """One question to the API, with its answer.

    Args:
        kind: the kind of the question.
        direction: of the list, for a page.
        page_no: the page's number, from 1.
        rows: payments asked for at once.
        listed: the list's record of the payment that is asked for by its id.
        exchange: the last attempt that was answered.
        error: the SDK's error for the answer; None: it could read the answer.
    """

    kind: QuestionKind
    direction: str = ""
    page_no: int = 0
    rows: int = 0
    listed: Mapping[str, Any] = attrs.field(factory=dict)
    exchange: Exchange | None = None
    error: PaywintError | None = None

    @property
    def fields(self) -> Mapping[str, Any]:
        """The JSON object of a successful answer, else an empty one."""
        if self.exchange is None or not self.exchange.is_success:
            return {}
        fields = self.exchange.fields
        return {} if fields.get("success") is False else fields

    @property
    def is_page(self) -> bool:
        """Whether the answer is the envelope of a list."""
        records = self.fields.get("records", self)
        return records is None or isinstance(records, list)

    @property
    def records(self) -> list[Mapping[str, Any]]:
        """The payments of a page, or the one that was asked for."""
        found = (
            self.fields.get("records")
            if self.kind is QuestionKind.PAGE
            else [self.fields.get("data")]
        )
        return [each for each in found or [] if isinstance(each, dict)]

    @property
    def total(self) -> int | None:
        """``totalRecords``, 0 if it is missing on an empty page; None if it is not a whole number."""
        total = self.fields.get("totalRecords")
        if total is None and not self.records:
            return 0
        return total if isinstance(total, int) and not isinstance(total, bool) else None


@attrs.frozen(kw_only=True)
class Setup:
    """The configuration of the client that a report may show.

    Args:
        environment: ``sandbox`` or ``production``.
        base_url: the address to which requests are sent.
        proxy_source: where the proxy was configured, such as ``HTTPS_PROXY``; None: there is none.
    """

    environment: str
    base_url: str
    proxy_source: str | None = None


@attrs.frozen(kw_only=True)
class Observations:
    """Everything that was seen.

    Args:
        setup: the configuration of the client.
        questions: all questions, in the order of the answers.
        exchanges: all answers, including those to attempts that were repeated.
        request_count: number of requests sent, answered or not.
        delivery: the recorded webhook whose unit is to be found out.
        is_out_of_time: whether the time limit ended the examination.
    """

    setup: Setup
    questions: Sequence[Question] = ()
    exchanges: Sequence[Exchange] = ()
    request_count: int = 0
    delivery: RecordedDelivery | None = None
    is_out_of_time: bool = False

    def of_kind(self, *kinds: QuestionKind) -> list[Question]:
        """The questions of these kinds."""
        return [each for each in self.questions if each.kind in kinds]

    def pages(self, direction: str | None = None, rows: int | None = None) -> list[Question]:
        """The pages that were answered with the envelope of a list."""
        return [
            each
            for each in self.of_kind(QuestionKind.PAGE)
            if each.is_page and direction in (None, each.direction) and rows in (None, each.rows)
        ]

    @property
    def records(self) -> list[Mapping[str, Any]]:
        """All payments that were seen, with repetitions."""
        return list(self._records())

    def _records(self) -> Iterator[Mapping[str, Any]]:
        for question in self.questions:
            if question.kind is QuestionKind.PAYMENT or question.is_page:
                yield from question.records

    @property
    def successes(self) -> list[Exchange]:
        """The exchanges with a status of 2xx and a JSON object."""
        return [each for each in self.exchanges if each.is_success and each.fields]

    @property
    def first(self) -> Question | None:
        """The first question, None if none was asked."""
        return self.questions[0] if self.questions else None

    def reason(self, questions: Iterable[Question] = ()) -> str:
        """The reason why these questions have no usable answer, or why no payment shows it."""
        asked = list(questions)
        for each in [*asked, *([self.first] if self.first else [])]:
            if each.exchange is not None and (each.error or not each.exchange.is_success):
                return _reason_of_refusal(each.exchange, each.error)
            if each.exchange is None and each.error is not None:
                return _reason_of_silence(each.error)
        if self.is_out_of_time and not asked:
            return "the time ended before this could be asked"
        return "the account has no payments that show it"


def _reason_of_silence(error: PaywintError) -> str:
    if isinstance(error, RateLimitedError | RequestLimitError):
        return "a limit of requests kept it from being asked"
    if isinstance(error, InvalidRequestError):
        return f"it cannot be asked with the {error.field} that the list has"
    return f"no answer ({type(error).__name__})"


def _reason_of_refusal(exchange: Exchange, error: PaywintError | None) -> str:
    if exchange.status in (401, 403):
        return "the keys are not accepted"
    if error is None or isinstance(error, APIError):
        return f"the API answered {exchange.status}"
    return "the answer could not be read" if exchange.fields else "what answers is not the API"
