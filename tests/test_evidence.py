"""What proves how a request was worked, and what an erasure would do before anybody does it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from given_requests import ready, shop
from given_tiny import Tiny
from laws.shop import twin
from tessera import request_receipt
from tessera.errors import BadInput, NotFound
from tessera.evidence import pack
from tessera.foreseen import foresee
from tessera.trust import proofs, trail


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return shop(tmp_path_factory.mktemp("evidence") / "shop")


@pytest.fixture
def tiny(made: Tiny, tmp_path: Path) -> Tiny:
    return twin(made, tmp_path / "shop")


def test_every_step_of_a_request_is_proved_by_its_evidence_with_the_key_inside_alone(tiny: Tiny) -> None:
    with tiny.open() as app:
        (her,) = app.people.find("u1")
        done = app.desk.run(ready(app, "erasure", "u1").id)
        with zipfile.ZipFile(io.BytesIO(pack(app.desk, done.id))) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    key = trail.read_pem(files["public.pem"], "public.pem")
    receipt = json.loads(files["receipt.json"])
    request_receipt.check(receipt, key)
    steps = [event["entry"] for event in receipt["history"]]
    assert len(steps) == 4
    for entry in steps:
        shown = proofs.check(proofs.read_proof(files[f"proofs/entry-{entry}.json"].decode()), key)
        assert shown.entry.act == "request" and shown.entry.note.startswith(f"request {done.id}: ")
    assert {"README.txt", "receipt-en.html", "receipt-zh.html"} < files.keys()
    assert not any(b"u1@" in data for data in files.values()) and her not in receipt.values()


def test_what_an_erasure_would_do_is_what_it_does_and_touches_nothing(tiny: Tiny) -> None:
    with tiny.open() as app:
        request = ready(app, "erasure", "u1")
        told, entries = foresee(app.desk, request.id), len(app.ledger)
        assert told.plan is not None and told.plan.rows["orders"][1] == "kept without her"
        assert [d.purpose for d in told.duties] == ["tax"] and told.sweep_days == app.config.sweep_days
        assert len(app.ledger) == entries and app.people.find("u1")
        done = app.desk.run(request.id)
        assert done.outcome["keys"] == len(told.plan.who.keys)
        assert {h["purpose"] for h in done.outcome["held"]} == {d.purpose for d in told.duties}
        with pytest.raises(BadInput, match="no erasure that waits"):
            foresee(app.desk, request.id)


def test_of_whom_we_hold_nothing_an_erasure_would_do_nothing(tiny: Tiny) -> None:
    with tiny.open() as app:
        request = app.desk.open("erasure", value="nobody@nowhere.example")
        assert foresee(app.desk, request.id).plan is None
        with pytest.raises(NotFound):
            foresee(app.desk, 99)


def test_whoever_a_door_lets_work_at_the_desk_is_named_in_each_entry_with_her_role(tiny: Tiny) -> None:
    with tiny.open() as app:
        desk = app.desk.acting("account:ana", "owner")
        request = desk.verify(desk.open("access", value="u1").id, "document")
        assert {(e.by, e.role) for e in request.history} == {("account:ana", "owner")}
        newest = list(app.ledger.entries(newest_first=True, limit=3))
        assert {(e.actor, e.role) for e in newest if e.act == "request"} == {("account:ana", "owner")}
        assert {e.actor for e in newest} == {"account:ana"}
