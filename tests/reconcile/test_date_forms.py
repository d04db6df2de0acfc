"""Parsing dates and times with a given order and a given format."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from paywint_async.reconcile._date_forms import read_date

DAY = datetime(2026, 4, 3)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("03/04/2026", DAY),
        ("03/04/2026 09:05", DAY.replace(hour=9, minute=5)),
        ("03/04/2026 9:05 PM", DAY.replace(hour=21, minute=5)),
        ("03/04/2026 12:05 AM", DAY.replace(hour=0, minute=5)),
        ("03/04/2026 12:05:07 PM", DAY.replace(hour=12, minute=5, second=7)),
        ("03/04/2026 09:05 UTC", DAY.replace(hour=9, minute=5, tzinfo=UTC)),
        (
            "03/04/2026 09:05 +02:00",
            DAY.replace(hour=9, minute=5, tzinfo=timezone(timedelta(hours=2))),
        ),
        (
            "03/04/2026 09:05 -0530",
            DAY.replace(hour=9, minute=5, tzinfo=timezone(-timedelta(hours=5, minutes=30))),
        ),
    ],
)
def test_a_time_is_read_with_its_half_and_zone(text: str, wanted: datetime) -> None:
    assert read_date(text, "dmy") == wanted


@pytest.mark.parametrize("text", ["03/04/2026 13:05 PM", "03/04/2026 0:05 AM"])
def test_an_hour_above_12_with_am_or_pm_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date of the form"):
        read_date(text, "dmy")


def test_a_given_format_is_the_only_one_accepted() -> None:
    assert read_date("2026|04|03", "%Y|%m|%d") == DAY
    with pytest.raises(ValueError, match="is not a date of the form"):
        read_date("03.04.2026", "%Y|%m|%d")
