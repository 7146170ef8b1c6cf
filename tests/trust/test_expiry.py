"""trust.ages and trust.expiry: what is too old is not read from that day on, and leaves the files with the burn."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from given_kills import Killed, at_act, kill
from given_tiny import CRM, EVENTS, Tiny, contract
from laws.shop import twin
from tessera.app import App
from tessera.lake.engine import rows

DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)
KEEP = "slaProperties:\n  - {property: retention, value: 30, unit: d}\n"


def tiny(root: Path, *, days: str = KEEP) -> Tiny:
    """Events are kept for 30 days; ages are those of the clock."""
    made = Tiny(root)
    settings_file = root / "tessera.yaml"
    settings_file.write_text(settings_file.read_text().replace("as_of: 2026-12-31", "as_of: today"))
    made.write(
        "events",
        contract("events", EVENTS, path="in/events/*.jsonl", format="json", record="event", sync="append", rank="5")
        + days,
    )
    return made


def event(number: int, day: int, user: str = "u1", **more: Any) -> Mapping[str, Any]:
    at = DAY + timedelta(days=day)
    return {"id": f"m{number}", "type": "track", "event": "Seen", "user": user, "at": at.isoformat(), **more}


def seen(app: App, purpose: str = "operate") -> list[str]:
    return sorted(r[0] for r in app.sql("SELECT message_id FROM events", purpose=purpose).rows())


def counted(app: App) -> dict[int, int]:
    return dict(app.sql("SELECT person_id, events FROM profiles", purpose="operate").rows())


def held(app: App) -> int:
    return app.lake.rows("events")


def test_a_row_is_not_read_from_the_day_on_that_its_contract_keeps_it_no_longer(tmp_path: Path) -> None:
    made = tiny(tmp_path / "w")
    made.events([event(1, -29), event(2, -10), event(3, 0)])
    made.day = DAY
    with made.open() as app:
        app.turn()
        assert seen(app) == ["m1", "m2", "m3"] and list(counted(app).values()) == [3]
        made.day = DAY + timedelta(days=2)
        assert seen(app) == ["m2", "m3"]
        app.turn()
        assert list(counted(app).values()) == [2]
        version = app.lake.version("events")
        assert app.sql(f"SELECT count(*) FROM events VERSION AS OF {version}", purpose="operate").rows() == [(2,)]


def test_the_burn_takes_the_row_its_sealed_record_and_the_older_versions_out_of_the_files(tmp_path: Path) -> None:
    made = tiny(tmp_path / "w")
    made.events([event(1, -29, ip="203.0.113.7"), event(2, 0, ip="203.0.113.8")])
    made.day = DAY
    with made.open() as app:
        app.turn()
        records = dict(rows(app.con, f"SELECT message_id, record_id FROM {app.lake.relation('events')}"))
        made.day = DAY + timedelta(days=40)
        terms = {(t.table, t.source): t for t in app.expiry.terms()}
        assert terms["events", "events"].old == 2 and terms["events", "events"].days == 30
        made.day = DAY + timedelta(days=5)
        assert app.burn().rows == {"events": 1}
        assert list(app.vault.unseal(records.values())) == [records["m2"]]
        assert held(app) == 1 and seen(app) == ["m2"]
        assert app.burn().rows == {} and app.expiry.due() is None
        newest = app.lake.version("events") or 0
        assert not any(app.lake.kept("events", v) for v in range(newest))
        entry = next(e for e in app.ledger.entries(newest_first=True) if e.act == "burn")
        key = int(app.vault.resolve("user_id", ["u1"], mint=False)[0])
        assert entry.keys is not None and list(app.ledger.sets.load(entry.keys.digest)) == [key] and entry.rows == 1


def test_the_burn_comes_with_the_turn_when_it_is_due(tmp_path: Path) -> None:
    made = tiny(tmp_path / "w")
    made.events([event(1, -29), event(2, 0)])
    made.day = DAY
    with made.open() as app:
        app.turn()
        made.day = DAY + timedelta(days=3)
        app.turn()
        due = app.expiry.due()
        assert held(app) == 2 and due is not None and due > made.day
        made.day = due + timedelta(minutes=1)
        app.turn()
        assert held(app) == 1 and list(counted(app).values()) == [1]


def test_a_purpose_reads_no_act_that_is_older_than_it_needs_and_other_purposes_do(tmp_path: Path) -> None:
    made = tiny(tmp_path / "w", days="")
    made.events([event(1, -364, analytics="yes"), event(2, -1, analytics="yes", marketing="yes")])
    purposes = made.root / "purposes.yaml"
    text = purposes.read_text().split("  personalise:")
    purposes.write_text("  personalise:".join([text[0].replace("keep_days: 730", "keep_days: 365"), *text[1:]]))
    made._config = None
    made.day = DAY
    with made.open() as app:
        app.turn()
        assert seen(app, "analytics") == ["m1", "m2"]
        made.day = DAY + timedelta(days=3)
        assert seen(app, "analytics") == ["m2"] and seen(app, "marketing") == seen(app) == ["m1", "m2"]


def test_a_row_without_a_time_and_a_source_without_a_term_are_kept(tmp_path: Path) -> None:
    made = tiny(tmp_path / "w")
    made.write("crm", contract("crm", CRM, path="in/crm/*.csv", format="csv", record="person", sync="append", rank="20"))
    made.crm([{"id": "u1", "name": "Ann", "updated": "1999-01-01"}])
    made.events([event(1, -500)])
    made.day = DAY
    with made.open() as app:
        app.turn()
        assert seen(app) == [] and app.burn().rows == {"events": 1}
        assert app.sql("SELECT count(*) FROM records", purpose="operate").rows() == [(1,)]


def test_broken_rows_burn_when_nobody_has_mended_them_for_ninety_days(tmp_path: Path) -> None:
    made = tiny(tmp_path / "w")
    made.events([event(1, 0), {"id": "m2", "type": "track", "user": "u2", "at": "no time"}])
    made.day = DAY
    with made.open() as app:
        app.turn()
        sealed = [r[0] for r in rows(app.con, f"SELECT record_id FROM {app.lake.relation('quarantine')}")]
        made.day = DAY + timedelta(days=89)
        assert "quarantine" not in app.burn().rows and len(app.vault.unseal(sealed)) == 1
        made.day = DAY + timedelta(days=92)
        assert app.burn().rows["quarantine"] == 1 and app.vault.unseal(sealed) == {}


@pytest.fixture(scope="module")
def due_soon(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """After a turn, with one row that is too old in two days."""
    made = tiny(tmp_path_factory.mktemp("due") / "w")
    made.events([event(1, -29, ip="203.0.113.7"), event(2, 0)])
    made.day = DAY
    with made.open() as app:
        app.turn()
    return made


@pytest.mark.parametrize("act", range(1, 8))
def test_a_burn_that_was_killed_anywhere_is_finished_by_the_next(due_soon: Tiny, tmp_path: Path, act: int) -> None:
    made = twin(due_soon, tmp_path / "w")
    with made.open() as app:
        sealed = [r[0] for r in rows(app.con, f"SELECT record_id FROM {app.lake.relation('events')}") if r[0]]
        made.day = DAY + timedelta(days=5)
        with at_act(app, act, kill), suppress(Killed):
            app.burn()
    with made.open() as app:
        app.burn()
        assert held(app) == 1 and app.vault.unseal(sealed) == {} and seen(app) == ["m2"]
        assert app.expiry.due() is None and app.ledger.verify().ok


some = st.lists(st.tuples(st.integers(-33, 2), st.sampled_from("uvw")), min_size=1, max_size=5)
acts = st.one_of(
    st.tuples(st.just("events"), some),
    st.tuples(st.just("days"), st.integers(1, 12)),
    st.tuples(st.sampled_from(["turn", "burn"]), st.none()),
)


@settings(max_examples=5, deadline=None)
@example(first=[(-29, "u"), (0, "u")], then=[("days", 3), ("turn", None)])
@given(first=some, then=st.lists(acts, min_size=2, max_size=7))
def test_law_however_time_goes_on_a_turn_makes_what_a_full_turn_would(
    first: list[tuple[int, str]], then: list[tuple[str, Any]]
) -> None:
    story = [("events", first), ("turn", None), *then]
    with tempfile.TemporaryDirectory() as folder:
        made, number, young = tiny(Path(folder) / "w"), 0, 0
        made.day = DAY
        with made.open() as app:
            for what, how in story:
                if what == "events":
                    made.events([event(number + i, day, user) for i, (day, user) in enumerate(how)])
                    number += len(how)
                elif what == "days":
                    made.day += timedelta(days=how)
                elif what == "turn":
                    app.turn()
                else:
                    app.burn()
            app.turn()
            young, mine = len(seen(app)), counted(app)
            app.turn(full=True)
            assert counted(app) == mine and sum(mine.values()) == young
            app.burn()
            assert len(seen(app)) == held(app) == young
            app.turn()
            assert counted(app) == mine
