"""Erasure: at once, then physically; whatever is killed when, and whatever lands meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from given_gate import put

from given_people import NOW, Person, Shop
from tessera.app import App
from tessera.errors import NotFound
from tessera.trust import removal, traces
from tessera.trust.vault import SUPPRESSED
from tessera.words import Erased, Proof

TABLES = ("records", "events", "touches", "posts", "readings", "links", "membership", "mask", "profiles", "consents")


class Stop(BaseException):
    """A kill."""


def killed(*_: Any, **__: Any) -> Any:
    raise Stop


def opened(shop: Shop, at: Any = NOW) -> App:
    return App(shop.root, clock=lambda: at)


def left(app: App, keys: set[int]) -> dict[str, int]:
    """How many rows of these keys lie in each table."""
    listed = ", ".join(map(str, sorted(keys)))
    found = {}
    for table in app.lake.personal_tables:
        if table.reason == "key" and app.lake.version(table.name) is not None:
            where = " OR ".join(f"{c} IN ({listed})" for c in table.owners)
            many = app.con.execute(f"SELECT count(*) FROM {app.lake.relation(table.name)} WHERE {where}").fetchall()[0][0]
            if many:
                found[table.name] = int(many)
    return found


def known(app: App, p: Person) -> bool:
    return int(app.vault.resolve("email", [p.email], mint=False)[0]) != SUPPRESSED


def test_the_plan_counts_her_rows_and_touches_nothing(copied: Shop) -> None:
    with opened(copied) as app:
        her = app.people.find(copied.people[3].email)
        plan = app.rights.plan(her)
        assert plan.rows["events"] == (2, "deleted") and plan.rows["orders"] == (2, "kept without her")
        assert set(plan.who.persons) == set(her) and len(plan.who.keys) == 5
        assert app.people.find(copied.people[3].email) == her and app.rights.due() is None


def test_a_person_whom_nobody_is_cannot_be_erased_nor_one_twice(copied: Shop) -> None:
    with opened(copied) as app:
        for persons in ([9999], []):
            with pytest.raises(NotFound):
                app.rights.erase(persons)
        her = app.people.find(copied.people[3].email)
        app.erase(her)
        with pytest.raises(NotFound):
            app.erase(her)


def test_an_erased_number_says_since_when_it_is_nobody_s_also_after_the_sweep_and_the_next_start(copied: Shop) -> None:
    with opened(copied) as app:
        (her,) = app.people.find(copied.people[3].email)
        assert app.rights.erased_at(her) is app.rights.erased_at(9999) is None
        app.erase([her])
        assert app.rights.erased_at(her) == NOW
    with opened(copied, NOW + timedelta(days=90)) as app:
        app.sweep()
        assert app.rights.erased_at(her) == NOW and not app.people.known(her)
        assert app.rights.erased_at(her + 1) is None


def test_at_once_nobody_finds_or_sees_her_and_her_sealed_cells_cannot_be_opened(copied: Shop) -> None:
    p = copied.people[3]
    with opened(copied) as app:
        (person,) = app.people.find(p.email)
        sealed = app.rights._near(app.rights._whom([person]))[0]
        assert len(app.vault.unseal(sealed)) == len(sealed) > 3
        assert app.rights.plan([person]).who.records >= sealed
        app.erase([person])
        assert app.people.find(p.email) == app.people.find(p.user_id) == [] and not known(app, p)
        assert app.vault.unseal(sealed) == {}
        for table in ("records", "events", "profiles"):
            assert app.sql(f"SELECT count(*) FROM {table} WHERE person_id = {person}", purpose="operate").rows() == [(0,)]
            older = app.sql(f"SELECT count(*) FROM {table} VERSION AS OF 0 WHERE person_id = {person}", purpose="operate")
            assert older.rows() == [(0,)]
        assert app.rights.due() == NOW + timedelta(days=7)


def test_revenue_per_month_is_the_same_before_at_once_after_and_after_the_sweep(copied: Shop) -> None:
    months = "SELECT date_trunc('month', occurred_at) AS month, currency, sum(amount_cents), count(*) FROM {} GROUP BY ALL"
    p = copied.people[3]
    with opened(copied) as app:
        tables = ("orders", "order_lines", "payments")
        ask = lambda: [sorted(map(str, app.sql(months.format(t), purpose="operate").rows())) for t in tables]  # noqa: E731
        before, (person,) = ask(), app.people.find(p.email)
        app.erase([person])
        assert ask() == before
        named = app.sql("SELECT order_id FROM orders WHERE order_id IS NOT NULL", purpose="operate").rows()
        assert named and not {(p.order(0),), (p.order(1),)} & set(named)
        app.sweep()
        assert ask() == before


def test_a_line_of_her_order_that_does_not_name_her_is_refused_before_the_sweep_too(copied: Shop) -> None:
    p = copied.people[3]
    with opened(copied) as app:
        app.erase(app.people.find(p.email))
        gone = set(app.state.items(traces.GONE))
        app.sweep()
        assert gone and gone == set(app.state.items(traces.GONE))


def test_the_sweep_comes_with_the_turn_when_it_is_due(copied: Shop) -> None:
    p = copied.people[3]
    with opened(copied) as app:
        keys = set(app.erase(app.people.find(p.email)).plan.who.keys)
        app.turn(sync=False)
        assert left(app, keys)
    with opened(copied, NOW + timedelta(days=7)) as app:
        app.turn(sync=False)
        assert left(app, keys) == {} and app.rights.due() is None


@pytest.mark.parametrize("where", ["records", "vault", "store"])
def test_an_instant_part_that_was_killed_is_finished_at_the_next_start(
    copied: Shop, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = copied.people[3]
    app = opened(copied)
    (person,) = app.people.find(p.email)
    sealed = app.rights._near(app.rights._whom([person]))[0]
    with monkeypatch.context() as patch:
        if where == "records":
            patch.setattr(app.rights, "_near", killed)
        elif where == "vault":
            patch.setattr(app.vault, "erase", killed)
        else:
            patch.setattr(app.rights, "stores", [type("Store", (), {"name": "s", "forget": killed})()])
        with pytest.raises(Stop):
            app.erase([person])
    app.close()
    with opened(copied) as app:
        assert app.people.find(p.email) == [] and not known(app, p) and app.vault.unseal(sealed) == {}
        app.sweep()
        assert left(app, {int(k) for k in app.permits.blocked_keys}) == {} and app.rights.due() is None


@pytest.mark.parametrize("stage", [0, 1, 3, 7, 12, "scrub", "scour"])
def test_a_sweep_that_was_killed_anywhere_is_finished_by_the_next(
    copied: Shop, stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = copied.people[3]
    money = "SELECT sum(amount_cents), count(*), count(order_id) FROM {}"
    app = opened(copied)
    before = {
        t: app.con.execute(money.format(app.lake.relation(t))).fetchall()[0] for t in ("orders", "order_lines", "payments")
    }
    keys = set(app.erase(app.people.find(p.email)).plan.who.keys)
    with monkeypatch.context() as patch:
        if stage == "scrub":
            patch.setattr(app.vault, "scrub", killed)
        elif stage == "scour":
            patch.setattr(app.state, "scour", killed)
        else:
            patch.setattr(removal, "remove", after(stage, removal.remove))
        with pytest.raises(Stop):
            app.sweep()
    app.close()
    with opened(copied) as app:
        assert app.people.find(p.email) == []
        app.sweep()
        assert left(app, keys) == {} and app.rights.due() is None
        for table, (cents, rows, named) in before.items():
            assert app.con.execute(money.format(app.lake.relation(table))).fetchall() == [(cents, rows, named - 2)]


def after(calls: int, real: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is killed after so many calls."""
    made = iter(range(10_000))
    return lambda *args: killed() if next(made) >= calls else real(*args)


