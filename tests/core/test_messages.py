"""The request that passes through the middleware chain."""

from __future__ import annotations

import attrs

from paywint_async import Request

OF_EVERY_FIELD = Request(
    operation="create_link",
    method="POST",
    path="/api/x",
    body=b"{}",
    repeatable=False,
    is_bounded=True,
    headers={"a": "b"},
    attempt=3,
    deadline=5.0,
    timeout=2.0,
    expects=b"x",
    base_url="https://api.example",
)


def test_preparing_a_request_for_sending_changes_no_other_field() -> None:
    defaults = Request(operation="", method="", path="")
    for field in attrs.fields(Request):  # or a new field could be forgotten here, too
        assert getattr(OF_EVERY_FIELD, field.name) != getattr(defaults, field.name)
    ready = OF_EVERY_FIELD.ready(7.0, "https://other.example")
    assert ready == attrs.evolve(OF_EVERY_FIELD, deadline=7.0, base_url="https://other.example")
