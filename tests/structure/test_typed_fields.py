"""tests/typing/api.py has each field of what the API and its webhooks give."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from paywint_async import Redirect
from paywint_async._record_json import Record
from paywint_async.webhooks import WebhookEvent

SEEN_FROM_OUTSIDE = (Path(__file__).parents[1] / "typing" / "api.py").read_text("utf-8")
FIELDS = [
    (cls, field.name)
    for cls in (*Record.__subclasses__(), Redirect, WebhookEvent)
    for field in attrs.fields(cls)
]


@pytest.mark.parametrize(
    ("cls", "name"), FIELDS, ids=[f"{cls.__name__}.{name}" for cls, name in FIELDS]
)
def test_each_field_is_type_checked_from_outside(cls: type, name: str) -> None:
    assert re.search(rf"assert_type\(\w+\.{name}\b", SEEN_FROM_OUTSIDE)
