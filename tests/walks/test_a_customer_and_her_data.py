"""A walk: a customer agrees, is used, looks, checks, withdraws, sets an end, has a copy, is erased, and stays so."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from given_tiny import Tiny
from tessera.doors.cli import main

CHECKER = Path(__file__).parent / "check_a_proof.py"
MAIL, OTHER = "ann.walker@home.example", "bo.stander@home.example"
NOBODY = 3
"""The exit code of a search that finds nobody."""

Cli = Callable[..., Any]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command as a person would, and reads its document."""

    def ran(root: Path, *words: str, code: int = 0) -> Any:
        ended = main([*words, "-w", str(root), "--json"])
        out, err = capsys.readouterr()
        assert ended == code, err
        return json.loads(out) if out.startswith(("{", "[")) else out

    return ran


def at(**ago: int) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat(timespec="seconds")


def people(tiny: Tiny) -> None:
    tiny.crm(
        [
            {"id": "c1", "name": "Ann Walker", "email": MAIL, "city": "Bern", "updated": at(days=30), "marketing": "true"},
            {"id": "c2", "name": "Bo Stander", "email": OTHER, "city": "Ulm", "updated": at(days=30), "marketing": "true"},
        ]
    )


def shop(root: Path) -> Tiny:
    tiny = Tiny(root)
    settings = root / "tessera.yaml"
    settings.write_text(settings.read_text().replace("as_of: 2026-12-31", "as_of: today"))
    people(tiny)
    for number, user in ((1, "c1"), (2, "c2")):
        tiny.events([{"id": f"m{number}", "type": "page", "user": user, "at": at(days=20), "analytics": "yes"}])
    tiny.orders([{"id": "o1", "user": "c1", "at": at(days=10), "status": "paid", "cents": 1200}])
    return tiny


def found(cli: Cli, root: Path, purpose: str) -> set[int]:
    """Whom a question for a purpose finds."""
    rows = cli(root, "sql", "SELECT person_id FROM profiles", "--purpose", purpose, "--format", "json")
    return {r["person_id"] for r in rows}


def test_a_customer_and_her_data(tmp_path: Path, cli: Cli) -> None:
    root = tmp_path / "shop"
    tiny = shop(root)

    # She agrees, and the shop's first turn brings her together.
    assert {s["name"] for s in cli(root, "turn")["steps"]} >= {"identity", "consent", "profiles", "features"}
    (ann,) = (p["person_id"] for p in cli(root, "person", "find", MAIL))
    (bo,) = (p["person_id"] for p in cli(root, "person", "find", OTHER))
    receipt = cli(root, "consent", "receipt", str(ann), "--role", "officer", "--purpose", "operate")
    assert "given" in json.dumps(receipt)

    # Her data is used in three ways: a question, her page, and the steps of a turn.
    assert found(cli, root, "analytics") == found(cli, root, "marketing") == {ann, bo}
    assert "Bern" in json.dumps(cli(root, "person", "show", str(ann), "--purpose", "operate"))
    uses = cli(root, "ledger", "of", str(ann), "--limit", "100")
    assert {u["act"] for u in uses} >= {"read", "step"}
    assert {u["purpose"] for u in uses} >= {"operate", "analytics", "marketing"}

    # She takes one of them, and a tool that is not ours says that it is true.
    use = next(u for u in uses if u["purpose"] == "marketing")
    proof, key = tmp_path / "proof.json", tmp_path / "ledger.pem"
    assert main(["ledger", "proof", str(use["seq"]), "--person", str(ann), "-o", str(proof), "-w", str(root), "--quiet"]) == 0
    assert main(["ledger", "key", "-o", str(key), "-w", str(root), "--quiet"]) == 0
    checked = subprocess.run([sys.executable, "-I", CHECKER, proof, key], capture_output=True, text=True, check=False)
    assert checked.returncode == 0 and json.loads(checked.stdout)["purpose"] == "marketing", checked.stderr
    lie = json.loads(proof.read_text())
    lie["line"] = lie["line"].replace("marketing", "operate")
    proof.write_text(json.dumps(lie))
    assert subprocess.run([sys.executable, "-I", CHECKER, proof, key], capture_output=True, check=False).returncode != 0

    # She withdraws one purpose: after the sync that brings it, the very next read lacks her, and the other purpose has her.
    tiny.events([{"id": "m3", "type": "track", "user": "c1", "at": at(seconds=1), "marketing": "withdrawn"}])
    cli(root, "source", "sync", "events")
    assert found(cli, root, "marketing") == {bo} and found(cli, root, "analytics") == {ann, bo}

    # She lets the other be used once more: then it is over, and what was held for it alone burns.
    assert cli(root, "consent", "end", str(ann), "--of", "analytics", "--after-first-use")["after_first_use"]
    assert found(cli, root, "analytics") == {ann, bo} and found(cli, root, "analytics") == {bo}
    cli(root, "turn")
    burnt = [u for u in cli(root, "ledger", "of", str(ann), "--limit", "100") if u["act"] == "burn"]
    assert [u["purpose"] for u in burnt] == ["analytics"]

    # She asks for a copy.
    asked = cli(root, "request", "open", "access", MAIL)
    cli(root, "request", "verify", str(asked["id"]), "--how", "signed link")
    copy = tmp_path / "copy.zip"
    done = cli(root, "request", "run", str(asked["id"]), "-o", str(copy), "--language", "zh")
    assert done["status"] == "done"
    with zipfile.ZipFile(copy) as held:
        whole = b"".join(held.read(name) for name in held.namelist())
    assert MAIL.encode() in whole and OTHER.encode() not in whole

    # A backup is made; then she asks to be erased.
    backup = tmp_path / "shop.backup"
    cli(root, "backup", str(backup))
    gone = cli(root, "request", "open", "erasure", MAIL)
    cli(root, "request", "verify", str(gone["id"]), "--how", "signed link")
    assert cli(root, "request", "run", str(gone["id"]))["status"] == "done"
    cli(root, "person", "find", MAIL, code=NOBODY)
    assert found(cli, root, "operate") == {bo}

    # The machine is lost. The backup knows her, the erasure list does not let her back in, nor do the sources.
    again = tmp_path / "again"
    words = ["restore", str(backup), str(again), "--erasures", str(root), "--master-key", str(root / "var/keys/master.key")]
    assert main([*words, "--quiet"]) == 0
    shutil.rmtree(root / "var")
    shutil.copytree(root / "in", again / "in", dirs_exist_ok=True)
    people(tiny)
    shutil.copytree(root / "in", again / "in", dirs_exist_ok=True)
    cli(again, "turn")
    cli(again, "person", "find", MAIL, code=NOBODY)
    assert len(found(cli, again, "operate")) == 1 and cli(again, "ledger", "verify")["ok"] is True
