"""desk.py: requests of customers, from the first word to the receipt."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from given_kills import ACTS, Killed, _hooked, abandon
from given_requests import answered, files, ready, rows, shop
from given_tiny import Tiny
from laws.shop import twin
from tessera import request_receipt
from tessera.app import App
from tessera.config import RequestsConfig
from tessera.doors.cli import main
from tessera.errors import BadInput, BrokenTrail, NotAllowed, NotFound
from tessera.lake.engine import value
from tessera.trust.requests import How, due


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return shop(tmp_path_factory.mktemp("desk") / "shop")


@pytest.fixture
def tiny(made: Tiny, tmp_path: Path) -> Tiny:
    return twin(made, tmp_path / "shop")


@pytest.mark.parametrize(
    ("opened", "rule", "by"),
    [
        ("2026-03-01", {}, "2026-03-31"),
        ("2027-01-31", {}, "2027-02-28"),
        ("2026-03-06", {"days": 15, "working": True}, "2026-03-27"),
        ("2026-03-01", {"days": 45}, "2026-04-15"),
    ],
)
def test_a_request_is_due_by_the_law_s_day(opened: str, rule: dict[str, Any], by: str) -> None:
    assert due(datetime.fromisoformat(opened).replace(tzinfo=UTC), RequestsConfig(**rule)) == date.fromisoformat(by)


def test_nothing_is_done_for_anybody_unverified(tiny: Tiny, tmp_path: Path) -> None:
    with tiny.open() as app:
        request = app.desk.open("erasure", value="u1")
        with pytest.raises(NotAllowed, match="made sure"):
            app.desk.run(request.id)
        assert app.desk.ask_identity(request.id, "signed link").status == "verifying"
        with pytest.raises(NotAllowed):
            app.desk.run(request.id)
        assert app.people.find("u1")


def test_only_an_officer_works_at_the_desk(tiny: Tiny) -> None:
    access = tiny.root / "access.yaml"
    text = access.read_text("utf-8")
    access.write_text(text.replace("service, officer, engineer]\n    #", "service, engineer]\n    #"), "utf-8")
    tiny._config = None
    with tiny.open() as app:
        with pytest.raises(NotAllowed, match="officer"):
            app.desk.open("access", value="u1")
        made = app.desk.open("access", value="u1", by="customer")
        assert made.status == "received"
        for ask in (app.desk.all, lambda: app.desk.get(made.id), lambda: app.desk.receipt(made.id)):
            with pytest.raises(NotAllowed, match="officer"):
                ask()


def test_what_is_written_to_a_request_lies_sealed_and_dies_with_her(tiny: Tiny) -> None:
    with tiny.open() as app:
        request = ready(app, "access", "u1", note="my maiden name is Zwetschge")
        assert app.desk.read(request.id) == {"note": "my maiden name is Zwetschge"}
        for file in (tiny.root / "var").rglob("*"):
            assert not file.is_file() or b"Zwetschge" not in file.read_bytes(), file
        answered(app, "erasure", "u1")
        assert app.requests.texts(app.requests.get(request.id)) == {}


def test_a_request_of_nobody_is_answered_that_we_hold_nothing(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "copy.zip"
    with tiny.open() as app:
        request = answered(app, "access", "nobody@x.org", out)
        assert request.status == "done" and request.person is None and request.outcome["rows"] == {}
        assert app.requests.texts(request) == {}, "what she named is kept no longer than needed"
    assert "We hold nothing about you." in files(out)["index.html"].decode()


def test_an_extension_is_given_once_and_a_refusal_has_its_reason_on_the_receipt(tiny: Tiny) -> None:
    with tiny.open() as app:
        request = ready(app, "access", "u1")
        later = app.desk.extend(request.id, "Four systems hold your records.")
        assert (date.fromisoformat(later.due) - date.fromisoformat(request.due)).days == 60
        with pytest.raises(BadInput, match="once"):
            app.desk.extend(request.id, "again")
        with pytest.raises(BadInput, match="reason"):
            app.desk.refuse(request.id, " ")
        assert app.desk.refuse(request.id, "It was not you.").status == "refused"
        told = app.desk.receipt(request.id)["reasons"]
        assert told == {"extension": "Four systems hold your records.", "refusal": "It was not you."}
        with pytest.raises(BadInput, match="refused already"):
            app.desk.verify(request.id, "document")


def test_a_receipt_is_checked_with_the_public_key_and_no_changed_one_passes(tiny: Tiny) -> None:
    with tiny.open() as app:
        receipt = app.desk.receipt(answered(app, "erasure", "u1").id)
        key = app.ledger.public_key
    shown = json.loads(json.dumps(receipt))
    request_receipt.check(shown, key)
    for field in [f for f in shown if f != "format"]:
        changed = {**shown, field: "0" * 128 if field == "signature" else "other"}
        with pytest.raises(BrokenTrail):
            request_receipt.check(changed, key)
    assert {e["entry"] for e in shown["history"]} <= set(range(10_000))
    for language in ("en", "zh"):
        assert shown["signature"] in request_receipt.page(shown, language)


def test_a_receipt_tells_every_act_in_the_customers_language(tiny: Tiny, tmp_path: Path) -> None:
    shown = []
    with tiny.open() as app:
        slow = ready(app, "access", "k2", note="soon, please")
        app.desk.read(slow.id)
        app.desk.extend(slow.id, "Four systems.")
        tiny.events([{"id": "m9", "type": "page", "user": "u3", "cookie": "k2", "at": "2026-02-11T10:00:00Z"}])
        app.turn()
        with pytest.raises(NotAllowed):
            app.desk.run(slow.id, tmp_path / "copy.zip")
        app.desk.ask_identity(slow.id, "owner's token")
        app.desk.refuse(slow.id, "It was not you.")
        closed = answered(app, "restriction", "u1")
        app.desk.lift(closed.id, "Settled.")
        shown = [app.desk.receipt(r) for r in (slow.id, closed.id)]
    acts = {(e["act"], made["kind"]) for made in shown for e in made["history"]}
    assert len(acts) >= 9
    for act, kind in acts:
        english, chinese = (request_receipt.told(act, kind, language) for language in ("en", "zh"))
        assert english != act or act in ("done", "begun"), f"{act!r} has no words for a customer"
        assert not re.search("[A-Za-z]", chinese), f"{act!r} is not told in Chinese: {chinese}"
    assert all(set(request_receipt.HOW[language]) == set(get_args(How)) for language in ("en", "zh"))


def test_a_person_who_was_joined_since_is_verified_again(tiny: Tiny, tmp_path: Path) -> None:
    with tiny.open() as app:
        request = ready(app, "access", "k2")
        tiny.events([{"id": "m9", "type": "page", "user": "u3", "cookie": "k2", "at": "2026-02-11T10:00:00Z"}])
        app.turn()
        with pytest.raises(NotAllowed, match="joined or split"):
            app.desk.run(request.id, tmp_path / "c.zip")
        assert app.requests.get(request.id).check.state == "unverified"
        app.desk.verify(request.id, "account")
        assert app.desk.run(request.id, tmp_path / "c.zip").status == "done"
    assert [r["name"] for r in rows(tmp_path / "c.zip", "records")] == ["Name3"]


def test_requests_are_listed_by_urgency_and_an_unknown_number_is_told(tiny: Tiny) -> None:
    with tiny.open() as app:
        first, second = ready(app, "access", "u1"), ready(app, "erasure", "u2")
        app.desk.extend(first.id, "later")
        assert [r.id for r in app.requests.all()] == [second.id, first.id]
        with pytest.raises(NotFound):
            app.desk.run(99)


def test_a_duty_keeps_what_it_names_opens_for_itself_alone_and_is_on_the_receipt(tiny: Tiny, tmp_path: Path) -> None:
    with tiny.open() as app:
        copy = tmp_path / "copy.zip"
        answered(app, "access", "u1", copy)
        told = json.loads(files(copy)["about.json"])["duties"]
        assert [(d["purpose"], d["rows"]) for d in told] == [("tax", 2)]
        request = answered(app, "erasure", "u1")
        assert [(h["table"], h["rows"], h["until"][:4]) for h in request.outcome["held"]] == [
            ("orders", 1, "2036"), ("records", 1, "2036"),
        ]  # fmt: skip
        assert app.desk.receipt(request.id)["outcome"]["held"] == request.outcome["held"]
        app.sweep()
        read = app.sql("SELECT of_table, facts FROM held ORDER BY of_table", purpose="tax", role="officer").table.to_pylist()
        facts = {r["of_table"]: json.loads(r["facts"]) for r in read}
        assert facts["records"] == {"name": "Name1"}
        assert set(facts["orders"]) == {"order_id", "occurred_at", "amount_cents"}
        for purpose in ("operate", "post"):
            assert app.sql("SELECT facts FROM held", purpose=purpose, role="officer").table.num_rows == 0
        with pytest.raises(NotAllowed):
            app.sql("SELECT facts FROM held", purpose="tax", role="analyst")


def test_what_a_duty_kept_goes_when_its_time_is_over(tiny: Tiny) -> None:
    with tiny.open() as app:
        answered(app, "erasure", "u1")
        app.turn()
        held = value(app.con, f"SELECT count(*) FROM {app.lake.relation('held')}")
        sealed = app.vault.counts()["records"]
        tiny.day = tiny.day.replace(year=2037)
        app.turn()
        assert held == 2 and app.lake.rows("held") == 0 and app.vault.counts()["records"] == sealed - 2
        assert [e.rows for e in app.ledger.entries() if e.act == "lapse"] == [2]


ALL = (*ACTS, ("ledger", "append"))


def dies(app: App, number: int, after: bool, do: Any) -> int:
    """Runs `do` on an app that is killed at its n-th durable act; the ledger's entries count too. Returns the acts."""
    seen: list[str] = []

    def kill(_: str) -> None:
        raise Killed

    rooms = [(getattr(app, part), method) for part, method in ALL]
    for (room, method), (part, _) in zip(rooms, ALL, strict=True):
        setattr(room, method, _hooked(getattr(room, method), f"{part}.{method}", seen, number, kill, after))
    try:
        do(app)
    finally:
        for room, method in rooms:
            delattr(room, method)
    return len(seen)


