"""Moments as text: what Python's own `isoformat` says."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from evalkit.records.moment import moment_text

EAST = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 1, 2, 3, 4, 5, 6_000, tzinfo=UTC),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 2, 0, 0, 1_234, tzinfo=EAST),
        datetime(2026, 1, 1, 2, 0, 0, 1_234, tzinfo=UTC),
    ],
)
def test_a_moment_is_told_in_utc_to_the_millisecond(moment: datetime) -> None:
    told = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    assert moment_text(moment) == told
    assert moment_text(moment) == told, "also once its second is known"
