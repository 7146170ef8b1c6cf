"""The API: the same rules as everywhere, the same errors, and nothing that nobody declared."""

from __future__ import annotations

import http.client
import socket

import pytest
from given_served import Served, Told

from tessera.doors.drill.shop import CLEAR, FUNCTIONS, PURPOSE


def test_health_needs_nobody_and_tells_nothing(door: Served) -> None:
    told = door.ask("GET", "/v1/health")
    assert (told.status, told.json) == (200, {"status": "ok"})
    assert "server" not in told.headers


@pytest.mark.parametrize("role", [r for r in FUNCTIONS if "sql" in FUNCTIONS[r]])
def test_a_question_is_answered_as_the_gate_would(door: Served, role: str) -> None:
    asked = {"question": "SELECT person_id FROM profiles ORDER BY 1", "purpose": PURPOSE[role], "role": role}
    told = door.ask("POST", "/v1/sql", asked, role=role)
    assert told.status == 200 and told.json["columns"] == ["person_id"]
    assert {r[0] for r in told.json["rows"]} == {p.number for p in door.shop.people if p.seen_by(role)}
    newest = door.ask("GET", "/v1/ledger?limit=1", role="officer").json[0]
    assert (newest["actor"], newest["role"], newest["seq"]) == (f"key:{role}", role, told.json["entry"])


@pytest.mark.parametrize("role", [r for r in FUNCTIONS if "show" in FUNCTIONS[r]])
def test_a_person_is_shown_to_whom_she_is_shown_by_the_gate(door: Served, role: str) -> None:
    for person in door.shop.people:
        told = door.ask("GET", f"/v1/persons/{person.number}?purpose={PURPOSE[role]}", role=role)
        assert told.status == (200 if person.seen_by(role) else 404)
        for field, value in person.values().items():
            inside = value.encode() in told.body
            assert inside == (person.seen_by(role) and field in CLEAR[role]), (role, field)


def test_somebody_whom_a_role_does_not_see_is_like_nobody(door: Served) -> None:
    south = door.ask("GET", f"/v1/persons/{door.person(4)}?purpose=operate", role="sales")
    nobody = door.ask("GET", "/v1/persons/99999?purpose=operate", role="sales")
    assert south.status == nobody.status == 404
    assert south.body.replace(str(door.person(4)).encode(), b"N") == nobody.body.replace(b"99999", b"N")


def test_a_person_is_found_by_what_is_clear_and_among_those_one_sees(door: Served) -> None:
    north, south = door.shop.people[0], door.shop.people[3]

    def found(role: str, text: str) -> object:
        asked = {"identifier": text, "purpose": PURPOSE[role], "role": role}
        told = door.ask("POST", "/v1/persons/find", asked, role=role)
        return told.json["persons"] if told.status == 200 else told.status

    assert found("sales", north.email.upper()) == [north.number] and found("sales", south.email) == []
    assert found("marketer", north.email) == [north.number]
    assert found("marketer", north.phone) == [], "a marketer does not see phone numbers"
    assert found("officer", south.id) == [south.number]
    assert found("officer", "nobody@example.org") == []
    assert found("analyst", north.email) == 403


def test_consents_and_proofs_are_read_by_who_may(door: Served) -> None:
    one = door.person(1)
    told = door.ask("GET", f"/v1/persons/{one}/consents?purpose=operate", role="officer")
    assert told.json["pii_principal_id"] == f"person:{one}" and len(told.json["records"]) >= 4
    assert door.ask("GET", "/v1/persons/99999/consents?purpose=operate", role="officer").status == 404
    proof = door.ask("GET", "/v1/ledger/0/proof", role="officer").json
    assert proof["format"] == "tessera ledger proof 1" and proof["entry"] == 0
    assert door.ask("GET", "/v1/ledger/999999/proof", role="officer").status == 404
    assert door.ask("POST", "/v1/ledger/verify", role="officer").json["ok"] is True


def test_the_ledger_comes_in_pages(door: Served) -> None:
    first = door.ask("GET", "/v1/ledger?limit=3", role="officer").json
    second = door.ask("GET", f"/v1/ledger?limit=3&before={first[-1]['seq']}", role="officer").json
    seqs = [e["seq"] for e in first + second]
    assert len(seqs) == 6 and seqs == sorted(seqs, reverse=True)
    assert door.ask("GET", "/v1/ledger?limit=501", role="officer").status == 422


