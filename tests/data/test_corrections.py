"""data/corrections.py: a corrected value flows into the profile and outlives what sources still say, until there is news."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from given_kills import Killed, abandon, at_act, kill
from given_requests import answered, ready, shop
from given_tiny import Tiny
from laws.picture import picture
from laws.shop import UNIVERSE, customer, orphans, twin
from tessera.app import App
from tessera.errors import BadInput, NotAllowed
from tessera.lake.engine import value


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return shop(tmp_path_factory.mktemp("corrections") / "shop")


@pytest.fixture
def tiny(made: Tiny, tmp_path: Path) -> Tiny:
    return twin(made, tmp_path / "shop")


def hers(app: App, *fields: str) -> dict[str, Any]:
    """Fields of the profile of u1."""
    (person,) = app.people.find("u1")
    traits = app.people.portrait(person, purpose="operate", role="owner").traits
    return {t.field: t.value for t in traits if t.field in fields}


def test_a_correction_flows_into_the_profile_with_the_next_turn(tiny: Tiny) -> None:
    with tiny.open() as app:
        request = answered(app, "correction", "u1", changes={"name": "Ann Right", "city": "Bern"})
        assert request.outcome == {"fields": ["city", "name"]}
        app.turn()
        assert hers(app, "name", "city") == {"name": "Ann Right", "city": "Bern"}
        (person,) = app.people.find("u1")
        sources = {t.field: t.source for t in app.people.portrait(person, purpose="operate", role="owner").traits}
        assert sources["name"] == "desk/correction" and sources["email"] == "crm"
    for file in (tiny.root / "var").rglob("*"):
        assert not file.is_file() or b"Ann Right" not in file.read_bytes(), file


def test_it_outlives_every_sync_that_still_says_the_old_value(tiny: Tiny) -> None:
    with tiny.open() as app:
        answered(app, "correction", "u1", changes={"name": "Ann Right"})
        for day, city in ((20, "Basel"), (25, "Bern")):
            # The row is new, and its name is the old one, in other letters.
            tiny.crm([customer(1, "a", day, city=city, name="NAME1 "), customer(2, "b", day)])
            app.turn()
            assert hers(app, "name", "city") == {"name": "Ann Right", "city": city}


def test_news_from_a_source_ends_it_and_the_old_value_stays_gone(tiny: Tiny) -> None:
    with tiny.open() as app:
        answered(app, "correction", "u1", changes={"name": "Ann Right"})
        app.turn()
        tiny.crm([{**customer(1, "a", 1, name="Ann Married"), "updated": "2026-05-01T00:00:00Z"}])
        app.turn()
        assert hers(app, "name") == {"name": "Ann Married"}
        tiny.crm([{**customer(1, "a", 1, name="Name1"), "updated": "2026-06-01T00:00:00Z"}])
        app.turn()
        assert hers(app, "name") == {"name": "Ann Right"}


def test_her_own_newer_correction_decides(tiny: Tiny) -> None:
    with tiny.open() as app:
        for city in ("Bern", "Chur"):
            answered(app, "correction", "u1", changes={"city": city})
        app.turn()
        assert hers(app, "city") == {"city": "Chur"}


def test_a_new_e_mail_is_an_identifier_of_hers_and_the_old_one_still_finds_her(tiny: Tiny) -> None:
    with tiny.open() as app:
        answered(app, "correction", "u1", changes={"email": " Ann@New.example "})
        app.turn()
        (person,) = app.people.find("u1")
        assert app.people.find("ann@new.example") == app.people.find("a@x.org") == [person]
        assert hers(app, "email") == {"email": "ann@new.example"}
        tiny.events([{"id": "m40", "type": "page", "mail": "ann@new.example", "at": "2026-02-20T10:00:00Z"}])
        app.turn()
        assert hers(app, "events") == {"events": 2}


def test_a_correction_dies_with_her(tiny: Tiny) -> None:
    with tiny.open() as app:
        answered(app, "correction", "u1", changes={"name": "Ann Right", "email": "ann@new.example"})
        app.turn()
        answered(app, "erasure", "u1")
        app.sweep()
        assert app.state.items("disowned") == {} and app.lake.rows("contested") == 0
        assert app.vault.resolve("email", ["ann@new.example"], mint=False).tolist() == [-1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [({}, "needs a new value"), ({"nmae": "x"}, "Fields: name"), ({"email": "none"}, "email"), ({"phone": "1"}, "phone"),
     ({"city": " "}, "city")],
)  # fmt: skip
def test_what_cannot_be_corrected_is_told(changes: dict[str, str], says: str, tiny: Tiny) -> None:
    with tiny.open() as app, pytest.raises(BadInput, match=says):
        app.desk.open("correction", value="u1", changes=changes)


@pytest.mark.parametrize("third", [0, *(pytest.param(n, marks=pytest.mark.heavy) for n in (1, 2))])
def test_a_correction_killed_at_each_act_lands_once(tiny: Tiny, tmp_path: Path, third: int) -> None:
    with tiny.open() as app:
        number = ready(app, "correction", "u1", changes={"name": "Ann Right", "email": "ann@new.example"}).id
    whole = twin(tiny, tmp_path / "whole")
    with whole.open() as app, at_act(app, 0, lambda _: None) as acts:
        app.desk.run(number)
    for act in range(1 + third, len(acts) + 1, 3):
        one = twin(tiny, tmp_path / f"shop{act}")
        app = one.open()
        with pytest.raises(Killed), at_act(app, act, kill, after=act % 2 == 0):
            app.desk.run(number)
        abandon(app)
        with one.open() as app:
            app.desk.run(number)
            app.turn()
            assert hers(app, "name") == {"name": "Ann Right"}
            corrected = f"SELECT count(*) FROM {app.lake.relation('records')} WHERE source = 'desk/correction'"
            assert value(app.con, corrected) == 1
            named = len(app.requests.get(number).texts)
            assert orphans(app) == named, "no sealed value that neither a row nor a request names"


changes = st.dictionaries(st.sampled_from(["name", "city", "email"]), st.sampled_from(["v1", "v2", "v3"]), min_size=1)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("correct"), st.sampled_from(["u1", "u2"]), changes),
        st.tuples(st.just("crm"), st.sampled_from(["u1", "u2"]), changes),
        st.tuples(st.just("join"), st.sampled_from(["u1", "u2"]), st.just({})),
        st.tuples(st.just("turn"), st.just(""), st.just({})),
    ),
    min_size=2, max_size=7,
)  # fmt: skip


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=acts)
def test_law_whatever_is_corrected_and_sent_a_turn_ends_as_a_full_one(
    made: Tiny, acts: list[tuple[str, str, dict[str, str]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tiny = twin(made, Path(folder) / "shop")
        crm = {u: customer(int(u[1]), "ab"[int(u[1]) - 1], 1) for u in ("u1", "u2")}
        universe = [*UNIVERSE, *(("email", f"v{i}@x.org") for i in range(1, 4))]
        with tiny.open() as app:
            for n, (act, who, told) in enumerate(acts):
                facts = {f: f"{v}@x.org" if f == "email" else v for f, v in told.items()}
                if act == "correct":
                    answered(app, "correction", who, changes=facts)
                elif act == "crm":
                    crm[who] |= facts | {"updated": f"2026-03-{n + 1:02}T00:00:00Z"}
                    tiny.crm(list(crm.values()))
                elif act == "join":
                    row = {"id": f"j{n}", "type": "page", "user": who, "cookie": "k5", "at": "2026-02-20T10:00:00Z"}
                    tiny.events([row])
                else:
                    app.turn()
            app.turn()
            lived = picture(app, universe)
            app.turn(full=True)
            assert picture(app, universe) == lived


def test_an_identifier_that_was_erased_does_not_come_back_by_a_correction(tiny: Tiny) -> None:
    with tiny.open() as app:
        app.erase(app.people.find("u2"))
        request = ready(app, "correction", "u1", changes={"email": "b@x.org"})
        with pytest.raises(NotAllowed, match="was erased"):
            app.desk.run(request.id)
        assert app.vault.resolve("email", ["b@x.org"], mint=False).tolist() == [-1]