def test_what_a_write_under_way_has_added_since_is_swept_too(copied: Shop) -> None:
    with opened(copied) as app:
        erased = app.erase(app.people.find(copied.people[3].email)).plan.who
        (key, *_), (person,) = erased.keys, erased.persons
        record = int(app.vault.seal([b'{"name": "Late"}'], 99)[0])
        put(app.con, app.lake, "posts", [{"key_id": key, "post_id": "late", "record_id": record}], mode="append")
        put(app.con, app.lake, "profiles", [{"person_id": person}], mode="append")
        put(app.con, app.lake, "links", [{"key_a": 999, "key_b": key}], mode="append")
        app.sweep()
        assert left(app, set(erased.keys)) == {} and app.vault.unseal([record]) == {}
        found = app.con.execute(f"SELECT count(*) FROM {app.lake.relation('profiles')} WHERE person_id = {person}")
        assert found.fetchall() == [(0,)]


def test_a_row_of_another_person_that_has_her_key_beside_its_own_stays_without_it(copied: Shop) -> None:
    with opened(copied) as app:
        (person,) = app.people.find(copied.people[3].email)
        key = int(app.vault.resolve("email", [copied.people[3].email], mint=False)[0])
        (other,) = app.vault.resolve("user_id", [copied.people[5].user_id], mint=False).tolist()
        put(app.con, app.lake, "records", [{"key_id": other, "email_key": key, "city": "Both"}], mode="append")
        app.erase([person], sweep=True)
        found = app.con.execute(f"SELECT key_id, email_key FROM {app.lake.relation('records')} WHERE city = 'Both'")
        assert found.fetchall() == [(other, None)]


