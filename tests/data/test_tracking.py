"""tracking.py: what the SDKs of both vendors send becomes one form; what is no event is told, and the rest goes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.data.tracking import BATCH, FIRST_LETTERS, TYPES, Limits, _text, kind_of, line_of, moment, read
from tessera.errors import BadInput

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
WHO = {"userId": "u1", "messageId": "m1"}


def sent(body: Any, kind: str = "track", limits: Limits | None = None) -> Any:
    return read(json.dumps(body).encode(), kind, NOW, limits)


def one(body: dict[str, Any], kind: str = "track") -> dict[str, Any]:
    found = sent({**WHO, "event": "Viewed", **body}, kind)
    assert not found.refused
    (event,) = found.events
    return dict(event)


@pytest.mark.parametrize("name", TYPES)
def test_each_type_has_a_path_of_its_own_and_one_of_its_first_letter(name: str) -> None:
    assert kind_of(f"/v1/{name}") == kind_of(f"/v1/{name[0]}") == kind_of(f"/v1/{name}/") == name
    assert len(FIRST_LETTERS) == len(TYPES)


def test_batches_have_their_paths_and_nothing_else_is_one() -> None:
    assert {kind_of(f"/v1/{n}") for n in ("batch", "b", "import")} == {BATCH}
    assert [kind_of(p) for p in ("/v1/x", "/v1/", "/v2/track", "/v1/track/x", "/")] == [None] * 5


def test_the_type_is_that_of_the_path_and_the_key_leaves_the_event() -> None:
    found = sent({"writeKey": "k", "type": "page", **WHO, "event": "x"})
    assert found.write_key == "k" and found.events[0]["type"] == "track" and "writeKey" not in found.events[0]


def test_nulls_are_absent_and_ids_are_texts() -> None:
    event = one({"anonymousId": None, "userId": 17, "context": None})
    assert event["userId"] == "17" and not {"anonymousId", "context"} & set(event)


@pytest.mark.parametrize("given_", [{}, {"messageId": None}, {"messageId": "m" * 101}, {"messageId": ""}])
def test_an_event_without_a_usable_message_id_gets_one(given_: dict[str, Any]) -> None:
    body = {"userId": "u1", "event": "x", **given_}
    made = {sent(body).events[0]["messageId"] for _ in range(2)}
    assert len(made) == 2 and all(len(m) == 36 for m in made)


def test_traits_that_came_in_the_context_alone_are_traits() -> None:
    traits = {"email": "ann@example.org"}
    assert one({"context": {"traits": traits}}, "identify")["traits"] == traits
    assert one({"traits": {"a": 1}, "context": {"traits": traits}}, "identify")["traits"] == {"a": 1}
    assert one({}, "identify")["traits"] == {}


def test_context_and_integrations_of_a_batch_hold_for_its_events_where_they_say_nothing_else() -> None:
    body = {"batch": [{**WHO, "type": "track", "event": "x", "context": {"ip": "1"}}, {**WHO, "type": "page"}],
            "context": {"ip": "2", "app": "a"}, "integrations": {"All": True}, "sentAt": "2026-03-01T12:00:00Z"}  # fmt: skip
    first, second = sent(body, BATCH).events
    assert first["context"] == {"ip": "1", "app": "a"} and second["context"] == {"ip": "2", "app": "a"}
    assert first["integrations"] == second["integrations"] == {"All": True}


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({}, NOW),
        ({"timestamp": "2026-03-01T11:00:00Z"}, NOW - timedelta(hours=1)),
        # Her clock is an hour ahead: sent at 13:00 by it, which is now.
        ({"timestamp": "2026-03-01T12:30:00Z", "sentAt": "2026-03-01T13:00:00Z"}, NOW - timedelta(minutes=30)),
        ({"originalTimestamp": "2026-03-01T10:59:00+01:00", "sentAt": "2026-03-01T11:59:00+02:00"}, NOW),
        # History: old, and sent just now.
        ({"timestamp": "2020-01-01T00:00:00Z", "sentAt": "2026-03-01T12:00:00Z"}, datetime(2020, 1, 1, tzinfo=UTC)),
        ({"timestamp": "2027-01-01T00:00:00Z"}, NOW),
        ({"timestamp": 1772362800000}, NOW - timedelta(hours=1)),
        ({"timestamp": "yesterday", "sentAt": 10**30}, NOW),
    ],
)
def test_the_time_is_corrected_by_how_far_the_sender_s_clock_is_off(times: dict[str, Any], expected: datetime) -> None:
    event = one(times)
    assert moment(event["timestamp"]) == expected and moment(event["receivedAt"]) == NOW


def test_the_time_of_a_batch_is_that_of_its_events_which_have_none() -> None:
    events = [{**WHO, "type": "track", "event": "x", "timestamp": "2026-03-01T12:30:00Z"}]
    events.append({**events[0], "sentAt": "2026-03-01T12:30:00Z"})
    first, second = sent({"batch": events, "sentAt": "2026-03-01T13:00:00Z"}, BATCH).events
    assert moment(first["timestamp"]) == NOW - timedelta(minutes=30) and moment(second["timestamp"]) == NOW


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "track", "event": "x"}, "Required-Missing"),
        ({**WHO, "type": "track"}, "Required-Missing"),
        ({**WHO, "type": "group"}, "Required-Missing"),
        ({**WHO, "type": "alias"}, "Required-Missing"),
        ({**WHO, "type": "dance"}, "Unknown-Violation"),
        ({**WHO, "type": "page", "properties": [1]}, "Datatype-Mismatch"),
        ("text", "Datatype-Mismatch"),
    ],
)
def test_what_is_no_event_is_kept_with_the_reason_and_the_others_go_on(event: Any, reason: str) -> None:
    good = {**WHO, "type": "page"}
    found = sent({"batch": [good, event, {"type": "alias", "previousId": "a", "userId": "b"}]}, BATCH)
    assert [e["type"] for e in found.events] == ["page", "alias"]
    (refused,) = found.refused
    assert refused.reason == reason and refused.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000, b'{"a":"\\ud800"}'])
def test_a_body_that_is_no_json_object_is_told_so(body: bytes) -> None:
    with pytest.raises(BadInput, match="no JSON object"):
        read(body, "track", NOW)


def test_a_batch_without_events_or_with_too_many_is_refused_whole() -> None:
    for body in ({}, {"batch": []}, {"batch": {}}, {"batch": None}):
        with pytest.raises(BadInput, match="at least one"):
            sent(body, BATCH)
    with pytest.raises(BadInput, match="at most 3"):
        sent({"batch": [{}] * 4}, BATCH, Limits(events=3))


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=12,
)
fields = st.dictionaries(
    st.sampled_from([
        "type", "userId", "anonymousId", "previousId", "groupId", "messageId", "event", "timestamp", "originalTimestamp",
        "sentAt", "context", "traits", "properties", "integrations", "writeKey", "x",
    ]),
    st.one_of(values, st.sampled_from(TYPES)),
    max_size=8,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(fields, values), min_size=1, max_size=4), fields)
def test_whatever_comes_each_piece_is_an_event_in_our_form_or_refused(pieces: list[Any], around: dict[str, Any]) -> None:
    found = sent({**around, "batch": pieces}, BATCH)
    assert len(found.events) + len(found.refused) == len(pieces)
    for event in found.events:
        again = json.loads(line_of(event))
        assert 0 < len(again["messageId"]) <= 100 and moment(again["timestamp"]) <= moment(again["receivedAt"]) == NOW
        assert all(value is not None for value in again.values()) and again["type"] in TYPES


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_are_written_as_iso_8601_to_the_millisecond(at: datetime) -> None:
    assert _text(at) == at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    "text", ["2026-W09-7T11:00:00.000Z", "2026-03-01T11:00:00.000Z", "2026-03-01 11:00:00,000Z", "20260301T110000Z"]
)
def test_a_time_is_written_one_way_however_it_came(text: str) -> None:
    assert one({"timestamp": text})["originalTimestamp"] == "2026-03-01T11:00:00.000Z"


@pytest.mark.parametrize(
    "original", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 1e300, -1e300, "0001-01-01T00:00:00+14:00", 2**70]
)
@pytest.mark.parametrize("sent_at", [None, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-03-01T12:00:00Z"])
def test_a_clock_that_is_centuries_off_is_no_error_and_never_the_future(original: Any, sent_at: str | None) -> None:
    event = one({"timestamp": original, "sentAt": sent_at})
    assert event["timestamp"] <= event["receivedAt"] == "2026-03-01T12:00:00.000Z"


def test_a_callers_own_time_is_kept_beside_the_moment_of_the_call() -> None:
    """As RudderStack's Node SDK sends it."""
    called = {"originalTimestamp": "2026-03-01T11:00:00.000Z", "sentAt": "2026-03-01T11:00:09Z"}
    event = one({"timestamp": "2026-02-03T04:05:06.789Z", **called})
    assert (event["timestamp"], event["originalTimestamp"]) == ("2026-02-03T04:05:06.789Z", "2026-03-01T11:00:00.000Z")
    assert one({"timestamp": "2030-01-01", "originalTimestamp": "2026-03-01"})["timestamp"] == event["receivedAt"]
