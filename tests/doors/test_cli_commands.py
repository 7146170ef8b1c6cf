"""doors/cli.py and its commands on a small shop: what they print, where, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest
from given_shop import ORDERS, given

from tessera.doors.cli import main

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
SERVICE = ("--role", "service", "--purpose", "operate")
ANALYST = ("--role", "analyst", "--purpose", "analytics")

Run = Callable[..., tuple[int, str, str]]
Json = Callable[..., Any]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = given(tmp_path_factory.mktemp("shop") / "acme")
    assert main(["-w", str(root), "turn", "--json"]) == 0
    return root


@pytest.fixture
def root(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "acme"))


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["-w", str(root), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return ran


@pytest.fixture
def document(run: Run) -> Json:
    """Runs a command with --json, and validates its document against the schema of that name."""

    def ran(schema: str, *words: str, code: int = 0) -> Any:
        ended, out, err = run(*words, "--json")
        assert (ended, err) == (code, "")
        found = json.loads(out)
        jsonschema.validate(found, json.loads((SCHEMAS / f"{schema}.json").read_text("utf-8")))
        return found

    return ran


def person(run: Run, value: str) -> str:
    return run("person", "find", value)[1].strip()


def test_the_first_turn_lands_both_sources_and_tells_what_broke(tmp_path: Path, capsys: Any) -> None:
    root = given(tmp_path / "acme")
    assert main(["turn", "-w", str(root)]) == 0
    out, err = capsys.readouterr()
    assert "crm" in out and "profiles" in out
    assert "orders: 1 row broke the contract (1 Datatype-Mismatch). Try: tessera quarantine list" in err


def test_every_listing_is_a_document_of_its_schema(document: Json) -> None:
    sources = document("source-list", "source", "list")
    assert [(s["name"], s["kind"], s["record"], s["department"]) for s in sources] == [
        ("crm", "file", "person", "sales"),
        ("orders", "file", "order", "commerce"),
    ]
    assert sources[1]["last"] | {"at": ""} == {"at": "", "rows": 4, "kept": 3, "quarantined": 1, "error": ""}
    assert {t["name"]: t["rows"] for t in document("tables", "tables")}["orders"] == 3
    assert document("versions", "versions", "orders")[0]["what"].startswith("landing orders")
    assert document("turn", "turn")["steps"] == []
    assert [s["kept"] for s in document("source-sync", "source", "sync")] == [0, 0]
    assert [s["name"] for s in document("source-sync", "source", "sync", "orders")] == ["orders"]
    assert all(s["ok"] for s in document("source-check", "source", "check"))
    assert {e["act"] for e in document("ledger-list", "ledger", "list")} >= {"landing", "step"}
    assert document("ledger-show", "ledger", "show", "0")["entry"]["seq"] == 0
    assert document("ledger-head", "ledger", "head")["since"] == 0
    assert "PUBLIC KEY" in document("ledger-key", "ledger", "key")["pem"]
    assert document("ledger-verify", "ledger", "verify")["ok"] is True
    assert {c["state"] for c in document("doctor", "doctor")} <= {"ok", "warning"}
    document("segments", "segments")
    document("segments", "segments", "--from", "2026-01-01", "--to", "2026-12-31")
    assert document("lineage", "lineage", "profiles.revenue_cents")["columns"][0]["column"] == "revenue_cents"
    assert document("lineage", "lineage", "orders.amount_cents", "--down")["way"] == "down"


def test_quality_below_its_goal_has_exit_code_five(document: Json) -> None:
    found = document("quality", "quality", code=5)
    assert {d["department"]: d["ok"] for d in found} == {"commerce": False, "sales": True}


def test_sql_answers_only_for_those_who_agreed(run: Run) -> None:
    question = "SELECT count(*) AS n FROM profiles"
    code, out, err = run("sql", question, *ANALYST)
    assert (code, out.split()) == (0, ["n", "3"])
    assert "of the ledger" in err
    # Four customers, and the phone that two of them share: it joins nobody and stands by itself.
    assert run("sql", question, *SERVICE)[1].split() == ["n", "5"]


def test_sql_writes_json_csv_and_parquet(run: Run, document: Json, tmp_path: Path, monkeypatch: Any) -> None:
    question = "SELECT order_id, occurred_at, amount_cents FROM orders ORDER BY order_id LIMIT 1"
    row = {"order_id": "o1", "occurred_at": "2026-01-05T10:00:00+00:00", "amount_cents": 1500}
    assert document("sql", "sql", question, *SERVICE) == [row]
    code, out, _ = run("sql", question, *SERVICE, "--format", "csv")
    assert list(csv.DictReader(io.StringIO(out))) == [{k: str(v) for k, v in row.items()}]
    file = tmp_path / "orders.parquet"
    code, out, _ = run("sql", question, *SERVICE, "-o", str(file))
    assert (code, out, pq.read_table(file).num_rows, file.stat().st_mode & 0o777) == (0, "", 1, 0o600)
    assert run("sql", question, *SERVICE, "--format", "parquet")[0] == 2
    monkeypatch.setattr("sys.stdin", io.StringIO(question))
    assert json.loads(run("sql", "-", *SERVICE, "--json")[1]) == [row]


def test_an_empty_answer_is_an_empty_list(document: Json) -> None:
    assert document("sql", "sql", "SELECT order_id FROM orders WHERE amount_cents > 1000000", *SERVICE) == []


def test_what_access_yaml_closes_is_refused_with_exit_code_four(run: Run) -> None:
    code, out, err = run("sql", "SELECT name FROM profiles", *ANALYST)
    assert (code, out) == (4, "")
    assert err.startswith("error: The purpose analytics may not use user.name (purposes.yaml). Ask the owner")
    code, out, err = run("sql", "SELECT email FROM profiles", *ANALYST)
    assert code == 0 and "@example.org" not in out and "email is not in clear" in err


def test_access_is_explained_cell_by_cell(run: Run, document: Json) -> None:
    found = document("access-explain", "access", "explain", "analyst", "profiles.email", "--purpose", "analytics")
    assert [(c["column"], c["verdict"]) for c in found["columns"]] == [("email", "masked")]
    assert found["columns"][0]["where"].startswith("access.yaml:") and found["rules"] == []
    out = run("access", "explain", "analyst", "profiles.name", "--purpose", "analytics")[1]
    assert "hidden" in out and "purposes.yaml:" in out and "each person's consent to analytics" in out
    out = run("access", "explain", "service", "orders", "--purpose", "operate")[1]
    assert "order_id" in out and "no consent (basis: contract)" in out
    code, _, err = run("access", "explain", "analyst", "profile", "--purpose", "analytics")
    assert code == 3 and "Did you mean 'profiles'?" in err


def test_the_matrix_lists_every_cell(run: Run, document: Json) -> None:
    cells = document("access-matrix", "access", "matrix", "--role", "analyst")
    assert {c["purpose"] for c in cells} == {"operate", "analytics", "personalise", "marketing", "sharing"}
    assert {c["verdict"] for c in cells if c["purpose"] == "operate"} == {"hidden"}
    out, err = run("access", "matrix", "--purpose", "analytics")[1:]
    assert out.split()[:3] == ["role", "category", "analytics"] and "cells" in err
    assert run("access", "matrix", "--role", "nobody_else")[0] == 3


def test_a_change_of_access_waits_is_shown_and_is_approved(run: Run, document: Json, root: Path, monkeypatch: Any) -> None:
    file = root / "access.yaml"
    text = file.read_text("utf-8")
    second = text.replace("# changes: {", "changes: {").replace(
        "actors:", 'actors:\n  - {name: "user:bea", roles: [officer]}\n  - {name: "user:cyd", roles: [owner]}'
    )
    file.write_text(second, "utf-8")
    code, out, err = run("access", "changes")
    assert code == 0 and out.startswith("Version 2 (") and "Access: version 2 is in force: " in err
    file.write_text(second.replace("[user.contact], verdict: masked", "[user.contact], verdict: clear"), "utf-8")
    waiting = document("access-changes", "access", "changes")["waiting"]
    assert (waiting["people"], waiting["approved"]) == (2, []) and {c["gives"] for c in waiting["cells"]} == {True}
    code, out, err = run("access", "changes")
    assert "user.contact " in out and "user.contact.email" not in out and "approved by nobody yet" in out
    change = waiting["digest"][:12]
    assert f"Try: tessera access approve {change}" in err
    for words, ended, says in (
        (("sql", "SELECT email FROM profiles", *ANALYST), 0, "a change waits for approval (0 of 2)"),
        (("access", "approve", "0" * 12), 3, "Try: tessera access changes"),
        (("access", "approve", change), 0, "(1 of 2)"),
        (("access", "approve", change), 4, "Somebody else has to approve it."),
    ):
        code, out, err = run(*words)
        assert code == ended and says in out + err and "@example.org" not in out
    assert document("doctor", "doctor")[-1] and "access" in {
        c["name"] for c in document("doctor", "doctor") if c["state"] == "warning"
    }
    monkeypatch.setattr("tessera.house.account", lambda: "bea")
    assert document("access-approve", "access", "approve", change)["version"] == 3
    monkeypatch.undo()
    assert document("access-changes", "access", "changes")["waiting"] is None
    assert "@example.org" in run("sql", "SELECT email FROM profiles", *ANALYST)[1]


def test_errors_are_json_on_stderr_if_asked(run: Run) -> None:
    schema = json.loads((SCHEMAS / "error.json").read_text("utf-8"))
    for words, code, kind in (
        (("sql", "SELECT name FROM profiles", *ANALYST), 4, "NotAllowed"),
        (("sql", "SELECT 1 FROM nothing", *ANALYST), 3, "UnknownTable"),
        (("sql", "DROP TABLE profiles", *ANALYST), 2, "BadQuestion"),
        (("source", "sync", "cmr"), 3, "NotFound"),
        (("person", "show", "999", *SERVICE), 3, "NotFound"),
        (("tabels",), 2, "Usage"),
    ):
        ended, out, err = run(*words, "--json")
        jsonschema.validate(json.loads(err), schema)
        assert (ended, out, json.loads(err)["error"]["kind"]) == (code, "", kind)


def test_find_prints_numbers_and_nobody_is_exit_code_three(run: Run, document: Json) -> None:
    code, out, _ = run("person", "find", "Ann@Example.org")
    assert code == 0 and out.strip().isdecimal()
    assert document("person-find", "person", "find", "+41 79 000 00 01") == [{"person_id": int(out)}]
    assert document("person-find", "person", "find", "eve@example.org", code=3) == []


def test_a_portrait_shows_values_with_their_source_and_lists_what_is_closed(run: Run, document: Json) -> None:
    ann = person(run, "ann@example.org")
    found = document("person-show", "person", "show", ann, *SERVICE)
    fields = {f["field"]: f for f in found["fields"]}
    assert (fields["name"]["value"], fields["name"]["source"]) == ("Ann Ash", "crm")
    assert fields["revenue_cents"]["value"] == 4000
    assert [o["order_id"] for o in found["orders"]] == ["o2", "o1"]
    assert {"profiles.born", "consents"} <= set(found["closed"])
    text = run("person", "show", ann, *SERVICE)[1]
    assert "Ann Ash" in text and "not in clear" in text


def test_a_masked_portrait_never_holds_the_value(run: Run, document: Json) -> None:
    ann = person(run, "ann@example.org")
    found = document("person-show", "person", "show", ann, *ANALYST)
    fields = {f["field"]: f for f in found["fields"]}
    assert "ann@" not in json.dumps(found) and "Ann Ash" not in json.dumps(found)
    assert "masked" in fields["email"]["reason"]


def test_a_portrait_needs_consent_where_the_purpose_does(run: Run) -> None:
    code, out, err = run("person", "show", person(run, "ben@example.org"), *ANALYST)
    assert (code, out) == (4, "") and "No consent for 'analytics'" in err


def test_why_names_kinds_sources_and_hot_identifiers_without_values(run: Run, document: Json) -> None:
    ann = document("person-why", "person", "why", person(run, "ann@example.org"))
    assert sorted(k["kind"] for k in ann["keys"]) == ["email", "phone", "user_id"]
    assert {(p["kind_a"], p["kind_b"], p["joined"]) for p in ann["pairs"]} == {
        ("user_id", "email", True),
        ("user_id", "phone", True),
    }
    cleo = document("person-why", "person", "why", person(run, "cleo@example.org"))
    assert [(h["kind"], h["joins"], h["cap"]) for h in cleo["hot"]] == [("phone", 2, 1)]
    assert [p["joined"] for p in cleo["pairs"] if p["kind_b"] == "phone"] == [False]
    assert "@" not in run("person", "why", person(run, "cleo@example.org"))[1]


def test_an_erasure_asks_first_and_then_forgets(run: Run, document: Json) -> None:
    ann = person(run, "ann@example.org")
    code, _, err = run("person", "erase", ann)
    assert code == 2 and f"tessera person erase {ann} --dry-run" in err and "--yes" in err
    plan = document("person-erase", "person", "erase", ann, "--dry-run")
    assert (plan["keys"], {t["table"]: t["rows"] for t in plan["tables"]}["orders"]) == (3, 2)
    assert document("person-find", "person", "find", "ann@example.org") == [{"person_id": int(ann)}]
    done = document("person-erase", "person", "erase", ann, "--yes", "--sweep")
    assert done["entry"] is not None and done["swept"]["rows"]["orders"] == 2
    assert document("person-find", "person", "find", "ann@example.org", code=3) == []
    assert run("person", "why", ann)[0] == 3


def test_a_quarantined_row_is_shown_to_whom_may_see_all_of_it(run: Run, document: Json) -> None:
    (row,) = document("quarantine-list", "quarantine", "list")
    assert (row["source"], row["reason"], row["field"]) == ("orders", "Datatype-Mismatch", "cents")
    number = str(row["id"])
    assert run("quarantine", "show", number, "--role", "engineer", "--purpose", "operate")[0] == 4
    shown = document("quarantine-show", "quarantine", "show", number, "--role", "officer", "--purpose", "operate")
    assert shown["row"]["number"] == "o4"
    newest = document("ledger-list", "ledger", "list", "--limit", "2")
    assert [(e["role"], e["verdict"]) for e in newest] == [("officer", "allowed"), ("engineer", "refused")]
    assert run("quarantine", "show", "77", *SERVICE)[0] == 3


def test_a_replay_lands_what_keeps_the_mended_contract_and_leaves_the_rest(
    run: Run, document: Json, root: Path
) -> None:
    done = document("quarantine-replay", "quarantine", "replay")
    assert (done["still_bad"], [s["kept"] for s in done["sources"]]) == (1, [0])
    contract = root / "sources" / "orders.odcs.yaml"
    contract.write_text(ORDERS.replace("maximum: 10000", "maximum: 100000"), "utf-8")
    done = document("quarantine-replay", "quarantine", "replay", "--source", "orders")
    assert (done["still_bad"], [s["kept"] for s in done["sources"]]) == (0, [1])
    assert document("quarantine-list", "quarantine", "list") == []
    assert [k["state"] for k in document("quarantine-list", "quarantine", "list", "--all")] == ["replayed"]
    assert document("quarantine-replay", "quarantine", "replay")["sources"] == []
    orders = "SELECT amount_cents FROM orders WHERE order_id = 'o4'"
    assert document("sql", "sql", orders, *SERVICE) == [{"amount_cents": 99999}]


def test_a_replayed_row_never_undoes_what_its_source_has_sent_since(run: Run, document: Json, root: Path) -> None:
    (root / "files" / "orders-2.csv").write_text("number,customer,at,cents\no4,c3,2026-03-01 12:00:00,999\n", "utf-8")
    assert document("source-sync", "source", "sync", "orders")[0]["kept"] == 1
    contract = root / "sources" / "orders.odcs.yaml"
    contract.write_text(ORDERS.replace("maximum: 10000", "maximum: 100000"), "utf-8")
    assert document("quarantine-replay", "quarantine", "replay")["older"] == 1
    orders = "SELECT amount_cents FROM orders WHERE order_id = 'o4'"
    assert document("sql", "sql", orders, *SERVICE) == [{"amount_cents": 999}]
    assert document("quarantine-list", "quarantine", "list") == []


def test_the_ledger_lists_a_persons_uses_and_finds_a_forged_line(run: Run, document: Json, root: Path) -> None:
    ann = person(run, "ann@example.org")
    document("person-show", "person", "show", ann, *SERVICE)
    assert document("ledger-of", "ledger", "of", ann, "--limit", "1")[0]["act"] == "read"
    log = root / "var" / "ledger" / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"act":"landing"', b'"act":"londing"', 1))
    found = document("ledger-verify", "ledger", "verify", code=1)
    assert (found["ok"], found["first_bad"]) == (False, 1)
    assert run("ledger", "show", "9999")[0] == 3


def test_the_doctor_finds_open_rights_and_a_source_that_is_gone(run: Run, document: Json, root: Path) -> None:
    (root / "files" / "crm.csv").unlink()
    (root / "var" / "vault.db").chmod(0o644)
    faults = {c["name"] for c in document("doctor", "doctor", code=1) if c["state"] == "fault"}
    assert faults == {"rights", "source crm"}
    code, out, err = run("source", "sync")
    assert code == 1 and "warning: crm:" in err and "orders" in out
