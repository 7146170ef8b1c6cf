"""trust.endings: a consent ends by a moment or with its first use; no read finds her after it, and what was held burns."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from given_kills import Killed, at_act, kill
from given_tiny import EVENTS, Tiny, contract
from laws.shop import twin
from tessera.app import App
from tessera.errors import BadInput, NotAllowed, NotConsented, NotFound
from tessera.lake.engine import rows
from tessera.trust.anchor import Anchored
from tessera.trust.merkle import leaf_hash

DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)


def event(number: int, user: str, **more: Any) -> Mapping[str, Any]:
    return {"id": f"m{number}", "type": "page", "user": user, "at": (DAY - timedelta(days=1)).isoformat(), **more}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Two people who agree to analytics; Bo also to marketing."""
    made = Tiny(tmp_path_factory.mktemp("endings") / "w")
    made.events([event(1, "ann", analytics="yes"), event(2, "bo", analytics="yes"), event(3, "bo", marketing="yes")])
    made.day = DAY
    with made.open() as app:
        app.turn()
    return made


@pytest.fixture
def tiny(first: Tiny, tmp_path: Path) -> Tiny:
    return twin(first, tmp_path / "w")


def seen(app: App, purpose: str = "analytics") -> set[str]:
    """Whose events a question for the purpose finds."""
    return {{"m1": "ann"}.get(r[0], "bo") for r in app.sql("SELECT message_id FROM events", purpose=purpose).rows()}


def number(app: App, user: str) -> int:
    (found,) = app.people.find(user)
    return found


def stored(app: App, table: str) -> set[int]:
    return {int(r[0]) for r in rows(app.con, f"SELECT person_id FROM {app.lake.relation(table)}")}


def burns(app: App) -> list[tuple[str, set[int], int]]:
    told = [e for e in app.ledger.entries() if e.act == "burn"]
    return [(e.purpose, set(app.ledger.sets.load(e.keys.digest)) if e.keys else set(), e.rows or 0) for e in told]


def test_a_consent_that_ends_at_a_moment_holds_until_then_and_not_at_the_next_read_after(tiny: Tiny) -> None:
    with tiny.open() as app:
        app.end_consent(number(app, "ann"), "analytics", DAY + timedelta(hours=2))
        assert seen(app) == {"ann", "bo"}
        tiny.day = DAY + timedelta(hours=2)
        assert seen(app) == {"bo"} and seen(app, "operate") == {"ann", "bo"}
    with tiny.open() as app:
        assert seen(app) == {"bo"}


def test_a_consent_to_one_use_is_over_after_the_first_question_and_other_purposes_do_not_use_it_up(tiny: Tiny) -> None:
    with tiny.open() as app:
        app.end_consent(number(app, "bo"), "analytics", None)
        seen(app, "operate"), seen(app, "marketing")
        app.sql("SELECT count(*) FROM quality", purpose="analytics")
        assert seen(app) == {"ann", "bo"}
        assert seen(app) == {"ann"} and seen(app, "marketing") == {"bo"}
    with tiny.open() as app:
        assert seen(app) == {"ann"}


def test_one_turn_is_one_use(tiny: Tiny) -> None:
    tiny.events([event(4, "cy", analytics="yes")])
    with tiny.open() as app:
        ann = number(app, "ann")
        app.end_consent(ann, "analytics", None)
        app.turn()
        assert seen(app) == {"bo"}
        app.turn()
        assert ann not in stored(app, "features")


def test_what_was_held_for_the_purpose_alone_burns_with_the_turn_and_its_older_versions(tiny: Tiny) -> None:
    with tiny.open() as app:
        ann, bo = number(app, "ann"), number(app, "bo")
        before = app.lake.version("features") or 0
        assert {ann, bo} <= stored(app, "features")
        key = int(app.vault.resolve("user_id", ["ann"], mint=False)[0])
        app.end_consent(ann, "analytics", DAY + timedelta(hours=1))
        tiny.day = DAY + timedelta(hours=2)
        app.turn()
        assert stored(app, "features") == {bo} and stored(app, "profiles") >= {ann, bo}
        assert not app.lake.kept("features", before)
        ((purpose, keys, _),) = burns(app)
        assert (purpose, keys) == ("analytics", {key})
        app.turn()
        assert len(burns(app)) == 1 and app.ledger.verify().ok


def test_what_another_purpose_of_hers_keeps_does_not_burn(tiny: Tiny) -> None:
    with tiny.open() as app:
        app.end_consent(number(app, "bo"), "analytics", DAY + timedelta(hours=1))
        app.end_consent(number(app, "ann"), "analytics", DAY + timedelta(hours=1))
        segments, before = app.lake.version("segments"), stored(app, "segments")
        tiny.day = DAY + timedelta(hours=2)
        (done,) = app.endings.burn()
        # Segments are held for marketing too, to which Bo still agrees.
        assert done.people == 2 and "segments" not in done.rows and app.lake.version("segments") == segments
        assert stored(app, "segments") == before


