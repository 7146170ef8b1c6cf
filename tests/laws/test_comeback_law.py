"""Law: whatever bulk syncs come after an erasure, she is not back; her own act at our door, with a new choice, lets her in."""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tessera
from given_kills import Killed, abandon, at_act, kill
from given_tiny import Tiny
from laws.shop import HERS, customer, known, twin
from tessera.app import App
from tessera.errors import BadInput, NotFound
from tessera.lake.engine import rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The shop after she was erased."""
    tiny = known(tmp_path_factory.mktemp("comeback") / "shop")
    with tiny.open() as app:
        app.erase(app.people.find("u1"), sweep=True)
        app.turn()
    return tiny


WHEN = ("2025-01-01T00:00:00Z", "2026-02-20T10:00:00Z", "2027-06-01T00:00:00Z")
answer = st.sampled_from(["", "yes", "no"])
acts = st.lists(
    st.one_of(
        st.tuples(st.just("crm"), st.sampled_from(["a", "z"]), st.sampled_from(WHEN), answer),
        st.tuples(st.just("event"), st.sampled_from(["user", "mail", "cookie"]), st.sampled_from(WHEN), answer),
        st.tuples(st.just("order"), st.sampled_from(["user", "mail"]), st.sampled_from(WHEN), st.just("")),
        st.tuples(st.sampled_from(["turn", "full", "sweep", "restart"]), st.just(""), st.just(""), st.just("")),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


def sent(tiny: Tiny, n: int, act: str, how: str, when: str, said: str) -> None:
    """A bulk source says something of her."""
    if act == "crm":
        her = {**customer(1, how, 1, marketing={"yes": "true", "no": "false"}.get(said)), "updated": when}
        tiny.crm([her, customer(2, "b", 1), customer(3, "c", 1, phone="+4411111111")])
    elif act == "event":
        whose = {"user": "u1", "mail": "a@x.org", "cookie": "k1"}[how]
        row = {"id": f"n{n}", "type": "identify", "event": "Signed Up", how: whose, "at": when, "analytics": said or None}
        tiny.events([{k: v for k, v in row.items() if v}])
    else:
        tiny.orders([{"id": f"n{n}", how: "u1" if how == "user" else "a@x.org", "at": when, "cents": 100}])


def absent(app: App) -> None:
    """None of her identifiers has a number, and nobody is found by one."""
    for kind, value in HERS:
        assert app.vault.resolve(kind, [value], mint=False).tolist() == [-1], kind
        assert app.people.find(value) == []


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=acts)
def test_law_whatever_bulk_sources_send_she_is_not_back(made: Tiny, acts: list[tuple[str, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tiny = twin(made, Path(folder) / "shop")
        app = tiny.open()
        try:
            for n, (act, how, when, said) in enumerate(acts):
                if act in ("crm", "event", "order"):
                    sent(tiny, n, act, how, when, said)
                elif act == "sweep":
                    app.sweep()
                elif act == "restart":
                    app.close()
                    app = tiny.open()
                else:
                    app.turn(full=act == "full")
            app.turn()
            absent(app)
        finally:
            app.close()


def test_her_own_act_lets_in_what_she_gave_and_only_what_comes_after(made: Tiny, tmp_path: Path) -> None:
    tiny = twin(made, tmp_path / "shop")
    tiny.day = tiny.day.replace(month=6)
    with tiny.open() as app:
        before = {key for (key,) in rows(app.con, f"SELECT key_id FROM {app.lake.relation('membership')}")}
        keys = app.welcome("sign-up", {"user_id": "u1", "email": "A@x.org"}, {"marketing": "given"}, by="door:web")
        assert not before & set(keys), "she comes back under new numbers"
        assert app.vault.resolve("anonymous_id", ["k1"], mint=False).tolist() == [-1], "what she did not give stays out"
        sent(tiny, 1, "event", "user", "2026-02-20T10:00:00Z", "")
        sent(tiny, 2, "crm", "a", "2026-03-01T00:00:00Z", "yes")
        app.turn()
        (person,) = app.people.find("u1")
        assert app.people.find("a@x.org") == [person]
        assert profile(app, person) == (0, 0), "rows that are older than her act stay refused"
        sent(tiny, 3, "event", "user", "2026-06-20T10:00:00Z", "")
        sent(tiny, 4, "crm", "a", "2026-06-21T00:00:00Z", "yes")
        app.turn()
        assert profile(app, person) == (1, 1)
        assert person in app.permits.ids(app.config.purposes["marketing"], "person")
        assert [e.note for e in app.ledger.entries() if e.act == "welcome"] == ["sign-up, a new choice"]
        app.erase([person], sweep=True)
        assert app.state.items("lifted") == {}
        sent(tiny, 5, "event", "user", "2027-06-20T10:00:00Z", "")
        app.turn()
        assert app.people.find("u1") == []


def profile(app: App, person: int) -> tuple[Any, ...]:
    """How many events and records her profile counts."""
    view = app.gate.for_step("profiles", app.config.purposes["operate"])
    app.gate.load(app.con, [view])
    return rows(app.con, f"SELECT events, records FROM {view.sql} WHERE person_id = {person}")[0]


@pytest.mark.parametrize(
    ("identifiers", "choices", "error"),
    [
        ({"user_id": "u1"}, {}, BadInput), ({}, {"marketing": "given"}, BadInput),
        ({"user_id": "u1"}, {"operate": "given"}, BadInput), ({"user_id": "u1"}, {"none": "given"}, NotFound),
        ({"passport": "u1"}, {"marketing": "given"}, NotFound),
    ],
)  # fmt: skip
def test_an_act_without_a_new_choice_lifts_nothing(
    identifiers: dict[str, str], choices: dict[str, Any], error: type[Exception], made: Tiny, tmp_path: Path
) -> None:
    with twin(made, tmp_path / "shop").open() as app:
        with pytest.raises(error):
            app.welcome("sign-in", identifiers, choices, by="door:web")
        absent(app)


@pytest.mark.parametrize(
    ("act", "answer"), [("bulk", "given"), ("signed up", "given"), ("", "given"), ("Sign-up", "given"), ("sign-in", "maybe")]
)
def test_a_word_that_is_no_act_and_no_answer_of_hers_lifts_nothing(act: Any, answer: Any, made: Tiny, tmp_path: Path) -> None:
    with twin(made, tmp_path / "shop").open() as app:
        with pytest.raises(BadInput, match="of hers, so nothing is lifted"):
            app.welcome(act, {"user_id": "u1", "email": "a@x.org"}, {"marketing": answer}, by="door:web")
        absent(app)
        assert not [e for e in app.ledger.entries() if e.act == "welcome"]


def test_an_act_that_is_killed_lets_her_in_whole_or_not_at_all(made: Tiny, tmp_path: Path) -> None:
    def act(app: App) -> None:
        app.welcome("sign-in", {"user_id": "u1", "email": "a@x.org"}, {"marketing": "given"}, by="door:web")

    with twin(made, tmp_path / "whole").open() as app, at_act(app, 0, lambda _: None) as acts:
        act(app)
    for number in range(1, len(acts) + 1):
        one = twin(made, tmp_path / f"shop{number}")
        app = one.open()
        with pytest.raises(Killed), at_act(app, number, kill, after=number % 2 == 0):
            act(app)
        abandon(app)
        with one.open() as app:
            back = [app.vault.resolve(kind, [value], mint=False)[0] > 0 for kind, value in HERS[:2]]
            assert all(back) == bool(app.state.items("lifted")) and len(set(back)) == 1, number
            sent(one, 9, "event", "user", "2026-02-20T10:00:00Z", "")
            app.turn()
            events = f"SELECT count(*) FROM {app.lake.relation('events')} WHERE message_id = 'n9'"
            assert rows(app.con, events) == [(0,)], number


def test_nothing_else_in_the_house_lifts_a_suppression() -> None:
    source = Path(tessera.__file__).parent
    callers = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "lift"
        and isinstance(node.value, ast.Attribute) and node.value.attr == "vault"
    }  # fmt: skip
    assert callers == {"data/comebacks.py"}
