"""`tessera anchor` and `tessera consent commit|opening|usable`: what is told, as text and as a document, and exit codes."""

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
    root = given(tmp_path_factory.mktemp("anchor") / "acme")
    (root / "tessera.yaml").write_text((root / "tessera.yaml").read_text() + "\nchain: {kind: embedded}\n")
    return root


@pytest.fixture
def told(shop: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Runs `tessera WORDS --json` in an empty folder; returns its document, checked against its schema, or its error."""
    monkeypatch.chdir(tmp_path)

    def ran(*words: str, at: Path | None = shop, code: int = 0) -> Any:
        capsys.readouterr()
        ended = main([*(["-w", str(at)] if at else []), *words, "--json"])
        out, err = capsys.readouterr()
        assert ended == code, err
        if not out:
            return json.loads(err)["error"]["message"] if err else None
        verbs = [words[0]] if words[0] == "turn" else words[:2]
        schema = json.loads((SCHEMAS / f"{'-'.join(verbs)}.json").read_text("utf-8"))
        jsonschema.validate(json.loads(out), schema)
        return json.loads(out)

    return ran


def test_without_a_word_in_the_settings_the_first_anchor_begins_the_embedded_chain(told: Told, tmp_path: Path) -> None:
    plain = given(tmp_path / "plain")
    assert told("turn", at=plain)["anchored"] is None
    assert told("ledger", "verify", at=plain)["anchors"] is None
    assert "tessera anchor now" in told("anchor", "check", at=plain, code=1)
    made = told("anchor", "now", at=plain)
    assert made["fresh"] and made["head"]["kind"] == "embedded"
    assert told("anchor", "check", at=plain)["heads"] == 1
    assert told("turn", at=plain)["anchored"] is None, "a day has not gone by"
    assert told("ledger", "verify", at=plain)["anchors"]["heads"] == 1


def test_a_day_with_the_chain(shop: Path, told: Told) -> None:
    assert told("anchor", "list") == []
    done = told("turn")
    assert done["anchored"]["ok"] and done["anchored"]["size"] > 0 and 0 < done["anchored"]["gas"] < 250_000
    assert told("turn")["anchored"] is None
    (head,) = told("anchor", "list")
    assert head["contract"] == done["anchored"]["contract"] and head["kind"] == "embedded"
    assert told("anchor", "check") == {"ok": True, "heads": 1, "size": head["size"], "reason": ""}
    assert told("ledger", "verify")["anchors"] == {"heads": 1, "size": head["size"], "reason": ""}
    (her,) = told("person", "find", "ann@example.org")
    hers = str(her["person_id"])
    told("consent", "opening", hers, "--of", "analytics", "-o", "under.json")
    told("consent", "commit", hers, "--of", "analytics", "--until", "2099-01-01", "--now", "-o", "hers.json")
    for file in ("under.json", "hers.json"):
        found = told("consent", "usable", file)
        assert (found["usable"], found["purpose"], found["reason"]) == (True, "analytics", "")
    assert found["until"] == "2099-01-01T00:00:00+00:00"
    document = json.loads(Path("hers.json").read_text())
    Path("forged.json").write_text(json.dumps(document | {"expiry": document["expiry"] + 1}))
    assert "does not open" in told("consent", "usable", "forged.json", code=2)
    told("ledger", "proof", "1", "-o", "proof.json")
    told("ledger", "key", "-o", "ledger.pem")
    outside = ("ledger", "verify", "--proof", "proof.json", "--public-key", "ledger.pem")
    assert told(*outside, at=None)["anchor"]["at"] is None, "without the chain it only says so"
    assert told(*outside, "--chain", "own")["anchor"]["at"]
    proof = json.loads(Path("proof.json").read_text())
    proof["anchor"]["number"] = 5
    Path("proof.json").write_text(json.dumps(proof))
    assert "none of number 5" in told(*outside, "--chain", "own", code=1)["reason"]
    assert told(*outside, at=None)["ok"], "the number is for the chain alone to check"


def test_what_cannot_be_says_what_to_do(shop: Path, told: Told, tmp_path: Path) -> None:
    told("turn")
    (her,) = told("person", "find", "ben@example.org")
    ben = str(her["person_id"])
    assert "No consent for 'analytics'" in told("consent", "commit", ben, "--of", "analytics", code=4)
    assert "No consent" in told("consent", "opening", ben, "--of", "analytics", code=4)
    assert "Did you mean 'analytics'" in told("consent", "commit", ben, "--of", "analytic", code=3)
    assert "999" in told("consent", "commit", "999", "--of", "analytics", code=3)
    assert "is no time" in told("consent", "commit", ben, "--of", "analytics", "--until", "soon", code=2)
    (tmp_path / "x.json").write_text("{}")
    assert "no opening" in told("consent", "usable", "x.json", code=2)
    told("ledger", "proof", "1", "-o", "proof.json")
    told("ledger", "key", "-o", "ledger.pem")
    outside = ("ledger", "verify", "--proof", "proof.json", "--public-key", "ledger.pem")
    assert "--contract ADDRESS" in told(*outside, "--chain", "https://node.example", code=2)
    assert "--chain URL" in told(*outside, "--contract", "0x" + "1" * 40, code=2)
    told(*outside, "--chain", "http://node.example", "--contract", "0x" + "1" * 40, code=1)
    assert "without it" in told("ledger", "verify", "--from", "0", "--to", "0", "--chain", "own", code=2)


def test_a_new_contract_is_used_from_the_next_anchor_on(told: Told) -> None:
    told("turn")
    before = told("anchor", "list")
    made = told("anchor", "deploy")
    assert made["contract"] not in {h["contract"] for h in before}
    done = told("anchor", "now")
    assert (done["head"]["contract"], done["head"]["number"], done["fresh"]) == (made["contract"], 0, True)
    assert done["consents"] == 3 and told("anchor", "check")["heads"] == 1


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("{kind: embeded}", "embedded"),
        ("{kind: embedded, url: 'https://x.example'}", "embedded chain"),
        ("{kind: ethereum}", "'url' is missing"),
        ("{kind: ethereum, url: 'https://ann:secret@x.example'}", "CHAIN_URL"),
        ("{kind: ethereum, url: '${CHAIN_URL}', key: '0x" + "1" * 64 + "'}", "CHAIN_KEY"),
        ("{kind: ethereum, url: '${CHAIN_URL}', contract: '0x12'}", "40 hexadecimal"),
        ("{kind: embedded, every_hours: 0}", "a whole number from 1"),
    ],
)
def test_a_mistake_in_the_settings_is_told_with_its_line(tmp_path: Path, told: Told, written: str, says: str) -> None:
    root = given(tmp_path / "wrong")
    (root / "tessera.yaml").write_text("version: 1\nname: wrong\nlanguages: [en, zh]\nchain: " + written + "\n")
    message = told("turn", at=root, code=2)
    assert "tessera.yaml:4:" in message and says in message and "1" * 64 not in message