def test_an_end_that_came_with_the_answer_holds_at_the_next_read_and_burns(tmp_path: Path) -> None:
    made = Tiny(tmp_path / "w")
    until = {"until": {"logicalType": "timestamp", "consentPart": "until"}}
    head = {"path": "in/events/*.jsonl", "format": "json", "record": "event", "sync": "append", "rank": "5"}
    made.write("events", contract("events", EVENTS | until, **head))
    end = (DAY + timedelta(hours=3)).isoformat()
    made.events([event(1, "ann", analytics="yes", until=end), event(2, "bo", analytics="yes")])
    made.day = DAY
    with made.open() as app:
        app.turn()
        ann = number(app, "ann")
        assert seen(app) == {"ann", "bo"} and ann in stored(app, "features")
        made.day = DAY + timedelta(hours=3)
        assert seen(app) == {"bo"}
        app.turn()
        assert ann not in stored(app, "features") and [purpose for purpose, _, _ in burns(app)] == ["analytics"]
        made.day = DAY + timedelta(days=2)
        app.turn()
        assert seen(app) == {"bo"} and len(burns(app)) == 1


def test_a_later_yes_opens_the_purpose_again_with_the_next_turn_and_an_older_one_does_not(tiny: Tiny) -> None:
    with tiny.open() as app:
        app.end_consent(number(app, "ann"), "analytics", DAY + timedelta(hours=1))
        tiny.day = DAY + timedelta(hours=2)
        tiny.events([event(5, "ann", analytics="yes")])
        app.turn()
        assert "ann" not in seen(app)
        tiny.events([event(6, "ann", analytics="yes") | {"at": (DAY + timedelta(hours=2)).isoformat()}])
        app.turn()
        assert "ann" in seen(app)


@pytest.mark.parametrize("act", range(1, 9))
def test_a_burn_that_was_killed_anywhere_is_finished_by_the_next_turn(tiny: Tiny, act: int) -> None:
    with tiny.open() as app:
        ann = number(app, "ann")
        app.end_consent(ann, "analytics", DAY + timedelta(hours=1))
        tiny.day = DAY + timedelta(hours=2)
        with at_act(app, act, kill), suppress(Killed):
            app.endings.burn()
    with tiny.open() as app:
        app.turn()
        assert ann not in stored(app, "features") and burns(app) and app.ledger.verify().ok


def test_only_an_officer_ends_a_consent_that_there_is(tiny: Tiny) -> None:
    with tiny.open() as app:
        ann = number(app, "ann")
        with pytest.raises(NotConsented):
            app.end_consent(ann, "marketing", None)
        with pytest.raises(BadInput):
            app.end_consent(ann, "operate", None)
        with pytest.raises(NotFound):
            app.end_consent(4711, "analytics", None)
    access = tiny.root / "access.yaml"
    access.write_text(access.read_text().replace("    roles: [owner, analyst, ", "    roles: [analyst]  # ", 1))
    tiny._config = None
    with tiny.open() as app, pytest.raises(NotAllowed):
        app.end_consent(ann, "analytics", None)


def test_a_burn_is_told_to_the_contract_by_the_hash_of_its_entry(tiny: Tiny) -> None:
    settings = tiny.root / "tessera.yaml"
    settings.write_text(settings.read_text() + "chain: {kind: embedded, consents: false}\n")
    tiny._config = None
    with tiny.open() as app:
        app.end_consent(number(app, "ann"), "analytics", DAY + timedelta(hours=1))
        tiny.day = DAY + timedelta(hours=2)
        _, done = app.turn()
        entry = next(e for e in app.ledger.entries(newest_first=True) if e.act == "burn")
        assert isinstance(done.anchored, Anchored)
        assert app.anchors.chain().ask("burned", leaf_hash(app.ledger.proof(entry.seq).line))[0] > 0
        assert app.anchors.chain().ask("burned", b"x" * 32)[0] == 0


def test_a_page_uses_up_the_consent_of_the_person_it_is_about_and_of_nobody_else(tiny: Tiny) -> None:
    with tiny.open() as app:
        ann, bo = number(app, "ann"), number(app, "bo")
        for person in (ann, bo):
            app.end_consent(person, "analytics", None)
        page = app.people.portrait(bo, purpose="analytics")
        assert [c["rows"] for c in page.counts if c["kind"] == "events"] == [2], "the page is one use, and whole"
        entry = next(app.ledger.entries(newest_first=True))
        assert entry.keys is not None and (entry.keys.unit, entry.keys.bound) == ("person", "exact")
        assert set(app.ledger.sets.load(entry.keys.digest)) == {bo}
        with pytest.raises(NotAllowed, match="her consent has ended"):
            app.people.portrait(bo, purpose="analytics")
        assert seen(app) == {"ann"}
