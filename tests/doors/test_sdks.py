"""Every official SDK of Segment and RudderStack delivers to `tessera serve`: each event in the lake once, as it was sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from given_sdks import TRACKS, browser_sends, node_sends, python_sends
from test_tracked import Serving, key_of, tiny

from given_tiny import Tiny
from tessera.lake.engine import rows

assert tiny
Found = list[tuple[str, datetime]]
Sends = Callable[[str, str, str], None]
AT = datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
SERVER = {"track": TRACKS, "identify": 1, "page": 1, "group": 1, "alias": 1, "screen": 1}
BROWSER = {"track": TRACKS, "identify": 1, "page": 1, "group": 1, "alias": 1}


def delivered(made: Tiny, capsys: pytest.CaptureFixture[str], sends: Sends, wanted: dict[str, int]) -> Found:
    """Sends, takes a turn, and compares what lies in the lake; gives message id and time of each track."""
    key, serving = key_of(made, capsys), Serving(made.root)
    try:
        sends(key, f"http://127.0.0.1:{serving.port}", "sdk")
    finally:
        serving.end(2)
    with made.open() as app:
        app.turn()
        events = app.lake.relation("events")
        assert dict(rows(app.con, f"SELECT type, count(*) FROM {events} GROUP BY ALL")) == wanted
        ((ids, whole),) = rows(app.con, f"SELECT count(DISTINCT message_id), count(*) FROM {events}")
        assert ids == whole
        ((users,),) = rows(app.con, f"SELECT count(DISTINCT key_id) FROM {events} WHERE type = 'track'")
        assert users == (9 if "screen" in wanted else 1), "the events of one user have one key"
        found = rows(app.con, f"SELECT event, message_id, occurred_at FROM {events} WHERE type = 'track'")
    assert sorted(e for e, _, _ in found) == sorted(f"sdk {n}" for n in range(TRACKS))
    return [(str(m), at.replace(tzinfo=UTC) if at.tzinfo is None else at) for _, m, at in found]


def as_sent(found: Found) -> None:
    """The ids that the program gave, and its time within what the way took."""
    assert {m for m, _ in found} == {f"sdk-{n}" for n in range(TRACKS)}
    old(found)


def old(found: Found) -> None:
    assert all(AT <= at < AT + timedelta(seconds=60) for _, at in found), found[:3]


def just_now(found: Found) -> None:
    assert all(timedelta(0) <= datetime.now(UTC) - at < timedelta(seconds=120) for _, at in found), found[:3]


@pytest.mark.heavy
@pytest.mark.parametrize(
    "sends",
    [
        pytest.param(partial(python_sends, "segment.analytics", "host"), id="segment-analytics-python 2.4.0"),
        pytest.param(partial(python_sends, "rudderstack.analytics", "dataPlaneUrl"), id="rudder-sdk-python 2.1.9"),
        pytest.param(partial(node_sends, "segment"), id="@segment/analytics-node 3.1.0"),
        pytest.param(partial(node_sends, "rudder"), id="@rudderstack/rudder-sdk-node 3.0.13"),
    ],
)
def test_what_a_servers_sdk_sends_is_in_the_lake_once(tiny: Tiny, capsys: pytest.CaptureFixture[str], sends: Sends) -> None:
    as_sent(delivered(tiny, capsys, sends, SERVER))


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("vendor", "timed"),
    [
        pytest.param("segment", old, id="@segment/analytics-next 1.84.3"),
        pytest.param("rudder", just_now, id="@rudderstack/analytics-js 3.34.1"),
    ],
)
def test_what_a_page_of_another_origin_sends_is_in_the_lake_once(
    tiny: Tiny, capsys: pytest.CaptureFixture[str], tmp_path: Path, vendor: str, timed: Callable[[Found], None]
) -> None:
    timed(delivered(tiny, capsys, lambda *to: browser_sends(vendor, *to, folder=tmp_path), BROWSER))
