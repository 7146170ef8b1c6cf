"""`tessera request ...`: what people see and programs read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from doors.given_shop import given
from tessera.doors.cli import main

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = given(tmp_path_factory.mktemp("requests") / "acme")
    assert main(["-w", str(made), "turn", "-q"]) == 0
    return made


def told(root: Path, capsys: Any, *words: str) -> Any:
    """The JSON document of a command, which keeps its schema."""
    capsys.readouterr()
    assert main(["-w", str(root), *words, "--json"]) == 0, words
    document = json.loads(capsys.readouterr().out)
    schema = json.loads((SCHEMAS / f"{words[0]}-{words[1]}.json").read_text("utf-8"))
    jsonschema.validate(document, schema)
    return document


def test_a_request_goes_from_the_first_word_to_the_receipt(root: Path, tmp_path: Path, capsys: Any) -> None:
    made = told(root, capsys, "request", "open", "access", "ann@example.org", "--channel", "letter", "--note", "hello")
    number = str(made["id"])
    assert made["days_left"] in range(27, 31) and made["identity"]["state"] == "unverified"
    assert main(["-w", str(root), "request", "run", number, "-o", str(tmp_path / "ann.zip")]) == 4
    assert "request verify" in capsys.readouterr().err
    told(root, capsys, "request", "verify", number, "--how", "document")
    assert main(["-w", str(root), "request", "run", number]) == 2
    done = told(root, capsys, "request", "run", number, "-o", str(tmp_path / "ann.zip"), "--language", "zh")
    assert done["status"] == "done" and done["outcome"]["rows"]["orders"] == 2
    assert told(root, capsys, "request", "show", number, "--reveal")["texts"] == {"note": "hello"}
    receipt = told(root, capsys, "request", "receipt", number)
    (tmp_path / "receipt.json").write_text(json.dumps(receipt), "utf-8")
    assert told(root, capsys, "request", "receipt", number, "--check", str(tmp_path / "receipt.json")) == {"ok": True}
    (tmp_path / "receipt.json").write_text(json.dumps({**receipt, "status": "refused"}), "utf-8")
    assert main(["-w", str(root), "request", "receipt", number, "--check", str(tmp_path / "receipt.json")]) == 1
    assert main(["-w", str(root), "request", "receipt", number, "--format", "html", "--language", "zh"]) == 0
    assert "您的请求" in capsys.readouterr().out


def test_a_list_says_how_many_days_are_left_and_no_line_names_anybody(root: Path, capsys: Any) -> None:
    first = told(root, capsys, "request", "open", "erasure", "cleo@example.org")
    told(root, capsys, "request", "extend", str(first["id"]), "--reason", "four systems")
    second = told(root, capsys, "request", "open", "portability", "2", "--value")
    told(root, capsys, "request", "refuse", str(second["id"]), "--reason", "it was somebody else")
    assert main(["-w", str(root), "request", "list", "--all"]) == 0
    out = capsys.readouterr().out
    assert "days left" in out and "example.org" not in out and "refused" in out
    listed = told(root, capsys, "request", "list")
    assert [r["id"] for r in listed] == [first["id"]] and listed[0]["days_left"] > 80


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["request", "show", "99"], 3, "request list"),
        (["request", "open", "acess", "1"], 2, "Did you mean 'access'?"),
        (["request", "open", "access", "4242"], 3, "person find"),
        (["request", "open", "access", "1", "--purpose", "marketing"], 2, "belongs to an objection"),
        (["request", "open", "correction", "1", "--change", "city"], 2, "FIELD=VALUE"),
    ],
)
def test_a_slip_is_told_with_the_way_out(words: list[str], code: int, says: str, root: Path, capsys: Any) -> None:
    assert main(["-w", str(root), *words]) == code
    assert says in capsys.readouterr().err
