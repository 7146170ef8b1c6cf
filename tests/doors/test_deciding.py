"""The live engine behind the door: what it has learned by the moment is what the next turn's tables say."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from given_deciding import BANNER, FIELDS, HELP, shop

from tessera import liveroom
from tessera.action.decide import Decision
from tessera.action.live_state import State
from tessera.action.points import Points
from tessera.app import App
from tessera.doors.deciding import MOST_QUEUED, PIECE, Deciding, Question
from tessera.doors.policy import Asked
from tessera.doors.pushed import document
from tessera.doors.tracked import Tracked
from tessera.errors import BadInput, NotFound

LOOSE = BANNER.replace("control: 0", "control: 0.3").replace("times: 2", "times: 50").replace(", same_product: true", "")


class Door:
    """A workspace and its door in this process. Its clock stands, and goes on by a second with each act."""

    def __init__(self, root: Path, app: App) -> None:
        self.app, self.now = app, datetime(2026, 3, 1, 9, tzinfo=UTC)
        self.tracked = Tracked(lambda: self.now)
        self.tracked.open(app)
        self.pushed: list[tuple[Decision, tuple[str, str]]] = []
        self.tracked.deciding.told.append(lambda *told: self.pushed.append(told))
        self.numbers = iter(range(10_000))

    @property
    def deciding(self) -> Deciding:
        return self.tracked.deciding

    @property
    def state(self) -> State:
        live = self.deciding.live
        assert live is not None and live.state is not None
        return live.state

    async def track(self, event: str, **told: Any) -> None:
        self.now += timedelta(seconds=1)
        key = next(iter(self.tracked.collector.sources))
        body = {"event": event, "messageId": f"m{next(self.numbers)}", "writeKey": key, "timestamp": self.now.isoformat()}
        body |= told
        status, _, said = await self.tracked.collector.post("track", Asked(), json.dumps(body).encode())
        assert status == 200, said

    async def decide(self, decision: str, here: dict[str, Any] | None = None, event_id: str = "", **who: str) -> Decision:
        self.now += timedelta(seconds=1)
        event_id = event_id or f"d{next(self.numbers)}"
        return await self.deciding.answer(Question(decision=decision, who=who, here=here or {}, event_id=event_id))

    def turn(self) -> None:
        self.tracked.roll()
        self.app.turn()

    def close(self) -> None:
        self.tracked.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_learned_live_is_what_the_next_turn_says(seed: int, tmp_path: Path) -> None:
    """Views, decisions and outcomes in a random order, of people who have signed in; and what a start makes of the journals."""
    made, chance = shop(tmp_path / "w", {"banner": LOOSE, "help": HELP}), random.Random(seed)
    people = [f"u{n}" for n in range(6)]

    async def story(door: Door, acts: int) -> None:
        for _ in range(acts):
            user, product = chance.choice(people), f"p{chance.randrange(1, 6)}"
            who = {"userId": user} if chance.random() < 0.7 else {"anonymousId": f"cookie of {user}"}
            match chance.randrange(5):
                case 0 | 1:
                    await door.track("Product Viewed", product=product, **who)
                case 2:
                    await door.track("Product Added", product=product, **who)
                case _:
                    await door.decide("banner", user_id=user)

    with made.tiny.open() as app:
        door = Door(tmp_path / "w", app)
        asyncio.run(_agreed(door, people))
        door.turn()
        door.tracked.open(app)
        asyncio.run(story(door, 120))
        live, started = door.state, liveroom.made(app)
        door.tracked.roll()
        liveroom.renew(app, started)
        liveroom.replay(app, started)
        assert started.state is not None
        said = _said(live)
        assert said == _said(started.state), "a start from the journals knows the same"
        assert said["learned"]["counts"]["banner"]["all"][0] > 0 and said["nearby"]["near"]
        door.turn()
        assert said == _said(liveroom.state(app, Points(app.config.decisions)))
        door.close()


def _said(state: State) -> dict[str, Any]:
    told = msgspec.to_builtins(state.models["personalise"])
    told["nearby"]["popular"] = sorted(told["nearby"]["popular"])
    told.pop("stock")
    return {**told, "nearby": {k: told["nearby"][k] for k in ("near", "views", "popular")}}


async def _agreed(door: Door, people: list[str]) -> None:
    for user in people:
        await door.track("Agreed", userId=user, anonymousId=f"cookie of {user}", agrees="yes")


@pytest.fixture
def door(tmp_path: Path) -> Any:
    made = shop(tmp_path / "w")
    with made.tiny.open() as app:
        door = Door(tmp_path / "w", app)
        asyncio.run(_agreed(door, ["ann", "bob"]))
        door.turn()
        door.tracked.open(app)
        yield door
        door.close()


def test_looking_at_a_product_changes_the_next_answer(door: Door) -> None:
    async def story() -> None:
        assert (await door.decide("banner", user_id="ann")).candidate == "welcome"
        for product in ("p1", "p2", "p3"):
            await door.track("Product Viewed", userId="bob", product=product)
        await door.track("Product Viewed", userId="ann", product="p2")
        told = await door.decide("banner", user_id="ann")
        assert told.candidate == "looked_at" and told.product in ("p1", "p3")

    asyncio.run(story())


def test_a_visitor_who_signs_in_is_known_at_once_by_her_cookie_too(door: Door) -> None:
    async def story() -> None:
        await door.track("Product Viewed", anonymousId="c1", product="p1")
        assert (await door.decide("banner", anonymous_id="c1")).by == "no_consent"
        await door.track("Signed In", anonymousId="c1", userId="ann")
        told = await door.decide("banner", anonymous_id="c1")
        assert told.by != "no_consent" and "welcome" in {d.candidate for d in told.dropped}, "she has viewed a product"

    asyncio.run(story())


def test_a_no_holds_from_the_event_that_says_it(door: Door) -> None:
    async def story() -> None:
        assert (await door.decide("banner", user_id="ann")).by != "no_consent"
        await door.track("Left", userId="ann", agrees="no")
        assert (await door.decide("banner", user_id="ann")).by == "no_consent"
        assert (await door.decide("banner", user_id="bob")).by != "no_consent"

    asyncio.run(story())


def test_an_erasure_holds_at_once_and_leaves_nothing_in_memory(door: Door) -> None:
    async def story() -> None:
        await door.track("Product Viewed", userId="ann", product="p1")
        await door.decide("banner", user_id="ann")
        door.app.erase(door.app.people.find("ann"))
        door.tracked.worked(door.app)
        await asyncio.sleep(0)
        told = await door.decide("banner", user_id="ann")
        assert told.by == "no_consent" and door.deciding.live and door.deciding.live.key("user_id", "ann") == 0
        assert not any("p1" in str(some) for some in door.state.past._viewed.values())

    asyncio.run(story())


def test_a_cap_counts_what_was_shown_before_a_start_too(door: Door) -> None:
    async def story() -> list[str]:
        return [(await door.decide("banner", user_id="ann")).candidate for _ in range(3)]

    assert asyncio.run(story()) == ["welcome", "welcome", "fallback"]
    door.turn()
    door.tracked.open(door.app)
    assert asyncio.run(story()) == ["fallback"] * 3


def test_what_is_sold_out_is_not_recommended_as_soon_as_the_file_says_so(door: Door) -> None:
    async def story() -> None:
        for product in ("p1", "p2"):
            await door.track("Product Viewed", userId="bob", product=product)
        await door.track("Product Viewed", userId="ann", product="p1")
        assert (await door.decide("banner", user_id="ann")).product == "p2"
        (door.app.config.root / "decisions" / "stock.csv").write_text("sku,left\np1,5\np2,0\n")
        door.deciding._stocks._looked = float("-inf")  # as if a second had gone by
        assert (await door.decide("banner", user_id="ann")).product == ""

    asyncio.run(story())


def test_many_events_at_once_are_known_to_the_very_next_question(door: Door) -> None:
    async def story() -> None:
        key, told = next(iter(door.tracked.collector.sources)), []
        for n in range(400):
            told.append({"type": "track", "event": "Product Viewed", "messageId": f"b{n}", "userId": "ann", "product": "p1"})
        body = json.dumps({"batch": told, "writeKey": key}).encode()
        status, _, _ = await door.tracked.collector.post("batch", Asked(), body)
        assert status == 200 and door.deciding._queue, "they are not all taken up yet"
        said = await door.decide("banner", user_id="ann")
        assert "welcome" in {d.candidate for d in said.dropped}
        live = door.deciding.live
        assert live and live.values(live.key("user_id", "ann"))["products_viewed"] == 400

    asyncio.run(story())


def test_a_question_waits_for_what_was_safe_before_it_and_for_nothing_that_comes_later(door: Door) -> None:
    """Also where more comes than the engine takes up: what waits is bounded, and asking does not wait for ever."""
    events = [{"type": "track", "event": "Seen", "messageId": f"c{n}", "userId": "ann"} for n in range(PIECE * 4)]

    async def story() -> None:
        deciding, rounds, answered = door.deciding, 0, False

        async def flood() -> None:
            nonlocal rounds
            while not answered and rounds < 2_000:
                rounds += 1
                deciding.taken("events", 1, [{**e, "messageId": f"{rounds} {e['messageId']}"} for e in events])
                assert deciding._queued <= MOST_QUEUED
                await asyncio.sleep(0)

        flooding = asyncio.create_task(flood())
        await asyncio.sleep(0)
        await door.decide("banner", user_id="bob")
        assert rounds < 2_000 and deciding._queue, "the flood goes on"
        answered = True
        await flooding
        await door.decide("banner", user_id="bob")
        assert not deciding._queue

    asyncio.run(story())


def test_of_two_renewals_the_newer_state_stays(door: Door) -> None:
    async def story() -> None:
        deciding, app = door.deciding, door.app
        live = deciding.live
        assert live is not None
        for n in range(4 * PIECE):
            await door.track("Seen", userId=f"u{n}")
        older, newer = (liveroom.state(app, Points(app.config.decisions)) for _ in range(2))
        deciding._renewed(live, older, liveroom.landed(app), {})
        await asyncio.sleep(0)
        deciding._renewed(live, newer, {**liveroom.landed(app), "events": 10**6}, {})  # has nothing to catch up with
        for _ in range(20):
            await asyncio.sleep(0)
        assert live.state is newer

    asyncio.run(story())


def test_what_is_pushed_holds_no_address(door: Door) -> None:
    told = Decision(id="i", decision="d", at=0, by="learned", candidate="c", product="", show=None, context="")
    for kind in ("email", "phone"):
        assert "@" not in json.dumps(document(told, (kind, "ann@shop.example")))
    assert document(told, ("user_id", "u1"))["userId"] == "u1"


def test_an_event_pushes_the_decisions_that_are_made_on_it(door: Door) -> None:
    async def story() -> None:
        await door.track("Cart Left", userId="zoe", anonymousId="c7")
        for _ in range(50):
            await asyncio.sleep(0.01)
            if door.pushed:
                break

    asyncio.run(story())
    ((told, who),) = door.pushed
    assert (told.decision, told.candidate, told.show, who) == ("help", "chat", "chat", ("user_id", "zoe"))


def test_a_request_that_comes_again_has_the_same_answer_and_counts_once(door: Door) -> None:
    async def story() -> None:
        first = await door.decide("banner", user_id="ann", event_id="request 1")
        await door.track("Product Viewed", userId="ann", product="p1")
        assert await door.decide("banner", user_id="ann", event_id="request 1") == first
        with pytest.raises(BadInput, match="somebody else"):
            await door.decide("banner", user_id="bob", event_id="request 1")
        with pytest.raises(NotFound, match="banner"):
            await door.decide("baner", user_id="bob")

    asyncio.run(story())
    assert door.state.models["personalise"].learned.counts["banner"].all.trials == 1


def test_each_landed_decision_is_in_the_ledger_of_whom_it_concerned(door: Door) -> None:
    async def story() -> None:
        await door.decide("banner", user_id="ann")
        await door.decide("banner", user_id="stranger")

    asyncio.run(story())
    door.turn()
    (entry,) = [e for e in door.app.ledger.entries() if e.act == "decide"]
    (ann,) = door.app.people.find("ann")
    assert entry.purpose == "personalise" and entry.rows == 1 and entry.keys is not None and entry.keys.size == 1
    hers = list(door.app.ledger.of(door.app.people.keys(ann), "key"))
    assert [e.act for e in hers].count("decide") == 1
    found = door.app.con.sql(f"SELECT decision, candidate, chosen_by FROM {door.app.lake.relation('decisions')}").fetchall()
    assert found == [("banner", "welcome", "learned")], "for the stranger nothing was looked at, and nothing is kept"


def test_the_fields_of_the_tiny_shop_are_those_of_its_contract() -> None:
    assert set(FIELDS) >= {"messageId", "agrees", "product"}