def left(app: App, number: int) -> list[tuple[str, str]]:
    """The entries of the ledger that a request has, and its outcome's stores."""
    return [(e.act, e.note) for e in app.ledger.entries() if e.note.startswith(f"request {number}:")]


def killed_at_each_act(tiny: Tiny, tmp_path: Path, kind: str, facts: dict[str, Any], after: bool) -> None:
    """A run that is killed at any act is finished by the next run: the same outcome, each entry once."""

    def run(app: App) -> None:
        app.desk.run(1, tmp_path / "copy.zip" if kind in ("access", "portability") else None)

    with tiny.open() as app:
        ready(app, kind, "u1", **facts)
    whole = twin(tiny, tmp_path / "whole")
    with whole.open() as app:
        many = dies(app, 0, False, run)
        wanted, entries = app.requests.get(1).outcome, left(app, 1)
        held = app.lake.rows("held")
        records = app.vault.counts()["records"]
    for number in range(1, many + 1, 3 if after else 1):
        one = twin(tiny, tmp_path / f"{kind}{number}")
        app = one.open()
        with pytest.raises(Killed):
            dies(app, number, after, run)
        abandon(app)
        with one.open() as app:
            if app.requests.get(1).open:  # a copy that is there may be asked for again, which is another act
                run(app)
            request = app.requests.get(1)
            assert request.status == "done" and not request.running
            assert left(app, 1) == entries, number
            assert app.lake.rows("held") == held, number
            assert app.vault.counts()["records"] == records, number
            if kind == "erasure":
                assert {k: v for k, v in request.outcome.items() if k in ("keys", "held")} == {
                    k: v for k, v in wanted.items() if k in ("keys", "held")
                }
                assert not app.people.find("u1")
            assert app.ledger.verify().ok


