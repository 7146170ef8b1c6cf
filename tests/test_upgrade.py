"""tessera.upgrade: a workspace of the format before becomes one of this, whatever kills it on the way."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from given_tiny import DAY, Tiny
from tessera.app import App, tables
from tessera.doors.cli import main
from tessera.errors import BadWorkspace
from tessera.lake.engine import rows
from tessera.lake.state import FORMAT, State
from tessera.lake.store import Lake
from tessera.upgrade import MIGRATIONS, plan, upgrade

SCHEMA = Path(__file__).parents[1] / "docs" / "schemas" / "upgrade.json"
OLD = 4


def profiles(app: App) -> list[Any]:
    return sorted(rows(app.con, f"SELECT * FROM {app.lake.relation('profiles')}"), key=repr)


@pytest.fixture(scope="module")
def of_format_4(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tiny, list[Any]]:
    """A workspace as format 4 left it: partials with the names of their rows; and its profiles."""
    made = Tiny(tmp_path_factory.mktemp("old") / "w")
    made.events(
        {"id": f"m{n}", "type": "page", "user": f"u{n % 3}", "at": (DAY + timedelta(minutes=n)).isoformat(), "product": f"p{n}"}
        for n in range(9)
    )
    with made.open() as app:
        app.turn()
        kept = profiles(app)
        relation, own = app.lake.relation("activity"), app.lake.table("activity")
        named = [c.name for c in own.columns if c.type.startswith("STRUCT(r")]
        partial = "CASE WHEN {0} IS NOT NULL THEN struct_pack(r := {0}.r, t := {0}.t, n := 'x', v := {0}.v) END AS {0}"
        replaced = ", ".join(partial.format(column) for column in named)
        old_rows = app.con.sql(f"SELECT * REPLACE ({replaced}) FROM {relation}").to_arrow_table()
        folder = app.lake.folder("activity")
        app.lake.drop("activity")
        from deltalake import write_deltalake

        write_deltalake(str(folder), old_rows)
        app.state.put("written", "activity", True)
        app.state.put("workspace", "format", OLD)
        app.state.put("runs", "activity", {**app.state.get("runs", "activity"), "print": "of the older code"})
    return made, kept


@pytest.fixture
def old(of_format_4: tuple[Tiny, list[Any]], tmp_path: Path) -> tuple[Tiny, list[Any]]:
    made, kept = of_format_4
    return made.copied(tmp_path / "w"), kept


def test_every_format_has_its_way_on_and_every_table_of_one_is_derived() -> None:
    assert set(MIGRATIONS) == set(range(OLD, FORMAT))
    from tessera.loop import STEPS

    remade = {s.writes.name for s in STEPS if not s.keeps}
    assert all(set(names) <= remade for names in MIGRATIONS.values())


def test_an_older_workspace_is_brought_up_to_date_and_says_the_same(old: tuple[Tiny, list[Any]], capsys: Any) -> None:
    tiny, kept = old
    with pytest.raises(BadWorkspace, match="tessera upgrade"):
        tiny.open()
    assert main(["-w", str(tiny.root), "upgrade", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, json.loads(SCHEMA.read_text("utf-8")))
    assert told == {"from": OLD, "to": FORMAT, "remade": ["activity"], "dry_run": True}
    with pytest.raises(BadWorkspace):
        tiny.open()
    assert upgrade(tiny.root, clock=tiny.clock).remade == ("activity",)
    with tiny.open() as app:
        assert profiles(app) == kept
        assert app.ledger.verify().ok
        assert [e.note for e in app.ledger.entries() if e.act == "upgrade"] == [f"format {OLD} -> {FORMAT}"]
        tiny.events([{"id": "m9", "type": "page", "user": "u0", "at": (DAY + timedelta(hours=1)).isoformat(), "product": "z"}])
        app.turn()
        grown = profiles(app)
        app.turn(full=True)
        assert profiles(app) == grown != kept
    assert upgrade(tiny.root, clock=tiny.clock).remade == ()


POINTS = ["its log is left", "before the format", "before the table goes", "after it went", "before the turn"]


@pytest.mark.parametrize("point", [*POINTS[:2], *(pytest.param(p, marks=pytest.mark.heavy) for p in POINTS[2:])])
def test_an_upgrade_that_is_killed_is_finished_by_the_next(
    old: tuple[Tiny, list[Any]], point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny, kept = old

    class Killed(BaseException):
        """As kill -9: nothing more of ours runs."""

    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    drop, put = Lake.drop, State.put

    with monkeypatch.context() as patch:
        if point == "before the table goes":
            patch.setattr(Lake, "drop", dies)
        elif point == "its log is left":
            patch.setattr("tessera.lake.store.shutil.rmtree", dies)
        elif point == "after it went":
            patch.setattr(Lake, "drop", lambda self, table: (drop(self, table), dies()))
        elif point == "before the format":
            patch.setattr(State, "put", lambda self, s, n, v: dies() if n == "format" else put(self, s, n, v))
        else:
            patch.setattr(App, "turn", dies)
        with pytest.raises(Killed):
            upgrade(tiny.root, clock=tiny.clock)
    upgrade(tiny.root, clock=tiny.clock)
    with tiny.open() as app:
        app.turn()
        assert profiles(app) == kept and app.lake.version("activity") is not None


def test_a_format_without_a_way_is_told(tmp_path: Path) -> None:
    for found, said in ((FORMAT + 1, "newer"), (OLD - 1, "knows no way")):
        with pytest.raises(BadWorkspace, match=said):
            plan(found)
    assert {t.name for t in tables()} >= {name for names in MIGRATIONS.values() for name in names}
