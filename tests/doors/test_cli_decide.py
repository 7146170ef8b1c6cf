"""`tessera decide` and `tessera decisions`: what would be shown and why, in both languages, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from given_deciding import BANNER, FIELDS, HELP, Shop, shop

from tessera.app import App
from tessera.data.sources import door
from tessera.data.tracking import line_of
from tessera.doors.cli import main

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
DAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Twenty people who agreed; half were shown a banner, half were in the control group; some bought."""
    found = shop(tmp_path_factory.mktemp("cli") / "w", {"banner": BANNER, "help": HELP})
    at = lambda n: (DAY + timedelta(minutes=n)).isoformat()  # noqa: E731
    events, decisions = list[dict[str, Any]](), list[dict[str, Any]]()
    for n in range(20):
        held = n % 2
        who = {"userId": f"u{n}", "type": "track"}
        events.append({**who, "messageId": f"a{n}", "event": "Agreed", "agrees": "yes", "timestamp": at(0)})
        decisions.append({
            "id": f"d{n}", "at": at(5), "decision": "banner", "purpose": "personalise", "user_id": f"u{n}", "reason": "{}",
            "candidate": "fallback" if held else "looked_at", "by": "control" if held else "learned", "product": "p1",
        })  # fmt: skip
        if n % 4 == 0:
            events.append({**who, "messageId": f"b{n}", "event": "Product Added", "product": "p1", "timestamp": at(9)})
    with App(found.tiny.root) as app:
        for source, told in (("events", events), ("decisions", decisions)):
            journal = door.journal(app.config.var, source, app.state, app.secrets)
            journal.append([line_of(one) for one in told])
            journal.close()
        app.turn()
    assert FIELDS
    return found


@pytest.fixture
def run(made: Shop, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def act(*words: str) -> tuple[int, str, str]:
        code = main(["-w", str(made.tiny.root), *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return act


def test_what_came_of_it_stands_beside_the_control_group(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("decisions", "--json")
    told = json.loads(out)
    jsonschema.validate(told, json.loads((SCHEMAS / "decisions.json").read_text()))
    (banner,) = [one for one in told if one["decision"] == "banner"]
    assert code == 0 and (banner["shown"], banner["outcomes"], banner["control_shown"]) == (10, 5, 10)
    assert (banner["share"], banner["control"], banner["uplift"]) == (0.5, 0.0, 0.5)
    # Newcombe's method 10 for 5 of 10 against 0 of 10, reckoned by hand from Wilson's intervals.
    assert banner["low"] == pytest.approx(0.1174, abs=2e-4) and banner["high"] == pytest.approx(0.7634, abs=2e-4)
    assert banner["candidates"] == [{"candidate": "looked_at", "product": "p1", "shown": 10, "outcomes": 5}]
    assert "50.00%" in run("decisions")[1]


def test_a_decision_is_explained_in_the_language_that_is_asked_for(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("decide", "--person", "1", "--explain", "--json")
    told = json.loads(out)
    jsonschema.validate(told, json.loads((SCHEMAS / "decide.json").read_text()))
    assert code == 0 and [one["decision"] for one in told] == ["banner", "help"]
    assert {one["candidate"] for one in told[0]["reason"]["scored"]} == {"welcome"}
    _, english, _ = run("decide", "banner", "--person", "1", "--explain")
    _, chinese, _ = run("decide", "banner", "--person", "1", "--explain", "--language", "zh")
    assert "there is no product to recommend yet" in english and "尚无可推荐的产品" in chinese
    assert "it promised most" in english and "最有希望" in chinese


def test_whom_nobody_is_and_what_nobody_decides_is_said(run: Callable[..., tuple[int, str, str]]) -> None:
    assert run("decide", "--person", "9999")[0] == 3
    code, _, err = run("decide", "baner", "--person", "1")
    assert code == 3 and "Did you mean 'banner'?" in err
    assert run("decide", "--person", "1", "--here", "page")[0] == 2
    code, _, err = run("decide", "banner", "--person", "1", "--role", "officer")
    assert code == 4 and "officer" in err, "who may not see behaviour for the purpose is told nothing"


def test_an_explanation_is_a_use_of_her_data(made: Shop, run: Callable[..., tuple[int, str, str]]) -> None:
    run("decide", "banner", "--person", "1")
    with App(made.tiny.root) as app:
        newest = [e for e in app.ledger.entries() if e.act == "decide"][-1]
        assert newest.purpose == "personalise" and newest.note == "explained; nothing was shown"
        decided = [e for e in app.ledger.entries() if e.act == "decide" and e.actor == "tessera"]
        assert [e.rows for e in decided] == [20]
