"""The customer's own door: how she gets in, that nobody learns whether we know her, and what she can do there."""

from __future__ import annotations

import email
import io
import re
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from given_served import Served, Told, copied, served

from tessera.doors.customer import mint
from tessera.doors.drill.shop import Shop
from tessera.trust.proofs import check, read_proof


@pytest.fixture
def up(drill_shop: Shop, tmp_path: Path) -> Iterator[Served]:
    with served(copied(drill_shop, tmp_path / "shop")) as door:
        yield door


def letters(up: Served, wanted: int, wait_s: float = 15.0) -> list[email.message.Message]:
    """The letters that went out, once there are so many."""
    until = time.monotonic() + wait_s
    while True:
        found = sorted((up.shop.root / "var" / "outbox").glob("*.eml"), key=lambda p: p.stat().st_mtime_ns)
        if len(found) >= wanted or time.monotonic() > until:
            return [email.message_from_bytes(p.read_bytes()) for p in found]
        time.sleep(0.05)


def token_in(letter: email.message.Message) -> str:
    text = letter.get_payload(decode=True).decode()
    (link,) = re.findall(r"http\S+", text)
    return parse_qs(urlsplit(link).query)["token"][0]


def entered(up: Served, place: int = 1) -> dict[str, str]:
    """The headers of a customer who is in, from the owner's own pages."""
    vouched = {"kind": "user_id", "identifier": up.shop.people[place - 1].id}
    token = up.ask("POST", "/v1/me/token", vouched, role="owner").json["token"]
    told = up.ask("POST", "/v1/me/session", {"token": token})
    assert told.status == 200
    return {"Cookie": told.headers["set-cookie"].partition(";")[0], "Origin": up.url}


def test_a_letter_goes_to_a_customer_and_lets_her_in_once(up: Served) -> None:
    known = up.shop.people[0]
    asked = [up.ask("POST", "/v1/me/link", {"address": a}) for a in (known.email.upper(), "stranger@example.org")]
    assert [a.status for a in asked] == [202, 202] and asked[0].body == asked[1].body
    assert up.ask("POST", "/v1/me/link", {"address": up.shop.people[1].email, "language": "zh"}).status == 202
    first, second = letters(up, 2)
    assert (first["To"], second["To"]) == (known.email, up.shop.people[1].email), "the stranger gets none"
    assert "链接" in second.get_payload(decode=True).decode()
    token = token_in(first)
    page = up.ask("GET", f"/v1/me/enter?token={token}")
    assert page.status == 200 and b"<script" not in page.body and page.headers["content-type"].startswith("text/html")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert up.ask("POST", "/v1/me/enter", f"token={token}".encode(), headers=form).status == 403, "not from our page"
    told = up.ask("POST", "/v1/me/enter", f"token={token}".encode(), headers={**form, "Origin": up.url})
    assert (told.status, told.headers["location"]) == (303, "/me")
    said = told.headers["set-cookie"].lower()
    assert said.startswith("__host-tessera-me=") and all(w in said for w in ("httponly", "secure", "samesite=strict"))
    own = {"Cookie": told.headers["set-cookie"].partition(";")[0]}
    assert up.ask("GET", "/v1/me", headers=own).json["person"] == known.number
    again = up.ask("POST", "/v1/me/enter", f"token={token}".encode(), headers={**form, "Origin": up.url})
    assert again.status == 401


