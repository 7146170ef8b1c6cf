"""policy.py behind the tracking door of a real workspace: what may lie in the journal and the lake, and what must not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from given_tiny import Tiny, contract
from tessera.app import App
from tessera.data.sources import door
from tessera.doors.grouped import GroupCommit
from tessera.doors.tracked import Tracked, write_key
from tessera.lake.engine import rows
from test_plan_file import FILES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.7444.60 Safari/537.36"
FIELDS: dict[str, dict[str, Any]] = {
    "messageId": {"required": True, "unique": True, "mapsTo": "message_id", "category": "user.unique_id.pseudonymous"},
    "type": {"required": True, "mapsTo": "type", "category": "user.behavior"},
    "event": {"mapsTo": "event", "category": "user.behavior"},
    "userId": {"identifier": "user_id"},
    "anonymousId": {"identifier": "anonymous_id"},
    "timestamp": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at", "category": "user.behavior"},
    "url": {"physicalName": "context.page.url", "mapsTo": "url", "category": "user.behavior.browsing_history"},
    "ip": {"physicalName": "context.ip", "category": "user.device.ip_address", "sealed": True},
    "agent": {"physicalName": "context.userAgent", "mapsTo": "device", "category": "user.device"},
    "analytics": {"physicalName": "context.consent.categoryPreferences.Stats", "consent": "analytics", "signal": "preferences"},
    "sharing": {"physicalName": "context.gpc", "consent": "sharing", "signal": "gpc"},
}


class Doors:
    """A workspace with one source at its door, and that door without a socket."""

    def __init__(self, root: Path) -> None:
        self.tiny = Tiny(root)
        for other in ("crm", "orders"):
            (root / "sources" / f"{other}.odcs.yaml").unlink()
        self.tracked = Tracked(lambda: NOW)
        self.settings()

    def settings(self, **said: Any) -> None:
        """The contract anew, with these settings of the door."""
        text = contract("events", FIELDS, path="x", format="json", record="event", sync="append", rank="5")
        for name, facts in FIELDS.items():
            if physical := facts.get("physicalName"):
                text = text.replace(f'"name": "{name}", ', f'"name": "{name}", "physicalName": "{physical}", ')
        text = text.replace('{"property": "physicalName"', '{"property": "note"')
        ours = json.dumps([{"property": k, "value": v} for k, v in said.items()])
        server = f"type: api, location: /v1, customProperties: {ours}" if said else "type: api, location: /v1"
        self.tiny.write("events", text.replace("type: local, path: x, format: json", server))
        with self.tiny.open() as app:
            self.key = write_key(app.secrets, "events")
            self.tracked.open(app)

    @property
    def source(self) -> Any:
        return self.tracked.collector.sources[self.key]

    def post(self, *events: Any, client: str = "127.0.0.1", path: str = "/v1/batch", **headers: str) -> int:
        """One request; what the answer says."""
        return asyncio.run(self.asked({"batch": list(events)}, client, path, headers))

    async def asked(self, body: Any, client: str, path: str, headers: Mapping[str, str]) -> int:
        sent = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
        scope: dict[str, Any] = {
            "type": "http", "path": path, "method": "POST", "query_string": f"writeKey={self.key}".encode(),
            "headers": sent, "client": (client, 1),
        }  # fmt: skip
        told: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": json.dumps(body).encode()}

        async def send(message: Any) -> None:
            told.append(message)

        await self.tracked.collector(scope, receive, send)
        self.headers = {n.decode(): v.decode() for n, v in told[0]["headers"]}
        self.said = told[1]["body"]
        return int(told[0]["status"])

    def journal(self) -> bytes:
        """All that lies in the journal, unsealed."""
        self.tracked.roll()
        with self.tiny.open() as app:
            waits = door.segments(app.config.var, "events", app.secrets)
            return b"\n".join(line for number in waits.waiting() for block in waits.read(number) for line in block)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.journal().split(b"\n") if line.startswith(b"{")]

    def refused(self) -> list[dict[str, Any]]:
        return [json.loads(line[1:]) for line in self.journal().split(b"\n") if line.startswith(b"!")]

    def land(self) -> App:
        """Lands what waits; the open workspace."""
        self.tracked.roll()
        app = self.tiny.open()
        app.sync()
        return app


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    made = Doors(tmp_path / "w")
    yield made
    made.tracked.close()


def track(message: str, **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Viewed", "anonymousId": "a1", "messageId": message, **more}


def prefers(stats: bool) -> dict[str, Any]:
    return {"context": {"consent": {"categoryPreferences": {"Stats": stats}}}}


def test_what_an_sdk_leaves_to_the_server_is_filled_in_generalised(doors: Doors) -> None:
    assert doors.post(track("m1"), client="8.8.4.77", user_agent=CHROME) == 200
    assert doors.post(track("m2"), client="2606:4700:77:1::5", user_agent=CHROME) == 200
    assert doors.post(track("m3", context={"ip": "203.0.113.77", "userAgent": CHROME}), client="8.8.4.77") == 200
    assert doors.post(track("m4"), client="10.1.2.3", user_agent=CHROME) == 200
    assert doors.post(track("m5"), client="8.8.4.77", user_agent="python-requests/2.34") == 200
    found = [(e.get("context", {}).get("ip"), e.get("context", {}).get("userAgent")) for e in doors.events()]
    assert found == [
        ("8.8.4.0", "Chrome 142 on Windows"), ("2606:4700:77::", "Chrome 142 on Windows"),
        ("203.0.113.0", "Chrome 142 on Windows"), (None, "Chrome 142 on Windows"), (None, None),
    ]  # fmt: skip


def test_a_source_may_keep_no_network_at_all(doors: Doors) -> None:
    doors.settings(address="drop")
    doors.post(track("m1", context={"ip": "203.0.113.77"}), track("m2"), client="8.8.4.77", user_agent=CHROME)
    assert [e["context"] for e in doors.events()] == [{"userAgent": "Chrome 142 on Windows"}] * 2


ADDRESS = st.ip_addresses(network="203.0.113.0/24").map(str).filter(lambda ip: not ip.endswith(".0"))
TAIL = st.text("abcdefgh", min_size=8, max_size=12).map(lambda t: f"secret{t}")


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ip=ADDRESS, client=ADDRESS, tail=TAIL, known=st.booleans(), refused=st.booleans())
def test_no_whole_address_query_or_user_agent_is_in_the_journal(
    doors: Doors, ip: str, client: str, tail: str, known: bool, refused: bool
) -> None:
    url = f"https://shop.example/a?mail={tail}#{tail}"
    context = {"ip": ip, "userAgent": f"{CHROME} {tail}", "page": {"url": url, "search": f"?mail={tail}", "referrer": url}}
    event = {"type": "page", "context": context, "properties": {"url": url, "search": f"?{tail}"}}
    whole = {**event, "anonymousId": "a1"} if known else event  # no event: it goes into the quarantine
    assert doors.post(whole, *([f"{tail} {ip}"] if refused else []), client=client, user_agent=f"{CHROME} {tail}") == 200
    text = doors.journal()
    for never in (ip, client, tail, "7444"):
        assert f'{never}"'.encode() not in text and tail.encode() not in text and b"7444" not in text, never


def test_nothing_of_them_is_in_the_lake_or_the_vault_either(doors: Doors) -> None:
    context = {"ip": "203.0.113.77", "userAgent": CHROME, "page": {"url": "https://shop.example/a?mail=ann"}}
    assert doors.post(track("m1", context=context), client="8.8.4.77", user_agent=CHROME) == 200
    with doors.land() as app:
        ((url, device, record),) = rows(app.con, f"SELECT url, device, record_id FROM {app.lake.relation('events')}")
        sealed = json.dumps(app.vault.unseal([record]), default=str)
    assert url == "https://shop.example/a" and device == "Chrome 142 on Windows"
    assert "203.0.113.0" in sealed and "203.0.113.77" not in sealed and "7444" not in sealed


def test_an_event_that_consent_drops_leaves_a_count_and_no_other_trace(doors: Doors) -> None:
    doors.settings(consent="drop", consentPurposes=["analytics"])
    dropped, kept = track("dropped-1", anonymousId="gone-1", **prefers(False)), track("kept-1", **prefers(True))
    alone = {"type": "track", **prefers(False), "event": "gone-1"}  # no event, and refused for consent before that is told
    assert doors.post(dropped, alone) == 200 and doors.journal() == b""
    assert doors.post(kept, dropped, track("silent-1")) == 200
    text = doors.journal()
    assert b"kept-1" in text and b"silent-1" in text and b"dropped-1" not in text and b"gone-1" not in text
    assert doors.source.policy.counts["dropped"] == 3 and len(doors.source.policy.seen) == 2
    files = [p for p in doors.tiny.root.rglob("*") if p.is_file()]
    assert not any(b"gone-1" in p.read_bytes() for p in files)


def test_the_event_that_tells_a_choice_passes_so_that_a_no_is_known(doors: Doors) -> None:
    doors.settings(consent="drop", consentPurposes=["analytics"])
    assert doors.post({**track("m1", **prefers(False)), "event": "Segment Consent Preference Updated"}) == 200
    with doors.land() as app:
        told = rows(app.con, f"SELECT purpose, state FROM {app.lake.relation('consents')}")
    assert told == [("analytics", "refused")]


def test_an_event_without_identity_is_about_nobody(doors: Doors) -> None:
    doors.settings(consent="anonymous", consentPurposes=["analytics"])
    page = {"url": "https://shop.example/a?x"}
    sent = track("m1", userId="ann", context={**prefers(False)["context"], "page": page, "ip": "203.0.113.7"})
    assert doors.post(sent, {**sent, "type": "identify", "messageId": "m2"}) == 200 and doors.post(sent) == 200
    (event,) = doors.events()
    assert event.pop("messageId") not in ("m1", "m2") and event.pop("timestamp") and event.pop("receivedAt")
    assert event == {"type": "track", "event": "Viewed", "context": {"page": {"url": "https://shop.example/a"}}}
    with doors.land() as app:
        assert rows(app.con, f"SELECT key_id, url FROM {app.lake.relation('events')}") == [(None, page["url"][:-2])]
    counts = doors.source.policy.counts
    assert counts["anonymous"] == 2 and counts["dropped"] == 1 and counts["doubles"] == 1


@pytest.mark.parametrize(("header", "state"), [("1", ["refused"]), ("0", []), ("true", [])])
def test_sec_gpc_is_recorded_with_the_event_and_landed_as_a_state(doors: Doors, header: str, state: list[str]) -> None:
    assert doors.post(track("m1"), sec_gpc=header) == 200
    with doors.land() as app:
        told = rows(app.con, f"SELECT purpose, state, source FROM {app.lake.relation('consents')}")
    assert told == [("sharing", s, "events/gpc") for s in state]


def test_what_an_sdk_repeats_is_a_state_that_overrides_no_later_choice(doors: Doors) -> None:
    for number in range(3):
        assert doors.post(track(f"m{number}", userId="ann", **prefers(True))) == 200
    with doors.land() as app:
        told = rows(app.con, f"SELECT DISTINCT purpose, state, source FROM {app.lake.relation('consents')}")
    assert told == [("analytics", "given", "events/preferences")]


def plan(doors: Doors, **settings: Any) -> None:
    folder = doors.tiny.root / "tracking-plans"
    folder.mkdir(exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    doors.settings(trackingPlan="shop", **settings)


def viewed(message: str, **properties: Any) -> dict[str, Any]:
    return track(message, event="Product Viewed", properties=properties)


def test_what_breaks_the_plan_is_in_quarantine_with_the_reason_and_the_rest_goes_on(doors: Doors) -> None:
    plan(doors)
    bad = [track("m1"), viewed("m2", sku=7), viewed("m3", sku="ab", more=1), viewed("m4")]
    assert doors.post(*bad, viewed("m5", sku="ab")) == 200
    assert [e["messageId"] for e in doors.events()] == ["m5"]
    reasons = ["Unplanned-Event", "Datatype-Mismatch", "Additional-Properties", "Required-Missing"]
    assert [r["reason"] for r in doors.refused()] == reasons
    told = json.loads(doors.refused()[1]["detail"])
    assert told[0]["type"] == "Datatype-Mismatch" and told[0]["meta"]["instancePath"] == "/properties/sku"
    with doors.land() as app:
        assert sorted(row.reason for row in app.quarantine.listed()) == sorted(reasons)
        assert rows(app.con, f"SELECT message_id FROM {app.lake.relation('events')}") == [("m5",)]


def test_additional_properties_may_only_be_noted(doors: Doors) -> None:
    plan(doors, additionalProperties="note")
    assert doors.post(viewed("m1", sku="ab", more=1), viewed("m2", more=1)) == 200
    assert [e["messageId"] for e in doors.events()] == ["m1"]
    assert [r["reason"] for r in doors.refused()] == ["Required-Missing"] and doors.source.policy.counts["noted"] == 2


def test_an_event_may_be_as_large_as_its_source_says(doors: Doors) -> None:
    large = track("m1", properties={"x": "y" * 40_000})
    assert doors.post(large, track("m2")) == 200
    assert [e["messageId"] for e in doors.events()] == ["m2"]
    (refused,) = doors.refused()
    assert refused["reason"] == "Unknown-Violation" and "at most 32768 are taken" in refused["detail"]
    doors.settings(eventBytes=4_000_000)
    assert doors.post({**large, "messageId": "m3"}) == 200 and len(doors.events()) == 2


def test_a_disabled_source_is_404(doors: Doors) -> None:
    doors.settings(enabled=False)
    assert doors.post(track("m1")) == 404 and json.loads(doors.said)["message"] == "source is disabled"
    doors.settings(enabled=True)
    assert doors.post(track("m1")) == 200


def test_a_double_is_answered_200_and_written_nowhere(doors: Doors) -> None:
    assert doors.post(track("m1"), track("m1"), track("m2")) == 200 and doors.post(track("m2"), track("m1")) == 200
    assert [e["messageId"] for e in doors.events()] == ["m1", "m2"]
    doors.settings(dedupeHours=0)
    assert doors.post(track("m1")) == 200 and len(doors.events()) == 3


@pytest.mark.parametrize("landed", [False, True])
def test_after_a_kill_what_was_acknowledged_is_a_double(doors: Doors, landed: bool) -> None:
    assert doors.post(track("m1"), track("m2")) == 200
    if landed:
        doors.land().close()
        assert doors.post(track("m3")) == 200
    journal = doors.tracked._journals["events"]
    journal._held.close()  # what the system does with the lock of a process that is no more
    doors.tracked = Tracked(lambda: NOW)
    doors.settings()
    assert doors.post(track("m1"), track("m2"), *([track("m3")] if landed else []), track("m4")) == 200
    assert doors.source.policy.counts == {"events": 1, "doubles": 3 if landed else 2}


def test_what_the_disk_refused_is_no_double_and_a_double_of_it_is_not_answered_200(doors: Doors) -> None:
    broken = [True]
    group = doors.source.group

    def write(lines: Any) -> int:
        if broken:
            raise OSError(28, "No space left on device")
        return group._write(lines)

    object.__setattr__(doors.source, "group", GroupCommit(write))

    async def at_once() -> list[int]:
        body = {"batch": [track("m1")]}
        return list(await asyncio.gather(*(doors.asked(body, "127.0.0.1", "/v1/batch", {}) for _ in range(3))))

    assert asyncio.run(at_once()) == [503, 503, 503]
    broken.clear()
    assert asyncio.run(at_once()) == [200, 200, 200] and [e["messageId"] for e in doors.events()] == ["m1"]


PAGE = "https://www.shop.example"


def shared(doors: Doors) -> None:
    """The door is cdp.shop.example, and shares its domain with the shop."""
    told = doors.tiny.root / "tessera.yaml"
    told.write_text(told.read_text() + "serve: {url: https://cdp.shop.example}\n")
    doors.settings(cookieDomain="shop.example")


def test_a_page_of_our_domain_is_given_a_cookie_that_no_script_reads_and_is_known_by_it(doors: Doors) -> None:
    shared(doors)
    doors.post(track("m1"), origin=PAGE)
    cookie = doors.headers["set-cookie"]
    assert "; Domain=shop.example; Path=/;" in cookie and cookie.endswith("; HttpOnly; Secure; SameSite=Lax")
    assert doors.headers["access-control-allow-credentials"] == "true"
    doors.post(track("m2", context={"firstPartyId": "made up"}), origin=PAGE, cookie="a=b; " + cookie.partition(";")[0])
    assert "set-cookie" not in doors.headers
    first, second = (e["context"]["firstPartyId"] for e in doors.events())
    assert first == second == cookie.partition(";")[0].partition("=")[2] and len(first) == 32


@pytest.mark.parametrize("origin", ["https://shop.example.evil", "https://notshop.example", "null", "http://["])
def test_no_other_page_is_given_one(doors: Doors, origin: str) -> None:
    shared(doors)
    assert doors.post(track("m1"), origin=origin) == 200
    assert not {"set-cookie", "access-control-allow-credentials"} & set(doors.headers)
    assert "firstPartyId" not in doors.events()[0].get("context", {})


@pytest.mark.parametrize("no", [{"sec_gpc": "1"}, {}])
def test_a_refusal_takes_the_cookie_back(doors: Doors, no: dict[str, str]) -> None:
    shared(doors)
    refusing = prefers(False) | {"context": {**prefers(False)["context"], "gpc": "1"}} if not no else {}
    assert doors.post(track("m1", **refusing), origin=PAGE, cookie=f"tessera_id={'a' * 32}", **no) == 200
    assert doors.headers["set-cookie"].startswith("tessera_id=; Domain=shop.example; Path=/; Max-Age=0;")
    doors.post(track("m2", **refusing), origin=PAGE, **no)
    assert "set-cookie" not in doors.headers
    assert not any("firstPartyId" in e["context"] for e in doors.events())


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
        st.text("ab?#:/@1.", max_size=8),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip
parts = st.one_of(
    values,
    st.dictionaries(
        st.sampled_from(["ip", "userAgent", "page", "consent", "consentManagement", "gpc", "traits", "url", "search", "sku"]),
        st.one_of(values, st.dictionaries(st.sampled_from(["url", "categoryPreferences", "allowedConsentIds"]), values)),
        max_size=4,
    ),
)
anything = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "page", "identify", "alias", "x"])},
    optional={
        "context": parts, "properties": parts, "traits": parts, "userId": values, "anonymousId": values, "messageId": values,
        "event": st.sampled_from(["Product Viewed", "x"]), "ip": values, "url": values, "previousId": values,
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    made = Doors(tmp_path_factory.mktemp("strict") / "w")
    plan(made, consent="anonymous", consentPurposes=["analytics"], eventBytes=1024)
    yield made
    made.tracked.close()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(anything, values), min_size=1, max_size=4), st.booleans())
def test_whatever_is_sent_is_answered_and_every_event_is_accounted_for(strict: Doors, sent: list[Any], gpc: bool) -> None:
    counts = strict.source.policy.counts
    before = sum(counts.values()) - counts["noted"] - counts["anonymous"]
    assert strict.post(*sent, user_agent=CHROME, client="8.8.4.77", sec_gpc="1" if gpc else "0") == 200
    assert sum(counts.values()) - counts["noted"] - counts["anonymous"] - before == len(sent)
    assert strict.source.policy._flying == {}