def test_lines_without_an_owner_lose_the_number_of_her_order_and_those_of_another_shop_keep_it(copied: Shop) -> None:
    p = copied.people[3]
    with opened(copied) as app:
        (other,) = app.vault.resolve("user_id", [copied.people[5].user_id], mint=False).tolist()
        twin = {"key_id": other, "order_id": p.order(0), "amount_cents": 4, "source": "other shop"}
        put(app.con, app.lake, "order_lines", [twin], mode="append")
        app.erase(app.people.find(p.email), sweep=True)
        found = app.con.execute(
            f"SELECT key_id, amount_cents FROM {app.lake.relation('order_lines')} WHERE order_id = '{p.order(0)}'"
        )
        assert found.fetchall() == [(other, 4)]


def test_her_orders_lines_that_come_later_are_not_taken(copied: Shop) -> None:
    p = copied.people[3]
    with opened(copied) as app:
        app.erase(app.people.find(p.email), sweep=True)
        rows = app.lake.rows("order_lines")
        mine = next(r for r in copied.rows["lines"] if r["order_id"] == p.order(0))
        copied.rows["lines"].append(mine | {"line": "9"})
        copied.write(["lines"])
        assert app.sync(["lines"])["lines"].suppressed == 3  # type: ignore[union-attr]
        assert app.lake.rows("order_lines") == rows


def test_every_store_is_asked_to_forget_her_with_all_her_numbers(copied: Shop) -> None:
    asked: list[Erased] = []

    class Store:
        name = "exports"

        def forget(self, who: Erased) -> Proof:
            asked.append(who)
            return Proof(store=self.name, removed=1, complete=True)

    with opened(copied) as app:
        app.rights.stores = [Store()]
        done = app.erase(app.people.find(copied.people[3].email))
        assert asked == [done.plan.who] and len(asked[0].keys) == 5 and asked[0].records
        assert "exports: 1" in list(app.ledger.entries())[done.entry].note


def test_the_erasure_does_not_wait_for_a_turn_and_the_sweep_does(copied: Shop) -> None:
    from threading import Thread

    p, q = copied.people[3], copied.people[4]
    with opened(copied) as app:
        swept: list[Any] = []
        with app._writing:
            app.erase(app.people.find(p.email))
            sweeper = Thread(target=lambda: swept.append(app.sweep()))
            sweeper.start()
            sweeper.join(0.3)
            assert sweeper.is_alive() and app.people.find(p.email) == [] and app.people.find(q.email)
        sweeper.join(30)
        assert swept[0].people == 1


def test_several_people_are_swept_together(copied: Shop) -> None:
    with opened(copied) as app:
        keys: set[int] = set()
        for n in (1, 2, 6):
            keys |= app.erase(app.people.find(copied.people[n].email)).plan.who.keys
        assert app.sweep().people == 3
        assert left(app, keys) == {} and app.people.find(copied.people[7].email)
        assert set(TABLES) <= {t.name for t in app.lake.personal_tables}
