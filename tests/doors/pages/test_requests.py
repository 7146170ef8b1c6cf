"""Requests at the desk: the officer's walk from a letter to the evidence, and what hinders each step in both languages."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import pytest
from given_pages import Open
from test_every_page import axe

from tessera import request_receipt

OFFICER = "officer/operate"


def opened(house: Open, kind: str, who: object, **more: str) -> int:
    """A request, opened by the form; its number."""
    told = house.post("/requests/new", {"kind": kind, "who": who, "channel": "letter", **more}, lens=OFFICER)
    assert told.status == 303, told.text
    return int(told.headers["location"].rpartition("/")[2])


def verified(house: Open, kind: str, who: object, **more: str) -> int:
    """The same, with her identity made sure."""
    number = opened(house, kind, who, **more)
    assert house.post(f"/requests/{number}/identity", {"how": "document", "state": "verified"}, lens=OFFICER).status == 303
    return number


def somebody(house: Open, place: int) -> tuple[int, str]:
    """A customer of the shop: number and e-mail."""

    def work(app: Any) -> tuple[int, str]:
        reader = app.reader("owner", "operate")
        asked = f"SELECT person_id, email FROM profiles WHERE email IS NOT NULL ORDER BY person_id LIMIT 1 OFFSET {place}"
        row = app.answers.ask(asked, reader).table.to_pylist()[0]
        return int(row["person_id"]), str(row["email"])

    return house.run(work)  # type: ignore[no-any-return]


def test_an_officer_answers_an_erasure_request(house: Open, chromium: Any) -> None:
    person, email = somebody(house, 40)
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page = house.sign_in(context, lens=OFFICER)
    page.goto(house.url + "/requests/new")
    page.get_by_role("link", name="Erasure").click()
    page.fill("#asker", email)
    page.select_option("#channel", "letter")
    page.fill("#note", "Please forget me.")
    page.click("#open")
    number = int(page.url.rpartition("/")[2])
    assert page.locator("h1").inner_text() == f"Request {number}: Erasure" and email not in page.content()
    page.click("#words")
    assert "Please forget me." in page.locator(".said").inner_text()
    page.select_option("#how", "document")
    page.click("#verify")
    assert "Verified: A document" in page.locator("main").inner_text()
    page.click("#look")
    plan = page.locator("#confirm").inner_text()
    assert re.search(r"profiles\s+1\s+deleted", plan) and "consents" in plan and "leaves the disk within" in plan
    page.click("#erase")
    page.wait_for_url(f"{house.url}/requests/{number}")
    said = page.locator("main").inner_text()
    assert f"Customer {person}, erased on" in said and "Identifiers destroyed" in said
    with page.expect_download() as got:
        page.click("#evidence")
    with zipfile.ZipFile(got.value.path()) as archive:
        receipt = json.loads(archive.read("receipt.json"))
        proofs = [n for n in archive.namelist() if n.startswith("proofs/")]
    context.close()
    house.run(lambda app: request_receipt.check(receipt, app.ledger.public_key))
    assert receipt["status"] == "done" and len(proofs) == len(receipt["history"]) == 5
    assert house.run(lambda app: app.rights.erased_at(person)).date().isoformat() == receipt["history"][-1]["at"][:10]
    assert {e.by for e in house.run(lambda app: app.requests.get(number)).history} == {house.run(lambda app: app.me)}
    gone = house.get(f"/customers/{person}", lens=OFFICER)
    assert gone.status in (404, 410) and email not in gone.text
    assert "Nobody is found" in house.get(f"/customers?q={email}", lens=OFFICER).text
    assert "Nothing, or it was erased with her." in house.get(f"/requests/{number}", lens=OFFICER).text


def test_nothing_is_done_for_anybody_unverified_and_no_erasure_unconfirmed(house: Open) -> None:
    person, _ = somebody(house, 41)
    number = opened(house, "erasure", person)
    told = house.post(f"/requests/{number}/run", {"confirmed": "yes"}, lens=OFFICER)
    assert told.status == 422 and "Nobody has made sure who asks." in told.text
    assert "尚未核实请求人的身份" in house.post(f"/requests/{number}/run", {"confirmed": "yes"}, lens=OFFICER, lang="zh").text
    house.post(f"/requests/{number}/identity", {"how": "call back", "state": "asked"}, lens=OFFICER)
    assert "Asked for: A call back" in house.get(f"/requests/{number}", lens=OFFICER).text
    house.post(f"/requests/{number}/identity", {"how": "call back", "state": "verified"}, lens=OFFICER)
    told = house.post(f"/requests/{number}/run", {}, lens=OFFICER)
    assert (told.status, told.headers["location"]) == (303, f"/requests/{number}?confirm=true#confirm")
    assert house.run(lambda app: app.people.known(person))


def test_a_copy_comes_as_a_file_and_leaves_none_on_our_disk(house: Open) -> None:
    person, email = somebody(house, 42)
    number = verified(house, "access", email)
    told = house.post(f"/requests/{number}/run", {"language": "zh"}, lens=OFFICER)
    assert told.headers["content-disposition"] == f'attachment; filename="request-{number}.zip"'
    with zipfile.ZipFile(io.BytesIO(told.body)) as archive:
        assert json.loads(archive.read("manifest.json"))["request"] == number and email in archive.read("index.html").decode()
    assert not list((house.root / "var" / "spill").glob("copy-*"))
    assert "Digest of its manifest" in house.get(f"/requests/{number}", lens=OFFICER).text
    assert house.run(lambda app: app.people.known(person))


def test_more_time_is_given_once_and_a_no_needs_a_reason(house: Open) -> None:
    number = opened(house, "access", somebody(house, 43)[0])
    reason = {"reason": "Your records lie in four systems."}
    assert house.post(f"/requests/{number}/extend", {"reason": "  "}, lens=OFFICER).status == 422
    due = house.run(lambda app: app.requests.get(number)).due
    assert house.post(f"/requests/{number}/extend", reason, lens=OFFICER).status == 303
    assert house.run(lambda app: app.requests.get(number)).due > due
    again = house.post(f"/requests/{number}/extend", reason, lens=OFFICER)
    assert again.status == 422 and "the law allows that once" in again.text
    assert "请填写原因" in house.post(f"/requests/{number}/refuse", {"reason": ""}, lens=OFFICER, lang="zh").text
    assert house.post(f"/requests/{number}/refuse", reason, lens=OFFICER).status == 303
    closed = house.post(f"/requests/{number}/refuse", reason, lens=OFFICER)
    assert closed.status == 422 and "closed already" in closed.text
    made = json.loads(house.get(f"/requests/{number}/receipt", lens=OFFICER).text)
    assert set(made["reasons"].values()) == {reason["reason"]}
    assert "Your records lie in four systems." in house.get(f"/requests/{number}/receipt?form=html", lens=OFFICER).text


def test_a_restriction_an_objection_and_a_correction_are_done_and_the_first_two_end(house: Open) -> None:
    person, email = somebody(house, 44)
    spared = verified(house, "restriction", person, **{"spare analytics": "on"})
    assert house.post(f"/requests/{spared}/run", {}, lens=OFFICER).headers["location"] == f"/requests/{spared}"
    assert house.run(lambda app: person in app.permits.bars(app.config.purposes["operate"], "person"))
    assert house.post(f"/requests/{spared}/lift", {"reason": "You asked for it."}, lens=OFFICER).status == 303
    assert not house.run(lambda app: person in app.permits.bars(app.config.purposes["operate"], "person"))
    objected = verified(house, "objection", email, purpose="marketing")
    house.post(f"/requests/{objected}/run", {}, lens=OFFICER)
    assert house.run(lambda app: app.requests.get(objected)).outcome["closed"] == ["marketing"]
    corrected = verified(house, "correction", person, field="city", value="Bern")
    house.post(f"/requests/{corrected}/run", {}, lens=OFFICER)
    assert house.run(lambda app: app.requests.get(corrected)).outcome["fields"] == ["city"]
    assert "Bern" not in house.get(f"/requests/{corrected}", lens=OFFICER).text


@pytest.mark.parametrize(
    ("form", "said", "zh"),
    [
        ({"kind": "", "who": "1"}, "Choose first what she asks for.", "请先选择请求的内容。"),
        ({"kind": "access", "who": " "}, "Write who asks", "请填写请求人"),
        ({"kind": "access", "who": "99999999"}, "Nobody has this number.", "没有此编号的客户。"),
        ({"kind": "objection", "who": "5", "purpose": "operate"}, "The desk does not take the request", "无法按此内容登记"),
        ({"kind": "correction", "who": "5", "field": "email", "value": "no"}, "The desk does not take the request", "无法按"),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_says_why_and_keeps_what_was_written(
    house: Open, form: dict[str, str], said: str, zh: str
) -> None:
    before = len(house.run(lambda app: app.requests.all()))
    told = house.post("/requests/new", form, lens=OFFICER)
    assert told.status == 422 and said in told.text
    assert not form["kind"] or f'value="{form["who"]}"' in told.text
    assert zh in house.post("/requests/new", form, lens=OFFICER, lang="zh").text
    assert len(house.run(lambda app: app.requests.all())) == before


def test_the_list_has_the_most_urgent_first_and_says_in_words_how_long_is_left(house: Open) -> None:
    late, soon = opened(house, "access", somebody(house, 45)[0]), opened(house, "erasure", somebody(house, 46)[0])

    def hurry(app: Any) -> None:
        import msgspec

        for number, due in ((late, "2020-01-01"), (soon, app.clock().date().isoformat())):
            app.requests.put(msgspec.structs.replace(app.requests.get(number), due=due))

    house.run(hurry)
    text = house.get("/requests", lens=OFFICER).text
    rows = re.findall(r'<a href="/requests/(\d+)">', text)
    assert rows[:2] == [str(late), str(soon)] and "days late" in text and "due today" in text
    only = house.get("/requests?kind=erasure", lens=OFFICER).text
    assert f'href="/requests/{soon}"' in only and f'href="/requests/{late}"' not in only


def test_who_may_not_work_on_requests_sees_none_and_changes_none(house: Open) -> None:
    number = opened(house, "access", somebody(house, 47)[0])
    for path in ("", f"/{number}", f"/{number}/receipt", f"/{number}/evidence", "/new"):
        assert house.get(f"/requests{path}", lens="sales/operate").status == 403
    form = {"how": "document", "reason": "x"}
    for act in ("identity", "run", "refuse", "extend", "words", "lift"):
        assert house.post(f"/requests/{number}/{act}", form, lens="marketer/marketing").status == 403
    assert house.run(lambda app: app.requests.get(number)).status == "received"
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert house.post(f"/requests/{number}/run", {}, lens=OFFICER, headers=elsewhere).status == 403


@pytest.mark.parametrize(("lang", "theme"), [("en", "light"), pytest.param("zh", "dark", marks=pytest.mark.heavy)])
def test_axe_finds_nothing_at_a_request(house: Open, chromium: Any, lang: str, theme: str) -> None:
    number = verified(house, "erasure", somebody(house, 48)[0])
    done = verified(house, "objection", somebody(house, 49)[0], purpose="marketing")
    house.post(f"/requests/{done}/run", {}, lens=OFFICER)
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
    page, faults = house.sign_in(context, lens=OFFICER, lang=lang, theme=theme), dict[str, list[str]]()
    for path in (f"/requests/{number}?confirm=true", f"/requests/{done}", "/requests/new?kind=restriction"):
        page.goto(house.url + path, wait_until="load")
        if found := axe(page):
            faults[path] = found
    context.close()
    assert faults == {}