def test_tables_and_the_matrix_show_what_a_role_sees(door: Served) -> None:
    told = {t["name"]: {c["name"]: c["verdict"] for c in t["columns"]} for t in
            door.ask("GET", "/v1/tables?purpose=analytics", role="analyst").json}  # fmt: skip
    assert told["profiles"]["email"] == "masked" and "name" not in told["profiles"]
    path = "/v1/access/explain?purpose=analytics&of_role=analyst&table=profiles&column=email"
    told = door.ask("GET", path, role="officer").json
    assert [c["verdict"] for c in told["columns"]] == ["masked"]
    assert door.ask("GET", path.replace("profiles", "profile"), role="officer").status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("POST", "/v1/sql", {"question": "SELECT 1", "purpose": "operate", "admin": True}, 422, "BadRequest"),
        ("POST", "/v1/sql", {"question": "DROP TABLE orders", "purpose": "operate"}, 400, "BadQuestion"),
        ("POST", "/v1/sql", {"question": "SELECT * FROM read_csv('/etc/passwd')", "purpose": "operate"}, 403, "NotAllowed"),
        ("POST", "/v1/sql", {"question": "SELECT * FROM ordres", "purpose": "operate"}, 404, "UnknownTable"),
        ("POST", "/v1/sql", {"question": "SELECT 1", "purpose": "analytics"}, 403, "NotAllowed"),
        ("POST", "/v1/sql", {"question": "SELECT 1", "purpose": "operate", "role": "owner"}, 403, "NotAllowed"),
        ("POST", "/v1/sql", b"{", 422, "BadRequest"),
        ("GET", "/v1/ledger?limit=3&limit=4", None, 400, "BadInput"),
        ("GET", "/v1/ledger?debug=1", None, 400, "BadInput"),
        ("GET", "/v1/persons/0?purpose=operate", None, 422, "BadRequest"),
        ("GET", "/v1/persons/x?purpose=operate", None, 422, "BadRequest"),
        ("GET", "/v1/nothing", None, 404, "Request"),
        ("DELETE", "/v1/sql", None, 405, "Request"),
    ],
)
def test_what_is_refused_says_why_in_one_form(
    door: Served, method: str, path: str, body: object, status: int, kind: str
) -> None:
    told = door.ask(method, path, body, role="officer")
    assert (told.status, told.json["error"]["kind"]) == (status, kind)
    assert b"Traceback" not in told.body and told.json["error"]["message"]


def test_an_error_of_ours_is_a_reference_and_its_text_goes_nowhere(door: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("w.drillova1@post1.example")

    monkeypatch.setattr("tessera.trust.answers.Answers.ask", broken)
    told = door.ask("POST", "/v1/sql", {"question": "SELECT 1", "purpose": "operate"}, role="officer")
    log = (door.shop.root / "var" / "log" / "tessera.log").read_text("utf-8")
    reference = told.json["error"]["message"].rpartition(" ")[2]
    assert told.status == 500 and reference in log and "builtins.ValueError" in log
    assert "drillova" not in log and b"drillova" not in told.body


def test_every_route_that_lives_is_in_openapi(door: Served) -> None:
    from tessera.doors.decide import PATH, STREAM
    from tessera.doors.http.openapi_tracking import operations
    from tessera.doors.http.site import ROUTERS

    told = door.ask("GET", "/v1/openapi.json").json["paths"]
    live = {(m.lower(), r.path) for router in ROUTERS for r in router.routes for m in r.methods} | {("get", "/v1/openapi.json")}
    live |= {(method, path) for method, path, _ in operations()} | {("post", PATH), ("get", STREAM)}
    assert {(m, path) for path, at in told.items() for m in at} == live


@pytest.mark.parametrize(
    ("broken", "method", "path"),
    [
        ("tessera.doors.collect.Collector.post", "WHOLE", "/v1/track"),
        ("tessera.doors.decide.DecideDoor.post", "WHOLE", "/v1/decide"),
        ("tessera.doors.collect.Collector.__call__", "POST", "/v1/track?a=1"),
        ("tessera.doors.banner.Banner.__call__", "GET", "/banner.js"),
        ("tessera.doors.decide.DecideDoor.post", "POST", "/v1/decide"),
    ],
)
def test_so_it_is_at_the_doors_beside_the_api(
    door: Served, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], broken: str, method: str, path: str
) -> None:
    async def failing(*_: object, **__: object) -> None:
        raise ValueError("w.drillova1@post1.example")

    monkeypatch.setattr(broken, failing)
    if method == "WHOLE":  # in one read, which goes past ASGI
        with socket.create_connection(("127.0.0.1", door.port), timeout=10) as to:
            to.sendall(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            answer = http.client.HTTPResponse(to)
            answer.begin()
            told = Told(answer.status, {}, answer.read())
    else:
        told = door.ask(method, path, {"userId": "u1"} if method == "POST" else None)
    log = (door.shop.root / "var" / "log" / "tessera.log").read_text("utf-8")
    assert told.status == 500 and told.json["error"]["message"].rpartition(" ")[2] in log
    assert "drillova" not in log and b"drillova" not in told.body and "drillova" not in capfd.readouterr().err
    assert door.ask("GET", "/v1/health").status == 200
