"""said_at_door.py: what an event says itself of its sender's consent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tessera.config import Contract, Door, Field
from tessera.data.said_at_door import UPDATED, Consents, one_form

ADS = Field(name="ads", physical="context.consent.categoryPreferences.Ads", consent="marketing", signal="preferences")
STATS = Field(name="stats", physical="context.consent.categoryPreferences.Stats", consent="analytics", signal="preferences")
SELL = Field(name="gpc", physical="context.gpc", consent="sharing", signal="gpc")


def consents(*fields: Field, purposes: tuple[str, ...] = ()) -> Consents:
    door = Door(consent="drop", purposes=purposes)
    return Consents(Contract(name="web", file=Path(), kind="http", record="event", fields=fields, door=door))


def track(**context: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Viewed", "anonymousId": "a1", "messageId": "m1", "context": context}


def preferred(**categories: Any) -> dict[str, Any]:
    return track(consent={"categoryPreferences": categories})


@pytest.mark.parametrize(
    ("event", "refused"),
    [
        (preferred(Ads=False, Stats=False), True),
        (preferred(Ads=False, Stats=True), False),
        (preferred(), True),
        (preferred(Ads="no", Stats="denied"), True),
        (preferred(Ads=1, Stats="granted"), False),
        (track(), False),
        (track(consent="x"), False),
        ({"type": "page"}, False),
        ({**preferred(Ads=False, Stats=False), "event": UPDATED}, False),
    ],
)
def test_an_event_is_refused_if_it_says_no_to_all_that_its_source_is_for(event: dict[str, Any], refused: bool) -> None:
    assert consents(ADS, STATS).refused(event) is refused


def test_a_source_that_is_for_one_purpose_asks_for_that_one() -> None:
    assert consents(ADS, STATS, purposes=("marketing",)).refused(preferred(Ads=False, Stats=True))


@pytest.mark.parametrize("allowed", [["Stats"], [], None])
def test_rudderstack_s_lists_say_the_same(allowed: Any) -> None:
    event = track(consentManagement={"allowedConsentIds": allowed, "deniedConsentIds": ["Ads"], "provider": "custom"})
    one_form(event)
    assert consents(ADS).refused(event) and event["context"]["consent"]["categoryPreferences"]["Ads"] is False
    assert consents(STATS).refused(event) is (allowed != ["Stats"])


def test_sec_gpc_refuses_what_the_contract_maps_it_to_and_lies_where_landing_looks() -> None:
    event = track()
    found = consents(SELL)
    assert not found.refused(event)
    found.note_gpc(event)
    assert event["context"]["gpc"] == "1" and found.refused(event)
    other: dict[str, Any] = {"type": "page", "context": "none"}
    consents().note_gpc(other)
    assert other["context"] == {"gpc": "1"}


FIELDS = (
    Field(name="messageId", maps_to="message_id", category="user.unique_id.pseudonymous"),
    Field(name="userId", identifier="user_id", category="user.unique_id"),
    Field(name="product", physical="properties.product_id", maps_to="product_id", category="user.behavior.browsing_history"),
    Field(name="size", physical="properties.size", category="system.operations"),
    Field(name="city", physical="context.city", maps_to="country", category="user.location"),
    Field(name="note", physical="properties.note", category="user.behavior", sealed=True),
    Field(name="whole", physical="properties.whole", category="user.behavior"),
    ADS,
)


def test_an_anonymous_event_keeps_what_was_done_and_nothing_of_who_did_it() -> None:
    sent = {
        **preferred(Ads=False), "userId": "ann", "traits": {"email": "ann@example.org"}, "timestamp": "2026-03-01T10:00:00Z",
        "properties": {"product_id": "p1", "size": 3, "note": "for ann", "name": "ann", "whole": {"a": "ann"}},
    }  # fmt: skip
    sent["context"] |= {"ip": "203.0.113.7", "city": "Zug"}
    assert consents(*FIELDS).anonymous(sent, "m-other") == {
        "type": "track", "event": "Viewed", "timestamp": "2026-03-01T10:00:00Z", "messageId": "m-other",
        "properties": {"product_id": "p1", "size": 3},
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["identify", "alias", "group"])
def test_who_somebody_is_is_nothing_without_who_it_is(kind: str) -> None:
    assert consents(*FIELDS).anonymous({"type": kind, "userId": "ann"}, "m") is None
