"""breach.py: who was held in what somebody touched; from the ledger alone, and told to the officer only."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from given_requests import shop
from given_tiny import Tiny
from laws.shop import twin
from tessera.app import App
from tessera.breach import Sought, moment
from tessera.doors.cli import main
from tessera.errors import BadInput, NotAllowed, NotFound
from tessera.trust.entries import Use

SCHEMAS = Path(__file__).parents[1] / "docs" / "schemas"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return shop(tmp_path_factory.mktemp("breach") / "shop")


@pytest.fixture
def tiny(made: Tiny, tmp_path: Path) -> Tiny:
    return twin(made, tmp_path / "shop")


def used(app: App, actor: str, *values: str, bound: Any = "exact") -> list[int]:
    """A use by an actor that held the people of these identifiers."""
    persons = sorted({p for v in values for p in app.people.find(v)})
    keys = app.ledger.keep([k for p in persons for k in app.people.keys(p)], "key", bound)
    app.ledger.append(
        Use(actor=actor, role="", act="read", purpose="operate", tables=(("records", 0),), categories=("user.name",), keys=keys)
    )
    return persons


def test_it_names_those_whom_an_api_key_held_and_nobody_else(tiny: Tiny) -> None:
    with tiny.open() as app:
        held = used(app, "key:shop", "u1", "u2")
        used(app, "key:other", "u3")
        found = app.breach(Sought(actor="key:shop"), listed=True)
        assert (found.uses, found.people, found.at_most, found.persons) == (1, 2, 0, held)
        assert (found.tables, found.categories) == ({"records": 2}, {"user.name": 2})
        entry = next(e for e in app.ledger.entries(found.entry))
        assert (entry.act, entry.rows, entry.keys and entry.keys.size) == ("breach", 2, 2) and "listed" in entry.note


def test_a_computation_over_many_is_told_apart_and_a_refusal_held_nobody(tiny: Tiny) -> None:
    with tiny.open() as app:
        used(app, "key:shop", "u1")
        used(app, "key:shop", "u2", "u3", bound="at most")
        app.ledger.append(Use(actor="key:shop", role="", act="read", purpose="operate", verdict="refused", reason="no"))
        found = app.breach(Sought(actor="key:shop"))
        assert (found.people, found.at_most, found.refused, found.persons) == (3, 2, 1, [])


def test_a_span_of_time_holds_what_was_used_within_it(tiny: Tiny) -> None:
    with tiny.open() as app:
        start = tiny.day
        used(app, "key:shop", "u1")
        middle = tiny.day
        tiny.day += timedelta(hours=2)
        used(app, "key:shop", "u2")
        first = app.breach(Sought(actor="key:shop", since=start, until=middle))
        assert (first.uses, first.people) == (1, 1)
        assert app.breach(Sought(actor="key:shop", since=middle + timedelta(hours=1))).people == 1


def test_whoever_was_erased_since_is_counted_and_not_named(tiny: Tiny) -> None:
    with tiny.open() as app:
        (gone, _) = used(app, "key:shop", "u1", "u2")
        app.erase([gone], sweep=True)
        found = app.breach(Sought(actor="key:shop"), listed=True)
        assert found.people == 1 and gone not in found.persons and found.erased > 0


def test_only_the_officer_may_ask_and_a_slip_is_told(tiny: Tiny) -> None:
    text = (tiny.root / "access.yaml").read_text("utf-8")
    with tiny.open() as app:
        for sought in (Sought(), Sought(since=moment("2026-02-02"), until=moment("2026-02-01"))):
            with pytest.raises(BadInput):
                app.breach(sought)
        with pytest.raises(NotFound, match="key:shopp"):
            app.breach(Sought(actor="key:shopp"))
    with pytest.raises(BadInput, match="no time"):
        moment("soon")
    changed = text.replace("service, officer, engineer]\n    #", "service, engineer]\n    #")
    (tiny.root / "access.yaml").write_text(changed, "utf-8")
    tiny._config = None
    with tiny.open() as app, pytest.raises(NotAllowed, match="officer"):
        app.breach(Sought(actor="key:shop"))


def test_the_command_line_tells_the_same(tiny: Tiny, capsys: Any) -> None:
    with tiny.open() as app:
        used(app, "key:shop", "u1", "u2")
    capsys.readouterr()
    assert main(["-w", str(tiny.root), "breach", "--key", "shop", "--list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, json.loads((SCHEMAS / "breach.json").read_text("utf-8")))
    assert len(document["persons"]) == 2
    assert main(["-w", str(tiny.root), "breach", "--key", "shop", "--between", "2020-01-01", "2099-01-01"]) == 0
    assert "1 use held 2 people." in capsys.readouterr().out
    assert main(["-w", str(tiny.root), "breach", "--actor", "ann"]) == 2
