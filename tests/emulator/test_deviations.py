"""The deviations of an emulator from what is assumed of Paywint, by their names."""

from __future__ import annotations

from typing import Any

import pytest
from contradictions import CONTRADICTIONS

from paywint_async.emulator import Emulator
from paywint_async.emulator._deviations import DEVIATIONS


@pytest.mark.parametrize("names", [["amounts-in-yen"], "euros", ["euros", ""]])
def test_an_unknown_name_is_refused_with_a_list_of_all(names: list[str]) -> None:
    with pytest.raises(ValueError, match="deviations must be a list of ") as caught:
        Emulator(deviations=names)

    assert all(name in str(caught.value) for name in DEVIATIONS)


def test_each_deviation_contradicts_an_assumption() -> None:
    used = {name for switch in CONTRADICTIONS.values() for name in switch.get("deviations", ())}

    assert used == set(DEVIATIONS)


async def test_several_deviations_are_all_applied(serve: Any) -> None:
    async with serve(payments=3, deviations=["euros", "amounts-as-text"]) as account:
        record = (await account.page("received", 1)).records[0]

    assert record["currency"] == "EUR"
    assert isinstance(record["amount"], str)
    assert account.emulator.payment(record["payment_id"]).amount == record["amount"]