@pytest.mark.parametrize("after", [pytest.param(False, marks=pytest.mark.heavy), True])
def test_an_erasure_killed_at_each_act_is_finished_by_the_next_run_and_never_twice(
    tiny: Tiny, tmp_path: Path, after: bool
) -> None:
    killed_at_each_act(tiny, tmp_path, "erasure", {"note": "please"}, after)


def test_a_copy_killed_at_each_act_is_finished_by_the_next_run(tiny: Tiny, tmp_path: Path) -> None:
    killed_at_each_act(tiny, tmp_path, "access", {}, False)


def test_a_receipt_tells_what_a_law_keeps_and_what_is_objected_to_in_the_customer_s_words(tiny: Tiny) -> None:
    with tiny.open() as app:
        objected = app.desk.receipt(answered(app, "objection", "u2", purpose="post").id)
        erased = app.desk.receipt(answered(app, "erasure", "u1").id)
    chinese, english = (request_receipt.page(erased, language) for language in ("zh", "en"))
    for sentence in ("“订单”中的 1 行", "“您的身份信息”中的 1 行", "2036-", "且仅用于：税法要求我们保存发票。"):
        assert sentence in chinese
    assert "1 row of “Orders”, for this alone: A tax law makes us keep invoices." in english
    assert not re.search(r"\b(orders|records|tax)\b", chinese) and "orders" not in english
    assert "不再将您的数据用于：我们向您寄送产品目录。" in request_receipt.page(objected, "zh")
    assert "We send you our catalogue." in request_receipt.page(objected, "en")
    older = {k: v for k, v in erased.items() if k != "sentences"}
    assert "且仅用于：tax" in request_receipt.page(older, "zh"), "a receipt of an older Tessera still reads"


def test_a_request_killed_while_it_is_opened_leaves_no_text_and_no_half_request(tiny: Tiny, tmp_path: Path) -> None:
    def opened(app: App) -> None:
        app.desk.open("access", value="u1", note="hello")

    with twin(tiny, tmp_path / "whole").open() as app:
        records = app.vault.counts()["records"]
        many = dies(app, 0, False, opened)
    for number in range(1, many + 1):
        for after in (False, True):
            one = twin(tiny, tmp_path / f"shop{number}{after}")
            app = one.open()
            with pytest.raises(Killed):
                dies(app, number, after, opened)
            abandon(app)
            with one.open() as app:
                found = app.requests.all()
                assert app.vault.counts()["records"] == records + len(found)
                assert [left(app, r.id) for r in found] == [[("request", f"request {r.id}: access received")] for r in found]


def test_an_erasure_by_an_officer_alone_tells_what_a_duty_keeps_too(tiny: Tiny, capsys: Any) -> None:
    with tiny.open() as app:
        (person,) = app.people.find("u1")
    capsys.readouterr()
    assert main(["-w", str(tiny.root), "person", "erase", str(person), "--yes", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    schema = Path(__file__).parents[1] / "docs" / "schemas" / "person-erase.json"
    jsonschema.validate(document, json.loads(schema.read_text("utf-8")))
    assert {h["table"]: h["rows"] for h in document["held"]} == {"orders": 1, "records": 1}
