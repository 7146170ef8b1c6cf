"""Restriction and objection: nobody uses her data from the next read on; when they end, all is as if they had not been."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from given_requests import answered, ready, shop
from given_tiny import Tiny
from laws.picture import picture
from laws.shop import UNIVERSE, customer, twin
from tessera.app import App
from tessera.errors import BadInput, NotAllowed
from tessera.lake.engine import rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return shop(tmp_path_factory.mktemp("restriction") / "shop")


@pytest.fixture
def tiny(made: Tiny, tmp_path: Path) -> Tiny:
    return twin(made, tmp_path / "shop")


def names(app: App, purpose: str = "operate", table: str = "records") -> list[str]:
    """Whose records a purpose sees."""
    told = app.sql(f"SELECT name FROM {table} WHERE name IS NOT NULL", purpose=purpose, role="owner")
    return sorted(told.table.column(0).to_pylist())


def test_a_restriction_acts_at_the_very_next_read_and_is_liftable(tiny: Tiny) -> None:
    with tiny.open() as app:
        before = app.sql("SELECT * FROM profiles ORDER BY person_id", purpose="operate", role="owner").table
        (person,) = app.people.find("u1")
        request = ready(app, "restriction", "u1")
        assert names(app) == ["Name1", "Name2", "Name3"]
        app.desk.run(request.id)
        assert names(app) == names(app, table="profiles") == ["Name2", "Name3"]
        with pytest.raises(NotAllowed, match="restricted"):
            app.people.portrait(person, purpose="operate", role="service")
        assert app.sql("SELECT count(*) FROM orders", purpose="operate", role="owner").rows() == [(2,)]
        app.turn()
        assert names(app, table="profiles") == ["Name2", "Name3"]
        assert app.people.find("u1") == [person], "she is still found, so that it can be ended"
        app.desk.lift(request.id, "Your address was right.")
        assert names(app) == ["Name1", "Name2", "Name3"]
        app.turn()
        after = app.sql("SELECT * FROM profiles ORDER BY person_id", purpose="operate", role="owner").table
        assert after.equals(before)
        assert app.desk.receipt(request.id)["reasons"] == {"end": "Your address was right."}


def test_a_restriction_leaves_open_what_the_customer_spared_and_no_other_purpose(tiny: Tiny) -> None:
    with tiny.open() as app:
        request = answered(app, "restriction", "u1", spared=["operate"])
        assert request.outcome["open_still"] == ["operate"]
        assert names(app) == ["Name1", "Name2", "Name3"] and names(app, "post") == ["Name2", "Name3"]


def test_it_reaches_identifiers_that_become_hers_later(tiny: Tiny) -> None:
    with tiny.open() as app:
        answered(app, "restriction", "u1")
        event = {"type": "page", "user": "u1", "cookie": "k9", "at": "2026-02-20T10:00:00Z"}
        tiny.events([{"id": "m20", **event}, {"id": "m21", "type": "page", "cookie": "k9", "at": "2026-02-21T10:00:00Z"}])
        app.turn()
        assert len(app.people.keys(app.people.find("u1")[0])) == 4, "what comes is stored, and joined to her"
        assert app.sql("SELECT count(*) FROM events", purpose="operate", role="owner").rows() == [(1,)]


def test_her_copy_is_hers_under_a_restriction_and_says_so(tiny: Tiny, tmp_path: Path) -> None:
    import json

    from given_requests import files

    with tiny.open() as app:
        answered(app, "restriction", "u1")
        answered(app, "access", "u1", tmp_path / "copy.zip")
    told = json.loads(files(tmp_path / "copy.zip")["about.json"])
    assert {p["name"] for p in told["purposes"] if p["restricted"]} >= {"operate", "marketing", "post"}
    assert "Restricted at your request" in files(tmp_path / "copy.zip")["index.html"].decode()


def test_an_objection_to_marketing_survives_every_yes_that_a_source_sends(tiny: Tiny) -> None:
    with tiny.open() as app:
        assert "Name1" in names(app, "marketing")
        answered(app, "objection", "u1", purpose="marketing")
        assert "Name1" not in names(app, "marketing") and "Name1" in names(app)
        tiny.crm([customer(1, "a", 20, marketing="false"), customer(2, "b", 20, marketing="true")])
        app.turn()
        tiny.crm([customer(1, "a", 25, marketing="true"), customer(2, "b", 25, marketing="true")])
        tiny.events([{"id": "m30", "type": "page", "user": "u1", "at": "2026-02-26T10:00:00Z", "marketing": "yes"}])
        app.turn()
        assert names(app, "marketing") == ["Name2"]


def test_an_objection_to_legitimate_interest_acts_like_one(tiny: Tiny) -> None:
    with tiny.open() as app:
        request = answered(app, "objection", "u1", purpose="post")
        assert names(app, "post") == ["Name2", "Name3"]
        app.desk.lift(request.id, "You asked for the catalogue again.")
        assert names(app, "post") == ["Name1", "Name2", "Name3"]


@pytest.mark.parametrize(
    ("purpose", "says"), [("operate", "restrict or erase"), ("analytics", "withdraw"), (None, "marketing")]
)
def test_to_what_nobody_can_object_is_told_with_what_helps(purpose: str | None, says: str, tiny: Tiny) -> None:
    with tiny.open() as app, pytest.raises(BadInput, match=says):
        app.desk.open("objection", value="u1", purpose=purpose)


def test_a_restriction_ends_with_an_erasure(tiny: Tiny) -> None:
    with tiny.open() as app:
        answered(app, "restriction", "u1")
        answered(app, "erasure", "u1")
        assert app.state.items("restricted") == {} and app.permits.barred(app.config.purposes["operate"]) == frozenset()


def test_a_restart_forgets_no_restriction(tiny: Tiny) -> None:
    with tiny.open() as app:
        answered(app, "restriction", "u1")
    with tiny.open() as app:
        assert names(app) == ["Name2", "Name3"]


acts = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["restrict", "object", "lift"]), st.sampled_from(["u1", "u2", "u3"])),
        st.tuples(st.just("event"), st.sampled_from(["u1", "u2", "u3"])),
        st.just(("turn", "")),
    ),
    min_size=2, max_size=7,
)  # fmt: skip


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=acts)
def test_law_however_restrictions_come_and_go_a_turn_ends_as_a_full_one(made: Tiny, acts: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tiny, waiting = twin(made, Path(folder) / "shop"), []
        with tiny.open() as app:
            for n, (act, who) in enumerate(acts):
                if act == "restrict":
                    waiting.append(answered(app, "restriction", who).id)
                elif act == "object":
                    waiting.append(answered(app, "objection", who, purpose="marketing").id)
                elif act == "lift" and waiting:
                    app.desk.lift(waiting.pop(0), "enough")
                elif act == "event":
                    row = {"id": f"e{n}", "type": "page", "user": who, "cookie": f"k{n}", "at": "2026-02-20T10:00:00Z"}
                    tiny.events([row])
                elif act == "turn":
                    app.turn()
            app.turn()
            universe = [*UNIVERSE, *(("anonymous_id", f"k{n}") for n in range(len(acts)) if n not in range(1, 6))]
            lived = seen(app, universe)
            app.turn(full=True)
            assert seen(app, universe) == lived


def seen(app: App, universe: list[tuple[str, str]]) -> dict[str, Any]:
    """What every table says of whom it may say anything."""
    whole = picture(app, universe)
    purposes = {p: rows_of(app, p) for p in ("operate", "marketing")}
    return {"people": whole["people"], "activity": whole["activity"], "purposes": purposes}


def rows_of(app: App, purpose: str) -> list[tuple[Any, ...]]:
    view = app.gate.for_step("profiles", app.config.purposes[purpose])
    app.gate.load(app.con, [view])
    return sorted(rows(app.con, f"SELECT events, orders, revenue_cents, keys, city FROM {view.sql}"), key=repr)
