"""The streams that open pages hear: news within a second, nothing of anybody, nothing missed, and ended when a session is."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from given_deciding import Shop, shop
from given_pages import Open, opened

from tessera.doors.flow import STEP_S, Flow
from tessera.doors.http import pulse as pulses
from tessera.doors.http import streams
from tessera.doors.http.callers import CUSTOMER_COOKIE, ECHO, STAFF_COOKIE
from tessera.doors.http.pulse import HERS, STAFF, Pulse
from tessera.trust.sessions import SPANS, Sessions


class Stream:
    """An open stream, read in a thread of its own. news: each with the moment when it came."""

    def __init__(self, up: Open, path: str, cookie: str, **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", up.port, timeout=20)
        told = {"Host": f"127.0.0.1:{up.port}", "Cookie": cookie, **{n.replace("_", "-"): v for n, v in headers.items()}}
        self.connection.request("GET", path, headers=told)
        self.socket = self.connection.sock
        self.answer = self.connection.getresponse()
        self.status, self.ended, self.beats = self.answer.status, False, 0
        self.news: list[tuple[float, dict[str, Any]]] = []
        self.numbers: list[str] = []
        if self.status == 200:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self.answer:
                if line.startswith(b"data: "):
                    self.news.append((time.monotonic(), json.loads(line[6:])))
                elif line.startswith(b"id: "):
                    self.numbers.append(line[4:].decode().strip())
                self.beats += line.startswith(b":")
        except (OSError, ValueError, AttributeError):
            pass
        self.ended = True

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [told for _, told in self.news if told["kind"] == kind]

    def close(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # else the reader would be waited for
        self.connection.close()


def until(holds: Any, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(holds())


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Open, Shop]]:
    made = shop(tmp_path_factory.mktemp("pulse") / "w")
    with opened(made.tiny.root) as house:
        made.port = house.port
        yield house, made


@contextmanager
def listening(house: Open, path: str = STAFF, **headers: str) -> Iterator[Stream]:
    stream = Stream(house, path, f"{STAFF_COOKIE}={house.cookie}", **headers)
    try:
        yield stream
    finally:
        stream.close()
        assert until(lambda: not house.pulse._listeners), "whoever hangs up is not kept"


def test_an_event_that_was_accepted_is_heard_of_within_a_second(up: tuple[Open, Shop], record_property: Any) -> None:
    house, made = up
    took = []
    with listening(house) as stream:
        for n in range(12):
            before = len(stream.of("events"))
            made.track("Product Viewed", user="ann")
            accepted = time.monotonic()
            assert until(lambda before=before: len(stream.of("events")) > before)
            took.append(stream.news[-1][0] - accepted)
            time.sleep(0.02 * n)
    took.sort()
    record_property("news_s", took)
    assert took[-1] < 1.0
    assert stream.of("events")[-1]["came"]["events"] >= 12
    assert set(stream.of("events")[-1]) == {"kind", "came", "at"}, "counts by source, and nothing of anybody"


def test_every_decision_is_told_of_also_those_that_are_asked_for(up: tuple[Open, Shop]) -> None:
    house, made = up
    with listening(house) as stream:
        made.decide("help", userId="somebody")
        assert until(lambda: stream.of("decisions"))
        assert stream.of("decisions")[-1]["decided"]["help"] >= 1


def test_a_page_that_was_away_is_told_once_of_each_kind_what_it_missed(up: tuple[Open, Shop]) -> None:
    house, made = up
    with listening(house) as stream:
        made.track("Product Viewed", user="ann")
        assert until(lambda: stream.of("events"))
        last = stream.numbers[-1]
    for _ in range(3):
        made.track("Product Viewed", user="ann")
        made.decide("help", userId="ann")
    with listening(house, Last_Event_ID=last) as stream:
        assert until(lambda: stream.of("events") and stream.of("decisions"), 1.0)
        time.sleep(0.3)
        assert len(stream.of("events")) == len(stream.of("decisions")) == 1, "the state, not each change of it"
    with listening(house, f"{STAFF}?since={house.pulse.mark}") as stream:
        time.sleep(0.4)
        assert stream.news == [], "a page that was made now has missed nothing"
    with listening(house, f"{STAFF}?since=otherrun.7") as stream:
        assert until(lambda: stream.of("events")), "of another run of the server it knows nothing"


def test_what_a_page_reads_because_it_heard_news_is_no_news(up: tuple[Open, Shop]) -> None:
    house, _ = up
    with listening(house) as stream:
        house.get("/customers", lens="owner/operate")
        assert until(lambda: stream.of("ledger"))
        time.sleep(0.4)
        many = len(stream.of("ledger"))
        house.get("/customers", lens="owner/operate", headers={ECHO: "1"})
        time.sleep(0.6)
        assert len(stream.of("ledger")) == many
        house.get("/customers", lens="owner/operate")
        assert until(lambda: len(stream.of("ledger")) > many)


def test_a_customer_hears_that_somebody_used_her_data_and_nothing_of_others(tmp_path: Path) -> None:
    made = shop(tmp_path / "w")
    with opened(made.tiny.root) as house:
        made.port = house.port
        for user in ("ann", "bo"):
            made.track("Agreed", user=user, agrees="yes")
        assert house.tracked is not None
        house.tracked.roll()
        ann, bo = house.run(lambda app: (app.turn(), app.people.find("ann")[0], app.people.find("bo")[0]))[1:]

        def begun(app: Any) -> str:
            return Sessions(app.state, app.clock).begin("customer", "customer", app.people.keys(ann)[0])

        stream = Stream(house, HERS, f"{CUSTOMER_COOKIE}={house.run(begun)}")
        time.sleep(0.3)
        stream.news.clear()
        house.run(lambda app: app.people.portrait(bo, purpose="operate"))
        time.sleep(0.7)
        assert stream.news == []
        house.run(lambda app: app.people.portrait(ann, purpose="operate"))
        assert until(lambda: stream.of("uses"), 1.0)
        assert set(stream.of("uses")[0]) == {"kind", "at", "many"}
        assert not stream.of("ledger"), "what staff hear is not for her"
        stream.close()


def test_who_is_not_signed_in_hears_nothing_and_one_session_opens_so_many(up: tuple[Open, Shop], monkeypatch: Any) -> None:
    house, _ = up
    assert Stream(house, STAFF, "").status == 401
    assert Stream(house, HERS, f"{CUSTOMER_COOKIE}={house.cookie}").status == 401, "staff are no customers"
    assert house.post(STAFF, {}).status == 405
    monkeypatch.setattr(pulses, "OF_ONE", 1)
    with listening(house):
        assert until(lambda: house.pulse._listeners)
        second = Stream(house, STAFF, f"{STAFF_COOKIE}={house.cookie}")
        assert (second.status, second.answer.getheader("retry-after")) == (503, "5")


def test_a_stream_ends_with_its_session_and_an_open_page_does_not_keep_that(up: tuple[Open, Shop], monkeypatch: Any) -> None:
    house, made = up
    monkeypatch.setattr(streams, "BEAT_S", 0.3)
    cookie = house.run(lambda app: Sessions(app.state, app.clock).begin("staff", app.me))

    def used(app: Any) -> Any:
        kept = Sessions(app.state, app.clock).find(cookie, "staff", used=False)
        return kept and kept.used

    before = house.run(used)
    stream = Stream(house, STAFF, f"{STAFF_COOKIE}={cookie}")
    assert until(lambda: stream.beats >= 2) and house.run(used) == before
    made.track("Product Viewed", user="ann")
    house.run(lambda app: Sessions(app.state, app.clock).end(cookie))
    going = True

    def busy() -> None:  # news all the while must not put the look at the session off
        while going:
            house.pulse.tell("tables")
            time.sleep(0.05)

    teller = threading.Thread(target=busy)
    teller.start()
    assert until(lambda: stream.ended)
    going = False
    teller.join()
    assert SPANS["staff"].idle.total_seconds() > 0


def test_a_server_stops_at_once_while_streams_are_open(tmp_path: Path) -> None:
    made = shop(tmp_path / "w")
    with opened(made.tiny.root) as house:
        stream = Stream(house, STAFF, f"{STAFF_COOKIE}={house.cookie}")
        watch = Stream(house, "/live/events?source=events&role=owner&purpose=operate", f"{STAFF_COOKIE}={house.cookie}")
        assert (stream.status, watch.status) == (200, 200) and until(lambda: house.pulse._listeners)
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 5, "ten seconds are what a stop waits for requests"
    assert until(lambda: stream.ended and watch.ended)


def test_where_nobody_listens_news_are_a_number_and_cost_next_to_nothing(record_property: Any) -> None:
    pulse = Pulse()
    began = time.perf_counter()
    for _ in range(20_000):
        pulse.written("web", (b"x",) * 3, 0.001)
    took = (time.perf_counter() - began) / 20_000
    record_property("group_s", took)
    assert took < 50e-6, "a group's fsync takes some hundred µs"
    assert pulse.flow.totals() == {"web": 60_000} and not pulse._waits and pulse.mark.endswith(".20000")


def test_many_threads_tell_and_nothing_is_lost(up: tuple[Open, Shop]) -> None:
    house, _ = up
    with listening(house) as stream:
        def tell(name: str) -> None:
            for _ in range(500):
                house.pulse.written(name, (b"x",), 0.0)

        tellers = [threading.Thread(target=tell, args=(f"source{n}",)) for n in range(6)]
        for one in tellers:
            one.start()
        for one in tellers:
            one.join()
        assert until(lambda: (came := stream.of("events")) and all(came[-1]["came"].get(f"source{n}") == 500 for n in range(6)))
        moments = [at for at, told in stream.news if told["kind"] == "events"]
        assert all(b - a > 0.2 for a, b in pairwise(moments)), "four times a second at the most"


def test_the_flow_counts_by_five_seconds_and_forgets_after_five_minutes() -> None:
    now = 1_000.0
    flow = Flow(lambda: now)
    flow.written("web", 10)
    now += STEP_S
    flow.written("web", 30)
    assert flow.steps("web")[-2:] == [10, 30] and flow.totals() == {"web": 40}
    assert flow.rate("web") == 40 / 5 and flow.idle_s("web") == 0 and flow.idle_s("other") is None
    now += 30
    assert flow.rate("web") == 0 and sum(flow.steps("web")) == 40
    now += 300
    flow.written("web", 1)
    assert flow.steps("web") == [0] * 59 + [1] and flow.totals() == {"web": 41} and sum(flow.steps("other")) == 0


