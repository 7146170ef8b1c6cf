"""`tessera ledger`: what is proved to somebody outside, with the public key alone, and what a witness adds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from given_shop import given

from tessera.doors.cli import main

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"

Told = Callable[..., Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = given(tmp_path_factory.mktemp("ledger") / "acme")
    assert main(["-w", str(root), "turn", "--quiet"]) == 0
    return root


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Runs `tessera ledger WORDS --json` in an empty folder; returns its document, or its error."""
    monkeypatch.chdir(tmp_path)

    def ran(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        at = words.index("ledger") + 1 if "ledger" in words else 0
        ended = main([*words, "--json"] if at else ["ledger", *words, "--json"])
        out, err = capsys.readouterr()
        assert ended == code, err
        if not out:
            return json.loads(err)["error"]["message"] if err else None
        verbs = [w for w in words[at:] if w.isalpha()][: 2 if words[at] == "witness" else 1]
        schema = json.loads((SCHEMAS / f"ledger-{'-'.join(verbs)}.json").read_text("utf-8"))
        jsonschema.validate(json.loads(out), schema)
        return json.loads(out)

    return ran


def test_a_proof_is_checked_with_the_public_key_alone(shop: Path, told: Told) -> None:
    at = ("-w", str(shop), "ledger")
    main(["-w", str(shop), "person", "find", "ann@example.org", "--json"])
    (newest,) = told(*at, "list", "--limit", "1")
    told(*at, "key", "-o", "ledger.pem")
    told(*at, "proof", str(newest["seq"]), "-o", "proof.json")
    found = told("verify", "--proof", "proof.json", "--public-key", "ledger.pem")
    assert (found["ok"], found["entry"]["act"], found["member"]) == (True, "find", None)
    Path("proof.json").write_text(Path("proof.json").read_text().replace("find", "fund"))
    found = told("verify", "--proof", "proof.json", "--public-key", "ledger.pem", code=1)
    assert (found["ok"], found["entry"]) == (False, None) and "is not in the log" in found["reason"]
    assert "no proof" in told("verify", "--proof", "ledger.pem", "--public-key", "ledger.pem", code=2)
    assert "is not known" in told("verify", "--proof", "proof.json", "--public-key", "proof.json", code=3)


def test_a_proof_for_a_person_shows_that_the_entry_held_her(shop: Path, told: Told, capsys: Any) -> None:
    main(["-w", str(shop), "person", "find", "ann@example.org", "--quiet"])
    ann = capsys.readouterr().out.strip()
    at = ("-w", str(shop), "ledger")
    uses = told(*at, "of", ann)
    assert [e["seq"] for e in uses] == sorted((e["seq"] for e in uses), reverse=True)
    assert {"find", "step"} <= {e["act"] for e in uses}
    told(*at, "key", "-o", "ledger.pem")
    told(*at, "proof", str(uses[0]["seq"]), "--person", ann, "-o", "proof.json")
    found = told("verify", "--proof", "proof.json", "--public-key", "ledger.pem")
    assert found["ok"] and found["member"]["unit"] == "key"
    told(*at, "proof", "0", "--person", ann, code=3)
    told(*at, "proof", "0", "--person", "999", code=3)
    told(*at, "of", "999", code=3)


def test_a_copy_of_the_ledger_is_checked_without_the_workspace(shop: Path, told: Told) -> None:
    told("-w", str(shop), "ledger", "key", "-o", "ledger.pem")
    copy = str(shop / "var" / "ledger")
    assert told("verify", "--copy", copy, "--public-key", "ledger.pem")["ok"]
    assert "--public-key" in told("verify", "--copy", copy, code=2)
    assert "three things" in told("verify", "--copy", copy, "--proof", "p.json", code=2)
    told("witness", "init", "other", "--name", "w", "--public-key", "ledger.pem")
    assert "no public key" in told("verify", "--copy", copy, "--public-key", "ledger.pem", "--witness", "ledger.pem", code=2)


def test_two_heads_are_consistent_by_number_and_by_file(shop: Path, told: Told) -> None:
    at = ("-w", str(shop), "ledger")
    told(*at, "head", "--since", "0", "-o", "old.txt")
    old = told(*at, "head", "--since", "0")["size"]
    main(["-w", str(shop), "person", "find", "ben@example.org", "--json"])
    told(*at, "head", "--since", str(old), "-o", "new.txt")
    told(*at, "key", "-o", "ledger.pem")
    found = told("verify", "--from", "old.txt", "--to", "new.txt", "--public-key", "ledger.pem")
    assert found["ok"] and found["from"]["size"] == old < found["to"]["size"] and found["path"]
    assert told(*at, "verify", "--from", "0", "--to", "new.txt")["ok"]
    assert "rollback" in told(*at, "verify", "--from", "new.txt", "--to", "old.txt", code=1)["reason"]
    told(*at, "verify", "--from", "0", "--to", "999", code=3)
    assert "belong together" in told(*at, "verify", "--from", "0", code=2)
    told(*at, "head", "--since", "99999", code=2)


def test_a_witness_co_signs_by_files_and_is_counted(shop: Path, told: Told) -> None:
    at = ("-w", str(shop), "ledger")
    told(*at, "key", "-o", "ledger.pem")
    for name in ("audit.example", "idle.example"):
        told("witness", "init", name, "--name", name, "--public-key", "ledger.pem")
    assert Path("audit.example/key").stat().st_mode & 0o777 == 0o600
    assert "already" in told("witness", "init", "audit.example", "--name", "x", "--public-key", "ledger.pem", code=2)
    told(*at, "head", "--since", "0", "-o", "head.txt")
    told("witness", "sign", "audit.example", "head.txt", "-o", "cosigned.txt")
    assert told(*at, "witness", "add", "cosigned.txt")["witnesses"] == ["audit.example"]
    audit, idle = ("--witness", "audit.example/witness.pub"), ("--witness", "idle.example/witness.pub")
    found = told(*at, "verify", *audit)
    assert found["ok"] and [(w["name"], w["heads"]) for w in found["witnesses"]] == [("audit.example", 1)]
    told(*at, "proof", "0", "-o", "proof.json")
    assert told("verify", "--proof", "proof.json", "--public-key", "ledger.pem", *audit)["ok"]
    found = told("verify", "--proof", "proof.json", "--public-key", "ledger.pem", *audit, *idle, code=1)
    assert found["reason"] == "not co-signed by idle.example"
    main(["-w", str(shop), "person", "find", "cleo@example.org", "--json"])
    told(*at, "head", "-o", "next.txt")
    assert told("witness", "sign", "audit.example", "next.txt")["size"] > found["size"]
    assert "rollback" in told("witness", "sign", "audit.example", "head.txt", code=1)
