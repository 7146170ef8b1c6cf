"""`tessera expiry list|burn` as a person and a script use them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from given_tiny import EVENTS, Tiny, contract
from tessera.doors.cli import main

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
KEEP = "slaProperties:\n  - {property: retention, value: 1, unit: y}\n"


def given(root: Path) -> Path:
    tiny = Tiny(root)
    settings = root / "tessera.yaml"
    settings.write_text(settings.read_text().replace("as_of: 2026-12-31", "as_of: 2026-06-30"))
    head = {"path": "in/events/*.jsonl", "format": "json", "record": "event", "sync": "append", "rank": "5"}
    tiny.write("events", contract("events", EVENTS, **head) + KEEP)
    for other in ("crm", "orders"):
        (root / "sources" / f"{other}.odcs.yaml").unlink()
    rows = [("m1", "2024-01-01"), ("m2", "2026-06-01")]
    tiny.events([{"id": i, "type": "page", "user": "u1", "at": f"{day}T09:00:00Z"} for i, day in rows])
    return root


def document(capsys: Any, root: Path, verb: str) -> Any:
    assert main(["expiry", verb, "-w", str(root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, json.loads((SCHEMAS / f"expiry-{verb}.json").read_text("utf-8")))
    return found


def test_the_list_tells_each_term_and_what_waits_and_the_burn_takes_it(tmp_path: Path, capsys: Any) -> None:
    root = given(tmp_path / "w")
    assert main(["turn", "-w", str(root), "--quiet"]) == 0
    capsys.readouterr()
    before = document(capsys, root, "list")
    terms = {t["table"]: t for t in before["terms"]}
    assert terms["events"] == {"table": "events", "source": "events", "days": 365, "first": "2025-06-30", "old": 1}
    assert before["due"]
    assert main(["expiry", "list", "-w", str(root)]) == 0
    out, err = capsys.readouterr()
    assert "2025-06-30" in out and "leaves the files with the first turn after" in err
    assert document(capsys, root, "burn")["rows"] == {"events": 1}
    assert main(["expiry", "burn", "-w", str(root)]) == 0
    assert "Nothing is too old." in capsys.readouterr().err
    after = document(capsys, root, "list")
    assert after["due"] is None and {t["old"] for t in after["terms"]} == {0}