def test_nobody_learns_from_answers_or_times_whether_we_know_a_mailbox(up: Served) -> None:
    def knock(address: str) -> tuple[float, Told]:
        started = time.perf_counter()
        told = up.ask("POST", "/v1/me/link", {"address": address})
        return time.perf_counter() - started, told

    spent: dict[bool, list[float]] = {True: [], False: []}
    bodies = set()
    for n in range(30):
        known = n % 2 == 0
        took, told = knock(up.shop.people[n % 6].email if known else f"stranger{n}@example.org")
        spent[known].append(took)
        bodies.add((told.status, told.body, tuple(sorted(k for k in told.headers))))
    assert len(bodies) == 1
    low, high = (sorted(s)[len(s) // 2] for s in (min(spent.values(), key=min), max(spent.values(), key=min)))
    assert high < 5 * low + 0.05, "the answer goes out before anybody is looked up"


def test_a_mailbox_gets_few_letters_and_the_answer_stays_the_same(drill_shop: Shop, tmp_path: Path) -> None:
    from dataclasses import replace

    from given_served import WIDE

    from tessera.doors.limits import Rate

    with served(copied(drill_shop, tmp_path / "shop"), replace(WIDE, mailbox=Rate(burst=2, every_s=600))) as up:
        told = [up.ask("POST", "/v1/me/link", {"address": up.shop.people[0].email}) for _ in range(5)]
        assert {t.status for t in told} == {202} and len({t.body for t in told}) == 1
        assert len(letters(up, 3, wait_s=6.0)) == 2


def test_an_old_or_changed_token_lets_nobody_in(up: Served) -> None:
    with up.desk.app() as app:
        key = app.people.key_of(up.shop.people[0].email, ["email"])
        old, nobody, good = (mint(app, k, timedelta(seconds=s)) for k, s in ((key, -1), (0, 60), (key, 60)))
    assert len({len(t) for t in (old, nobody, good)}) == 1
    changed = good[:30] + ("A" if good[30] != "A" else "B") + good[31:]
    told = [up.ask("POST", "/v1/me/session", {"token": t}) for t in (old, nobody, changed, "x")]
    assert {t.status for t in told} == {401} and len({t.body for t in told}) == 1
    assert up.ask("POST", "/v1/me/session", {"token": good}).status == 200


def test_she_sees_all_of_hers_and_nothing_of_others(up: Served) -> None:
    one, own = up.shop.people[0], entered(up)
    told = up.ask("GET", "/v1/me", headers=own)
    assert {f["field"]: f["value"] for f in told.json["fields"]}["email"] == one.email
    for other in up.shop.people[1:]:
        assert not [v for v in other.values().values() if v.encode() in told.body]
    with up.desk.app() as app:
        reader = app.people.subject(app.people.key_of(one.id, ["user_id"]))
        assert reader
        for table in app.gate.presented().values():
            if table.reason != "nobody":
                rows = app.answers.ask(f"SELECT person_id FROM {table.name}", reader).table.column(0).to_pylist()
                assert set(rows) <= {one.number}, table.name


def test_she_sees_her_uses_and_proves_one(up: Served) -> None:
    own, other = entered(up), entered(up, 2)
    up.ask("GET", f"/v1/persons/{up.person(1)}?purpose=operate", role="officer")
    uses = up.ask("GET", "/v1/me/uses", headers=own).json
    assert uses[0]["role"] == "officer" and "actor" not in uses[0]
    mine = next(u for u in uses if u["act"] == "sign-in")
    text = up.ask("GET", f"/v1/me/uses/{mine['seq']}/proof", headers=own).body.decode()
    with up.desk.app() as app:
        key = app.ledger.public_key
    assert check(read_proof(text), key).id == up.person(1)
    assert up.ask("GET", f"/v1/me/uses/{mine['seq']}/proof", headers=other).status == 404
    assert mine["seq"] not in [u["seq"] for u in up.ask("GET", "/v1/me/uses", headers=other).json]


def analysts(up: Served) -> set[int]:
    asked = {"question": "SELECT person_id FROM profiles", "purpose": "analytics"}
    return {r[0] for r in up.ask("POST", "/v1/sql", asked, role="analyst").json["rows"]}


def test_her_no_and_her_yes_hold_from_the_next_read_on(up: Served) -> None:
    one, own = up.person(1), entered(up)
    assert one in analysts(up)

    def says(agree: bool) -> str:
        told = up.ask("PUT", "/v1/me/consents/analytics", {"agree": agree}, headers=own)
        assert told.status == 200
        return str(told.json["state"])

    assert says(False) == "withdrawn" and one not in analysts(up)
    assert says(True) == "given" and one in analysts(up)
    assert says(False) == "withdrawn" and one not in analysts(up)
    with up.desk.app() as app:
        app.turn()
    assert one not in analysts(up), "the turn comes to the same end"
    assert says(True) == "given" and one in analysts(up)
    with up.desk.app() as app:
        app.turn()
    assert one in analysts(up)
    never = entered(up, 5)
    told = up.ask("PUT", "/v1/me/consents/analytics", {"agree": True}, headers=never)
    assert told.json["state"] == "given" and up.person(5) in analysts(up), "also of somebody who had said no before"
    record = next(r for r in up.ask("GET", "/v1/me/consents", headers=own).json["records"]
                  if r["processing"]["purpose"] == "analytics")  # fmt: skip
    assert record["state"] == "given" and record["events"][-1]["entity_id"] == "tessera.me"


def choice(up: Served, own: dict[str, str]) -> dict[str, Any]:
    records = up.ask("GET", "/v1/me/consents", headers=own).json["records"]
    found: dict[str, Any] = next(r for r in records if r["processing"]["purpose"] == "analytics")
    return found


def test_she_agrees_for_one_use_or_until_a_moment_and_it_ends_then(drill_shop: Shop, tmp_path: Path) -> None:
    day = [datetime.now(UTC)]
    with served(copied(drill_shop, tmp_path / "shop"), clock=lambda: day[0]) as up:
        one, own = up.person(1), entered(up)
        told = up.ask("PUT", "/v1/me/consents/analytics", {"agree": True, "once": True}, headers=own)
        assert told.status == 200 and told.json == {"purpose": "analytics", "state": "given", "until": None, "once": True}
        assert choice(up, own)["state"] == "given" and choice(up, own)["one_use"]
        assert one in analysts(up) and one not in analysts(up), "the first use was the last"
        assert choice(up, own)["state"] == "expired"
        end = (day[0] + timedelta(minutes=10)).isoformat()
        told = up.ask("PUT", "/v1/me/consents/analytics", {"agree": True, "until": end}, headers=own)
        assert told.status == 200 and one in analysts(up)
        assert datetime.fromisoformat(choice(up, own)["until"]) == datetime.fromisoformat(end)
        day[0] += timedelta(minutes=11)
        assert one not in analysts(up) and choice(up, own)["state"] == "expired"
        with up.desk.app() as app:
            app.turn()
            held = app.con.execute(f"SELECT person_id FROM {app.lake.relation('features')}").fetchall()
            assert (one,) not in held
            acts = [(e.act, e.note) for e in app.ledger.entries()]
            assert ("consent", "given, ends with the first use") in acts and "burn" in {act for act, _ in acts}
        assert up.ask("PUT", "/v1/me/consents/analytics", {"agree": True}, headers=own).json["state"] == "given"
        assert one in analysts(up) and choice(up, own)["state"] == "given"


def test_what_she_cannot_choose_is_refused(up: Served) -> None:
    own = entered(up)
    past, ahead = ((datetime.now(UTC) + timedelta(hours=h)).isoformat() for h in (-1, 1))
    for end in ({"until": past}, {"until": ahead, "once": True}):
        assert up.ask("PUT", "/v1/me/consents/analytics", {"agree": True, **end}, headers=own).status == 400
    assert up.ask("PUT", "/v1/me/consents/analytics", {"agree": False, "once": True}, headers=own).status == 400
    nowhere = {"agree": True, "until": "2030-01-01T00:00:00"}
    assert up.ask("PUT", "/v1/me/consents/analytics", nowhere, headers=own).status == 422
    assert up.ask("PUT", "/v1/me/consents/operate", {"agree": False}, headers=own).status == 400
    assert up.ask("PUT", "/v1/me/consents/nothing", {"agree": False}, headers=own).status == 404
    assert up.ask("PUT", "/v1/me/consents/analytics", {"agree": "no"}, headers=own).status == 422
    assert up.ask("PUT", "/v1/me/consents/analytics", {"agree": False}, headers={"Cookie": own["Cookie"]}).status == 403


def test_whoever_is_erased_is_out_and_a_letter_goes_nowhere(up: Served) -> None:
    own = entered(up)
    with up.desk.app() as app:
        app.erase([up.person(1)])
    assert up.ask("GET", "/v1/me", headers=own).status == 401
    assert up.ask("POST", "/v1/me/link", {"address": up.shop.people[0].email}).status == 202
    assert letters(up, 1, wait_s=2.0) == []


def test_who_is_restricted_still_sees_her_own_page_and_nobody_else_does(up: Served) -> None:
    own, one = entered(up), up.person(1)
    assert up.ask("POST", "/v1/me/requests", {"kind": "restriction"}, headers=own).json["status"] == "done"
    for turned in (False, True):
        if turned:
            with up.desk.app() as app:
                app.turn()
        seen = up.ask("GET", "/v1/me", headers=own)
        assert seen.status == 200 and seen.json["consents"]
        assert turned is ("profiles" in seen.json["closed"]), "her profile is not made while she is restricted"
        told = up.ask("GET", f"/v1/persons/{one}?purpose=operate", role="owner")
        assert one not in analysts(up) and told.status in (403, 404)


def test_she_leaves_and_her_session_is_over(up: Served) -> None:
    own = entered(up)
    assert up.ask("DELETE", "/v1/me/session", headers=own).status == 200
    assert up.ask("GET", "/v1/me", headers=own).status == 401


def test_a_mailbox_that_she_has_corrected_lets_nobody_in(up: Served) -> None:
    one = up.shop.people[0]
    own, new = entered(up), "w.other@post.example"
    fixed = up.ask("POST", "/v1/me/requests", {"kind": "correction", "changes": {"email": new}}, headers=own)
    assert fixed.status == 201 and fixed.json["status"] == "done"

    def let_in(address: str) -> bool:
        token = up.ask("POST", "/v1/me/token", {"kind": "email", "identifier": address}, role="owner").json["token"]
        return up.ask("POST", "/v1/me/session", {"token": token}).status == 200

    assert not let_in(one.email), "from the correction on: it may be somebody else's"
    with up.desk.app() as app:
        app.turn()
    assert let_in(new) and not let_in(one.email) and not let_in(one.email.upper())
    for address in (one.email, one.email.upper(), new):
        assert up.ask("POST", "/v1/me/link", {"address": address}).status == 202
    assert [str(letter["To"]) for letter in letters(up, 1)] == [new]
    back = up.ask("POST", "/v1/me/requests", {"kind": "correction", "changes": {"email": one.email}}, headers=own)
    assert back.status == 201 and let_in(one.email), "she says now that it is hers"


def test_her_letters_go_with_her(up: Served) -> None:
    for place in (0, 1):
        assert up.ask("POST", "/v1/me/link", {"address": up.shop.people[place].email}).status == 202
    assert len(letters(up, 2)) == 2
    with up.desk.app() as app:
        app.erase([up.person(1)])
    assert [str(letter["To"]) for letter in letters(up, 1)] == [up.shop.people[1].email]


def test_what_she_asks_for_is_done_for_her_alone_with_a_receipt(up: Served) -> None:
    own, other = entered(up), entered(up, 2)
    objected = up.ask("POST", "/v1/me/requests", {"kind": "objection", "purpose": "marketing"}, headers=own)
    assert (objected.status, objected.json["status"], objected.json["outcome"]) == (201, "done", {"closed": ["marketing"]})
    assert up.ask("POST", "/v1/me/requests", {"kind": "objection"}, headers=own).status == 400
    erasure = up.ask("POST", "/v1/me/requests", {"kind": "erasure"}, headers=own).json
    assert erasure["status"] == "in progress" and erasure["days_left"] > 20, "an officer does it"
    for done in (erasure["id"], objected.json["id"]):
        assert up.ask("GET", f"/v1/me/requests/{done}/copy", headers=own).status == 404
    assert up.ask("GET", "/v1/me", headers=own).status == 200, "what looks does nothing"
    access = up.ask("POST", "/v1/me/requests", {"kind": "access"}, headers=own).json
    mine = [r["id"] for r in up.ask("GET", "/v1/me/requests", headers=own).json]
    assert mine == [access["id"], erasure["id"], objected.json["id"]]
    assert up.ask("GET", "/v1/me/requests", headers=other).json == []
    told = up.ask("GET", f"/v1/me/requests/{access['id']}/copy?language=zh", headers=own)
    assert told.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(told.body)) as copy:
        whole = b"".join(copy.read(n) for n in copy.namelist())
        assert copy.testzip() is None and "index.html" in copy.namelist()
    assert up.shop.people[0].email.encode() in whole and up.shop.people[1].email.encode() not in whole
    assert not list((up.shop.root / "var" / "spill").glob("copy-*"))
    receipt = up.ask("GET", f"/v1/me/requests/{access['id']}/receipt", headers=own)
    assert receipt.status == 200 and "signature" in receipt.body.decode()
    for what in ("receipt", "copy"):
        assert up.ask("GET", f"/v1/me/requests/{access['id']}/{what}", headers=other).status == 404
        assert up.ask("GET", f"/v1/me/requests/{access['id']}/{what}").status == 401
