"""Live events: judged as the table would judge them, counted, and told how to send one where none comes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from given_deciding import Shop, shop
from given_pages import Open, opened

from tessera.config import Contract, Field
from tessera.doors.http.callers import STAFF_COOKIE
from tessera.doors.http.watching import MOST_SHOWN, row
from tessera.doors.pages.pictures.spark import hours, spark

WATCH = "/live/events?source=events&role={role}&purpose=operate"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Open, Shop]]:
    made = shop(tmp_path_factory.mktemp("live") / "w")
    with opened(made.tiny.root) as house:
        made.port = house.port
        yield house, made


class Watched:
    """An open `/live/events`."""

    def __init__(self, house: Open, path: str) -> None:
        import http.client

        self.connection = http.client.HTTPConnection("127.0.0.1", house.port, timeout=10)
        self.connection.request("GET", path, headers={"Cookie": f"{STAFF_COOKIE}={house.cookie}"})
        self.answer = self.connection.getresponse()
        self.status = self.answer.status
        if self.status == 200:
            assert self.answer.readline() == b"retry: 3000\n"

    def told(self) -> dict[str, Any]:
        while not (line := self.answer.readline()).startswith(b"data: "):
            assert line, "the stream has ended"
        return dict(json.loads(line[6:]))

    def end(self) -> None:
        self.connection.close()


def test_an_event_is_shown_within_a_second_and_each_look_is_an_entry(up: tuple[Open, Shop], record_property: Any) -> None:
    house, made = up
    watch = Watched(house, WATCH.format(role="owner"))
    took = []
    for n in range(5):
        made.track("Product Viewed", user="ann", product=f"p{n}")
        began = time.monotonic()
        told = watch.told()
        took.append(time.monotonic() - began)
        assert [e["event"] for e in told["events"]] == ["Product Viewed"] and told["shown"] == n + 1
        assert told["events"][0]["who"] == "userId ann" and ["product", f"p{n}"] in told["events"][0]["rest"]
    watch.end()
    record_property("shown_s", took)
    assert max(took) < 1.2, "a tenth of a second to look, and at most one change of the page a second"
    entries = [e for e in house.run(lambda app: list(app.ledger.entries())) if e.act == "tail"]
    assert len(entries) == 5 and all(e.rows == 1 and e.keys and e.actor == entries[0].actor for e in entries)


def test_of_many_at_once_the_newest_are_shown_and_the_rest_is_counted(up: tuple[Open, Shop]) -> None:
    house, made = up
    watch = Watched(house, WATCH.format(role="owner"))
    made.track("Product Viewed", user="ann")
    watch.told()
    for _ in range(MOST_SHOWN + 7):
        made.track("Product Viewed", user="ann")
    shown, told = 1, {"passed": 0}
    while shown + told["passed"] < MOST_SHOWN + 8:
        told = watch.told()
        assert len(told["events"]) <= MOST_SHOWN
        shown = told["shown"]
    watch.end()


def test_a_filter_keeps_one_name_and_the_rest_is_not_shown_to_anybody(up: tuple[Open, Shop]) -> None:
    house, made = up
    watch = Watched(house, WATCH.format(role="owner") + "&event=Cart%20Left")
    made.track("Product Viewed", user="ann")
    made.track("Cart Left", user="ann")
    told = watch.told()
    while not told["events"]:
        told = watch.told()
    watch.end()
    assert [e["event"] for e in told["events"]] == ["Cart Left"] and told["others"] == 1


def test_who_may_not_watch_is_refused_and_that_is_an_entry(up: tuple[Open, Shop]) -> None:
    house, _ = up
    assert Watched(house, WATCH.format(role="analyst")).status == 403
    assert Watched(house, WATCH.format(role="nobody")).status in (403, 404)
    assert Watched(house, "/live/events?source=nothing&role=owner&purpose=operate").status == 404
    assert house.get("/live/events?source=events&role=owner&purpose=operate", signed_in=False).status == 401
    refused = [e for e in house.run(lambda app: list(app.ledger.entries())) if e.verdict == "refused"]
    assert {e.act for e in refused} == {"tail"}
    told = house.get("/live", lens="engineer/operate").text
    assert "Your role may not see this for this purpose." in told and 'id="feed"' not in told


def test_the_page_counts_what_came_and_what_was_turned_away(up: tuple[Open, Shop]) -> None:
    house, made = up
    message = made.track("Product Viewed", user="ann")
    made.track("Product Viewed", user="ann", messageId=message)
    made.ask("POST", "/v1/track", {"writeKey": made.write_key, "userId": "ann"}, key="")
    told = house.get("/live").text
    assert "Came again under the same message id, counted once" in told and "A property that it must have is missing" in told
    assert f"-u {made.write_key}:" in told and f"{house.url}/v1/track" in told.replace("&#34;", '"')
    assert "<!doctype html>" not in house.get("/live/flow").text and 'id="flow"' in house.get("/live/flow").text
    assert "实时事件" in house.get("/live", lang="zh").text


def test_where_nothing_is_sent_the_page_says_how_a_source_is_opened(house: Open) -> None:
    told = house.get("/live").text
    assert "No source sends events by itself yet" in told and "type: api, location: /v1" in told and "web_events" in told


def test_an_event_is_drawn_by_its_strongest_identifier() -> None:
    fields = (
        Field(name="anonymousId", identifier="anonymous_id"), Field(name="userId", identifier="user_id"),
        Field(name="event", maps_to="event"), Field(name="messageId", maps_to="message_id"), Field(name="price"),
    )  # fmt: skip
    contract = Contract(name="web", file=Path("x"), kind="http", record="event", fields=fields)
    told = row(contract, {"anonymousId": "a", "userId": "u", "event": "Viewed", "messageId": "m", "price": 3})
    rest = [["anonymousId", "a"], ["price", "3"]]
    assert told == {"at": None, "event": "Viewed", "kind": None, "who": "userId u", "rest": rest}


def test_bars_stand_on_zero_and_say_what_they_show() -> None:
    drawn = spark([0, 1, 4], "three steps", top=4)
    assert drawn.count("<rect") == 2 and 'aria-label="three steps"' in drawn and 'height="32"' in drawn
    drawn = hours([("one <hour>", 3, 1), ("none", 0, 0)], "hours", [(0, "1 Nov"), (1, "2 Nov")])
    assert drawn.count("<rect") == 2 and "one &lt;hour&gt;" in drawn and "none" not in drawn and "2 Nov" in drawn


def test_rows_wait_while_somebody_reads_and_two_windows_share_one_stream(up: tuple[Open, Shop], chromium: Any) -> None:
    house, made = up
    context = chromium.new_context()
    page = house.sign_in(context, lens="owner/operate")
    page.goto(house.url + "/live", wait_until="load")
    page.wait_for_timeout(400)
    made.track("First", user="ann")
    page.wait_for_selector("#feed b:text-is('First')", timeout=2_000)
    page.focus("#feed")
    made.track("Second", user="ann")
    page.wait_for_selector("#fresh:visible", timeout=2_000)
    assert page.inner_text("#fresh").strip() == "1 new" and "Second" not in page.inner_text("#feed")
    page.click("#fresh")
    page.wait_for_selector("#feed b:text-is('Second')")
    page.click("#pause")
    assert page.get_attribute("#pause", "aria-pressed") == "true" and "Paused" in page.inner_text("#said")
    other = context.new_page()
    other.goto(house.url + "/decisions", wait_until="load")
    other.wait_for_timeout(400)
    assert len(house.pulse._listeners) == 1 and "lost" not in str(other.get_attribute("#live", "class"))
    made.decide("help", userId="ann")
    other.wait_for_function("document.querySelector('#decided dd').textContent.trim() !== '0'", timeout=3_000)
    page.close()
    other.wait_for_timeout(600)
    assert len(house.pulse._listeners) == 1, "the other window has taken the stream over"
    context.close()
