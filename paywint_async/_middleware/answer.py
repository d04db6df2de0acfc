"""One answer as `PaywintClient.answers` collects it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.frozen(kw_only=True)
class Answer:
    """What came back for one call, or for one page of a listing; a refusal as well as a success.

    ``operation`` is the name of the client's method (``received`` or ``sent`` for pages); ``headers``
    are in lower case and without secret values; ``request_id`` names the request in the API's logs,
    where the answer has one; ``attempts`` counts the requests that were made.
    """

    operation: str
    status: int
    headers: Mapping[str, str]
    request_id: str | None
    attempts: int
