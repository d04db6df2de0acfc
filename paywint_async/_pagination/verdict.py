"""What the planner says to whoever fetches. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import msgspec


class Doubt(Exception):
    """Continuity cannot be proved any more; the message says why."""


class Action(Enum):
    """What the fetcher does with an answer. Afterwards it asks `Planner.take_repair` first."""

    DELIVER = "its records are next, in order"
    HOLD = "offer it again, after the repair"
    DROP = "nothing in it is new"
    RESET = "drop it and everything under way"


class Verdict(msgspec.Struct, frozen=True):
    """What to do with an answer, and the records of it that are due now."""

    action: Action
    records: Sequence[Any] = ()
