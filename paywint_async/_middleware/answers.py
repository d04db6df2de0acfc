"""Collects the answers to the calls of a block of code: `PaywintClient.answers`.

A block collects the answers to the calls of its own context: of the code in it, and of the tasks that
this code starts. So requests that a web server handles concurrently do not see each other's answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias

from paywint_async._messages import Request, Response

if TYPE_CHECKING:  # imported when the first answer is collected
    from paywint_async._middleware.answer import Answer


class Answers(list["Answer"]):
    """A list of the latest answers (`Answer`), in the order in which they came.

    ``dropped`` is the number of earlier ones that were removed to keep the list within its limit.
    """

    dropped: int = 0


class Collector:
    """Collects the answers of one block, for the scope of a client or of a view."""

    def __init__(self, scope: object, limit: int, answers: Answers) -> None:
        self.scope = scope
        self._limit = limit
        self._answers: Answers | None = answers

    @property
    def is_open(self) -> bool:
        """Whether the block is still running."""
        return self._answers is not None

    def add(self, answer: Answer) -> None:
        """Appends an answer, unless the block has ended."""
        answers = self._answers
        if answers is None:
            return
        answers.append(answer)
        if len(answers) > self._limit:
            del answers[0]
            answers.dropped += 1

    def close(self) -> None:
        """Stops collecting; tasks that outlive the block do not keep its answers alive."""
        self._answers = None


Collectors: TypeAlias = Callable[[], Iterable[Collector]]


@contextmanager
def collect(scope: object, limit: int) -> Iterator[Answers]:
    """Collects the answers of a scope while the block runs."""
    answers = Answers()
    collector = Collector(scope, limit, answers)
    _set((*collectors_of_context(), collector))
    try:
        yield answers
    finally:
        collector.close()
        # Not `ContextVar.reset`: blocks may end in another order, or in another context.
        _set(tuple(each for each in collectors_of_context() if each is not collector))


def _set(current: tuple[Collector, ...]) -> None:
    collectors.set((lambda: current) if current else None)


def record(is_within: Callable[[Any], bool], request: Request, response: Response) -> None:
    """Adds an answer to the context's collectors for the scopes for which ``is_within`` is true."""
    wanting = [each for each in collectors_of_context() if is_within(each.scope)]
    if not wanting:
        return
    from paywint_async._middleware.answer import Answer

    answer = Answer(
        operation=request.operation,
        status=response.status,
        headers=response.redacted_headers,
        request_id=response.request_id,
        attempts=response.attempts,
    )
    for collector in wanting:
        collector.add(answer)


def collectors_of_context() -> tuple[Collector, ...]:
    """The collectors of the running context whose blocks are still running."""
    current = collectors.get()
    return () if current is None else tuple(each for each in current() if each.is_open)


def collect_for(context: Context, current: Collectors) -> None:
    """Sets the collectors of ``context``: those that ``current`` returns when an answer comes."""
    context.run(collectors.set, current)


# None if no block collects, which makes the check in each call cheap.
collectors: ContextVar[Collectors | None] = ContextVar("paywint_async_collectors", default=None)
