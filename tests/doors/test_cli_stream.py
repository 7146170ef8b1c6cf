"""`tessera stream`: what waits is handed on by person, without identifiers, of those alone who allow it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from given_deciding import BANNER, HELP, Shop, shop

from tessera.action.keyed import Setting, answers
from tessera.app import App
from tessera.data.sources import door
from tessera.data.tracking import line_of
from tessera.doors.cli import main

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def made(tmp_path: Path) -> Shop:
    """Ten people, of whom half agreed and that has landed; what they looked at since then waits in the journal."""
    found = shop(tmp_path / "w", {"banner": "on: [Product Viewed]\n" + BANNER, "help": HELP})
    with App(found.tiny.root) as app:
        for landed in (True, False):
            journal, at = door.journal(app.config.var, "events", app.state, app.secrets), datetime.now(UTC) - timedelta(hours=2)
            for n in range(10):
                looked = {"event": "Product Viewed", "product": f"p{n}"}
                event = {"event": "Agreed", "agrees": "yes" if n % 2 else "no"} if landed else looked
                who = {"userId": f"user-{n}", "anonymousId": f"cookie-{n}", "type": "track", "messageId": f"{landed}{n}"}
                journal.append([line_of({**who, **event, "timestamp": at.isoformat()})])
            journal.close()
            if landed:
                app.turn()
    return found


@pytest.fixture
def run(made: Shop, capsys: pytest.CaptureFixture[str]) -> Run:
    def act(*words: str) -> tuple[int, str, str]:
        code = main(["-w", str(made.tiny.root), *words])
        return code, *capsys.readouterr()

    return act


def test_what_waits_of_those_who_agreed_is_decided_from_two_files(made: Shop, run: Run, tmp_path: Path) -> None:
    to = tmp_path / "handed"
    code, out, said = run("stream", str(to), "--json")
    assert code == 0, said
    told: dict[str, Any] = json.loads(out)
    jsonschema.validate(told, json.loads((SCHEMAS / "stream.json").read_text()))
    assert (told["events"], told["people"]) == (10, 10), "help needs no consent"
    setting = msgspec.json.decode((to / "setting.json").read_bytes(), type=Setting)
    lines = (to / "events.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line)["decision"] for line in answers(setting, lines)]
    assert [d["decision"] for d in found] == ["banner"] * 5, "of those who agreed"
    assert {d["candidate"] for d in found} <= {"looked_at", "fallback"} and all(d["context"] == "false" for d in found)
    text = "\n".join(lines)
    assert "user-" not in text and "cookie-" not in text and "personalise" in text
    assert {path.stat().st_mode & 0o777 for path in to.iterdir()} == {0o600}
    uses = json.loads(run("ledger", "list", "--json")[1])
    assert {u["purpose"] for u in uses if u["act"] == "stream"} == {"personalise", "operate"}
    assert run("stream", str(to))[1].startswith("10 events of 10 people")


@pytest.mark.parametrize("role", ["marketer", "sales"])
def test_a_role_that_sees_less_gets_nothing(role: str, run: Run, tmp_path: Path) -> None:
    code, _, said = run("stream", str(tmp_path / "handed"), "--role", role)
    assert code == 4 and f"No line of access.yaml lets {role} see" in said and not (tmp_path / "handed").exists()


def test_a_folder_that_is_none_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, said = run("stream", str(tmp_path / "file"))
    assert code != 0 and "cannot be written" in said
