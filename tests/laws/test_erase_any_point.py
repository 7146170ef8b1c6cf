"""Law: whoever is erased while a batch or a step is being written is not back, and nobody else is touched."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from given_kills import ACTS, at_act
from given_tiny import Tiny
from laws.picture import picture
from laws.shop import HERS, UNIVERSE, known, orphans, twin, waiting
from tessera.app import App
from tessera.lake.engine import rows
from tessera.trust import removal
from tessera.words import Erased


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tiny, dict[str, Any], list[str]]:
    """The shop before its second day; what that day makes of it if she was erased before; and the day's acts."""
    tiny = known(tmp_path_factory.mktemp("erase") / "shop")
    waiting(tiny)
    still = twin(tiny, tiny.root.parent / "still")
    with still.open() as app:
        app.erase(app.people.find("u1"), sweep=True)
        app.turn()
        people = picture(app, UNIVERSE)
    counted = twin(tiny, tiny.root.parent / "counted")
    with counted.open() as app, at_act(app, 0, lambda _: None) as acts:
        app.turn()
    return tiny, people, acts


def without_her(app: App, hers: Erased, people: dict[str, Any]) -> None:
    """She is nowhere, and the others are as if she had been erased before the day began."""
    with removal.Named(app.con, hers):
        for table in app.lake.personal_tables:
            found = rows(app.con, f"SELECT count(*) FROM {app.lake.relation(table.name)} WHERE {removal.hers(table)}")
            assert found == [(0,)], table.name
    for kind, value in HERS:
        assert app.vault.resolve(kind, [value], mint=False).tolist() == [-1]
    made = picture(app, UNIVERSE)
    for part in ("people", "masks", "profiles", "activity"):
        assert made[part] == people[part], part
    assert not orphans(app)


def erased_at(tiny: Tiny, number: int, after: bool, people: dict[str, Any], sweep: bool = False) -> None:
    with tiny.open() as app:
        # Her first day's keys: those that wait at the sources are joined to her by rows that go with her.
        plan = app.rights.plan(app.people.find("u1"))

        sweeps: list[Thread] = []

        def erase(_: str) -> None:
            # Another thread would wait for the end of a transaction that is open here.
            if not app.state._depth:
                app.erase(sorted(plan.who.persons))
                if sweep:
                    # It waits until the turn lets go of the tables.
                    sweeps.append(Thread(target=app.sweep))
                    sweeps[-1].start()

        with at_act(app, number, erase, after=after):
            app.turn()
        for swept in sweeps:
            swept.join()
        if app.people.find("u1"):
            app.erase(sorted(plan.who.persons))
        with removal.Named(app.con, plan.who):
            for table in ("activity", "membership", "mask", "profiles"):
                view = app.gate.for_step(table, app.config.purposes["operate"])
                app.gate.load(app.con, [view])
                declared = app.lake.table(table)
                found = rows(app.con, f"SELECT count(*) FROM {view.sql} WHERE {removal.owned(declared)}")
                assert found == [(0,)], f"{table} still shows her"
        app.turn()
        app.sweep()
        app.turn()
        without_her(app, plan.who, people)
        made = picture(app, UNIVERSE)
        app.turn(full=True)
        assert picture(app, UNIVERSE) == made


@pytest.mark.parametrize("fifth", [1, 3, *(pytest.param(n, marks=pytest.mark.heavy) for n in (0, 2, 4))])
def test_erased_while_the_day_was_written_she_is_not_back(
    shop: tuple[Tiny, dict[str, Any], list[str]], fifth: int, tmp_path: Path
) -> None:
    tiny, people, acts = shop
    number = 1 + (2 * fifth + 1) * len(acts) // 10
    erased_at(twin(tiny, tmp_path / "shop"), number, fifth % 2 == 1, people)


@pytest.mark.heavy
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("sweep", [False, True])
def test_erased_at_each_act_she_is_not_back(
    shop: tuple[Tiny, dict[str, Any], list[str]], after: bool, sweep: bool, tmp_path: Path
) -> None:
    tiny, people, acts = shop
    for number in range(1, len(acts) + 1):
        erased_at(twin(tiny, tmp_path / f"shop{number}"), number, after, people, sweep)


def test_an_erasure_moves_the_epoch_and_the_sieve_empties_what_was_just_written(tmp_path: Path) -> None:
    tiny = known(tmp_path / "shop")
    with tiny.open() as app:
        before, profiles = app.permits.epoch, app.lake.table("profiles")
        kept = app.lake.rows("profiles")
        assert app.gate.sieve(app.con, profiles, before) == 0
        app.erase(app.people.find("u1"))
        assert app.permits.epoch > before
        assert app.gate.sieve(app.con, profiles, before) == 1
        assert app.lake.rows("profiles") == kept - 1
        assert app.gate.sieve(app.con, profiles, app.permits.epoch) == 0


def test_the_acts_that_the_laws_stop_at_are_there() -> None:
    assert {method for _, method in ACTS} >= {"stage", "commit", "put_many", "erase"}


def test_an_erasure_that_was_killed_half_way_is_finished_by_the_next_start(tmp_path: Path) -> None:
    tiny = known(tmp_path / "shop")
    with tiny.open() as app:
        app.permits.block("1", app.rights.plan(app.people.find("u1")).who)
    with tiny.open() as app:
        assert app.vault.resolve("user_id", ["u1"], mint=False).tolist() == [-1]
        assert app.sweep().people == 1
        assert not orphans(app)


def test_a_second_erasure_does_not_put_off_the_sweep_of_the_first(tmp_path: Path) -> None:
    tiny = known(tmp_path / "shop")
    with tiny.open() as app:
        due = app.erase(app.people.find("u1")).due
        assert app.erase(app.people.find("u2")).due == due


def test_an_erasure_leaves_the_record_of_another_who_gave_her_e_mail(tmp_path: Path) -> None:
    """An e-mail that does not join is in two people's records; one of them goes."""
    tiny = known(tmp_path / "shop")
    text = (tiny.root / "sources" / "crm.odcs.yaml").read_text()
    loose = text.replace('"value": "email"}, {', '"value": "email"}, {"property": "joins", "value": false}, {', 1)
    with tiny.open() as app:
        people = len(picture(app, UNIVERSE)["people"])
    tiny.write("crm2", loose.replace("name: crm", "name: crm2").replace("in/crm/", "in/crm2/").replace("tiny:crm", "tiny:crm2"))
    (tiny.root / "in" / "crm2").mkdir()
    (tiny.root / "in" / "crm2" / "1.csv").write_text(
        "id,name,email,phone,city,updated,marketing\nu4,Name4,a@x.org,,Bern,2026-02-05T00:00:00Z,\n"
    )
    with tiny.open() as app:
        app.turn()
        assert len(picture(app, UNIVERSE)["people"]) == people + 1
        app.erase(app.people.find("u1"), sweep=True)
        app.turn()
        made = picture(app, UNIVERSE)["profiles"][(("user_id", "u4"),)]
        assert (made["city"], made["email_key"], made["name"]) == ("Bern", None, "Name4")
