"""The record of an answer that `PaywintClient.answers` collects."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen(kw_only=True)
class Answer:
    """The answer to one call, or to the request of one page of a listing: a success or a refusal.

    ``operation`` is the name of the client's method (``received`` or ``sent`` for pages); ``headers``
    are in lower case and without secret values; ``request_id`` identifies the request in the API's logs
    (None if the answer has no id); ``attempts`` is the number of requests sent.
    """

    operation: str
    status: int
    headers: Mapping[str, str]
    request_id: str | None
    attempts: int
