"""`paywint reconcile`: ledgers in the formats of tools and banks are compared without editing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from comparison_samples import kinds
from effort import slow_but
from fixed_account import Paid, month, serve_account
from ledger_shapes import SHAPES

Command = Callable[..., Any]

DROPPED = 17  # a payment of the 14th


@pytest.fixture
def payments(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Paid]]:
    """The account's payments; the command reads this account."""
    made = month()
    with serve_account(made) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.mark.parametrize("name", slow_but(SHAPES, *list(SHAPES)[::4]))
def test_the_only_difference_of_a_ledger_in_this_format_is_found(
    paywint: Command, tmp_path: Path, payments: list[Paid], name: str
) -> None:
    shape = SHAPES[name]
    path = tmp_path / shape.file
    fitting = [each for each in payments if shape.fits(each)]
    dropped = fitting[DROPPED]
    path.write_bytes(shape.make([each for each in fitting if each is not dropped]))

    outcome = paywint("reconcile", path, *shape.options, "--json")

    assert outcome.code == 3, outcome.err
    told = json.loads(outcome.out)
    others = {str(each.payment_id) for each in payments if not shape.fits(each)}
    missing = {each["payments"][0]["payment_id"] for each in told["differences"]}
    assert kinds(told) == {"missing_in_ledger": 1 + len(others)}
    assert missing - others == {str(dropped.payment_id)}
