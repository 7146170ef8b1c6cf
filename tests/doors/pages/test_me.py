"""The customer's own pages: where her data went, her choices that hold at once, proofs, requests; of others nothing."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from datetime import timedelta

import pytest
from given_hers import PAGES, She, entered, somebody
from given_pages import Open

from tessera.app import App
from tessera.demo import world
from tessera.doors import opening
from tessera.doors.pages.her_visit import HerRoom, Memory
from tessera.doors.pages.tongue import Tongue
from tessera.errors import NotAllowed, NotConsented, NotFound
from tessera.flows import Watched, lately
from tessera.trust.access import SUBJECT
from tessera.trust.proofs import check, read_proof

ASKED = "SELECT count(*) FROM profiles"


@pytest.fixture
def she(house: Open) -> She:
    return entered(house, somebody(house))


def asks(house: Open, purpose: str, role: str = "analyst") -> int:
    """A question of staff about everybody; the number of its entry."""
    return int(house.run(lambda app: app.answers.ask(ASKED, app.reader(role, purpose)).entry))


def choose(she: She, purpose: str, agree: str, **more: str) -> None:
    told = she.post("/me/choices", {"purpose": purpose, "agree": agree, **more})
    assert (told.status, told.headers["location"]) == (303, f"/me?said={purpose}#choices")


def test_her_page_counts_the_uses_that_held_her_as_the_ledger_has_them(house: Open, she: She) -> None:
    def work(app: App) -> tuple[int, set[int], set[int]]:
        her = app.people.subject(app.people.keys(she.person)[0])
        assert her
        room = HerRoom(app, her, 0, Tongue(), Memory())
        mine = {e.seq for e in app.people.uses(she.person)}
        return room.lately.uses(blocked=False), mine, {*room.lately.told}

    uses, mine, told = house.run(work)
    assert told <= mine and uses > 5
    page = she.get("/me").text
    numbers = [int(n) for n in re.findall(r'<td class="r">(\d+)</td>', page)]
    assert sum(numbers) == uses and "Where your data went" in page and "<svg" in page


def test_a_purpose_switched_off_leaves_her_out_of_the_next_question_and_her_page_says_so(house: Open, she: She) -> None:
    before = asks(house, "analytics")
    assert f"/me/uses/{before}" in she.get("/me").text
    choose(she, "analytics", "no")
    page = she.get("/me?said=analytics").text
    assert 'id="switch-analytics" role="switch" aria-checked="false"' in page
    assert "Saved. Off. From now on nothing of yours is used for this." in page
    left_out = asks(house, "analytics")
    page = she.get("/me").text
    assert f"/me/uses/{left_out}" not in page and "You said no to “Improve our shop”, and we left you out once." in page
    assert "A question about many customers left you out" in page and "Blocked by you" in page
    choose(she, "analytics", "yes")
    assert f"/me/uses/{asks(house, 'analytics')}" in she.get("/me").text


def test_a_use_of_others_alone_is_neither_hers_nor_kept_back(house: Open, she: She) -> None:
    choose(she, "analytics", "no")
    other = somebody(house, among=1)

    def work(app: App) -> tuple[set[int], frozenset[int], int]:
        her = app.people.subject(app.people.keys(she.person)[0])
        assert her
        first = len(app.ledger)
        app.people.portrait(other, purpose="operate", role="owner")
        app.people.portrait(other, purpose="analytics", role="analyst")
        room = HerRoom(app, her, 0, Tongue(), Memory())
        told = lately(app, her, room.known)
        return {*told.told}, told.kept_back, first

    told, kept_back, first = house.run(work)
    assert not {n for n in told | kept_back if n >= first}
    choose(she, "analytics", "yes")


def test_her_page_opened_by_staff_for_a_purpose_that_she_refused_shows_nothing_and_she_is_told(house: Open, she: She) -> None:
    choose(she, "personalise", "no")

    def work(app: App) -> None:
        with pytest.raises(NotConsented):
            app.people.portrait(she.person, purpose="personalise", role="marketer")

    house.run(work)
    assert "Somebody asked for your data and was shown nothing" in she.get("/me").text
    choose(she, "personalise", "yes")


def test_what_needs_no_consent_has_a_lock_and_a_reason_and_no_switch(she: She) -> None:
    page = she.get("/me").text
    assert "switch-operate" not in page and "Rests on our contract with you, so it has no switch." in page
    assert she.post("/me/choices", {"purpose": "operate", "agree": "no"}).status == 400


def test_a_yes_for_a_time_says_until_when_and_stands_among_what_disappears(house: Open, she: She) -> None:
    day = house.run(lambda app: app.clock() + timedelta(days=20)).date()
    choose(she, "marketing", "yes", until=day.isoformat())
    page = she.get("/me").text
    assert f"On until {day.day} {day:%B} {day.year}." in page and "Your yes to “Write to you about offers”" in page
    choose(she, "marketing", "yes", once="yes")
    assert "On for one use, then it ends by itself." in she.get("/me").text
    bad = she.post("/me/choices", {"purpose": "marketing", "agree": "yes", "until": "2001-01-01"})
    assert bad.status == 400 and "choose one of the two" in bad.text
    choose(she, "marketing", "no")


def test_her_pages_hold_nothing_of_anybody_else(house: Open, she: She) -> None:
    def values(app: App) -> list[str]:
        found = app.answers.ask("SELECT person_id, name, email, phone, address FROM profiles", app.reader("owner", "operate"))
        others = [r for r in found.table.to_pylist() if r["person_id"] != she.person]
        mine = next(r for r in found.table.to_pylist() if r["person_id"] == she.person)
        fields = ("name", "email", "phone", "address")
        return sorted({str(r[f]) for r in others for f in fields if r[f] and r[f] not in str(mine[f])})

    others = house.run(values)
    assert len(others) > 500
    for path in PAGES:
        for lang in ("en", "zh"):
            told = she.get(path, lang=lang)
            assert told.status == 200, path
            assert [v for v in others if len(v) > 6 and v in told.text] == [], path
            assert not re.search(r"<[^>]+\sstyle=|<[^>]+\son[a-z]+=|<style|javascript:", told.text), path


def test_a_session_of_staff_opens_none_of_her_pages_and_hers_none_of_theirs(house: Open, she: She) -> None:
    for path in (*PAGES, "/me/now", "/me/uses/11", "/me/requests/1"):
        told = house.get(path)
        assert (told.status, told.headers["location"]) == (303, "/me/sign-in"), path
    for path in ("/", "/customers", f"/customers/{she.person}"):
        assert she.get(path).headers["location"].startswith("/sign-in"), path
    assert she.get("/v1/tables").status == 401
    assert house.post("/me/choices", {"purpose": "analytics", "agree": "yes"}).status == 401
    assert house.get("/me/live/news").status == 401 and she.get("/live/news").status == 401
    choice = {"purpose": "analytics", "agree": "no"}
    assert she.post("/me/choices", choice, headers={"Origin": "https://x.example"}).status == 403


def test_she_reads_one_use_keeps_its_proof_and_checks_it_and_a_changed_one_fails(house: Open, she: She) -> None:
    entry = asks(house, "operate", role="owner")
    page = she.get(f"/me/uses/{entry}").text
    assert "We use your data to deliver what you ordered" in page and "The proof holds" not in page
    assert "The proof holds" in she.get(f"/me/uses/{entry}?check=yes").text
    proof = she.get(f"/me/uses/{entry}/proof").text
    key = house.run(lambda app: app.ledger.public_key)
    assert check(read_proof(proof), key).entry.seq == entry
    assert she.get("/me/public-key").text.startswith("-----BEGIN PUBLIC KEY-----")
    held = she.post("/me/check", {"proof": proof}).text
    assert "The proof holds" in held and "It is about you" in held
    for changed, why in (
        (proof.replace("owner for", "nobody for", 1), "not what stands"),
        (proof.replace('"checkpoint": "', '"checkpoint": "x', 1), "signed head"),
        (json.dumps({**json.loads(proof), "key": "0" * 64}), "another key"),
        (json.dumps({**json.loads(proof), "member": {**json.loads(proof)["member"], "id": 0}}), "about you"),
    ):
        told = she.post("/me/check", {"proof": changed}).text
        assert changed != proof and "The proof does not hold" in told and why in told
    assert "This is no proof of a use." in she.post("/me/check", {"proof": "{}"}).text
    other = entered(house, somebody(house, among=1))
    assert "not about you as we know you now" in other.post("/me/check", {"proof": proof_of(house, she)}).text


def proof_of(house: Open, she: She) -> str:
    """The proof of a use that held her alone."""

    def work(app: App) -> int:
        return max(app.people.portrait(she.person, purpose="operate", role="owner").entries)

    return she.get(f"/me/uses/{house.run(work)}/proof").text


def test_a_use_of_somebody_else_is_not_there(house: Open, she: She) -> None:
    other = entered(house, somebody(house, among=1))
    proof = json.loads(proof_of(house, other))
    assert she.get(f"/me/uses/{proof['entry']}").status == 404
    assert she.get(f"/me/uses/{proof['entry']}/proof").status == 404


def test_she_gets_a_copy_and_follows_it(house: Open, she: She) -> None:
    told = she.post("/me/copy", {})
    at = told.headers["location"]
    assert told.status == 303 and "Fetch your copy" in she.get(at).text
    with zipfile.ZipFile(io.BytesIO(she.get(f"{at}/copy").body)) as copy:
        assert "manifest.json" in copy.namelist()
    page = she.get(at).text
    assert "Done on" in page and "Your copy has" in page
    receipt = json.loads(she.get(f"{at}/receipt").body)
    assert (receipt["status"], receipt["kind"]) == ("done", "access")
    other = entered(house, somebody(house, among=1))
    assert [other.get(at + more).status for more in ("", "/copy", "/receipt")] == [404] * 3


def test_she_corrects_what_is_wrong(house: Open, she: She) -> None:
    told = she.post("/me/correct", {"city": "Chur", "email": ""})
    page = she.get(told.headers["location"]).text
    assert told.status == 303 and "Corrected: City." in page
    wrong = she.post("/me/correct", {"email": "no mailbox"})
    assert wrong.status == 400 and 'value="no mailbox"' in wrong.text and "Nothing was changed" in wrong.text


def test_deleting_asks_once_and_says_who_does_it_and_until_when(house: Open) -> None:
    she = entered(house, somebody(house, among=3))
    asked = she.get("/me/delete").text
    assert "Nobody can take this back." in asked and asked.count("<form method=\"post\" action=\"/me/delete\"") == 1
    told = she.post("/me/delete", {})
    page = she.get(told.headers["location"]).text
    assert "We answer by" in page and "a person of ours looks at it" in page
    assert "We answer by" in she.get("/me/delete").text and "/me/delete\" class" not in she.get("/me/delete").text
    assert "we answer by" in she.get("/me").text
    house.run(lambda app: app.desk.run(int(told.headers["location"].rpartition("/")[2]), by="customer"))
    gone = she.get("/me")
    assert (gone.status, gone.headers["location"]) == (303, "/me/sign-in"), "an erased person is nobody's"


def test_store_and_do_not_use_holds_at_once(house: Open) -> None:
    she = entered(house, somebody(house, among=4))
    told = she.post("/me/restrict", {})
    assert "From now on your data is stored and not used." in she.get(told.headers["location"]).text
    asks(house, "analytics")
    page = she.get("/me").text
    assert "Stopped, as you asked." in page and "A question about many customers left you out" in page
    assert "action=\"/me/restrict\"" not in she.get("/me/requests").text


def test_why_she_sees_this_is_told_in_her_words_without_numbers(house: Open, she: She) -> None:
    page = she.get("/me/data").text
    name = house.run(lambda app: app.answers.ask(
        f"SELECT name FROM profiles WHERE person_id = {she.person}", app.reader("owner", "operate")).table[0][0].as_py())
    assert name in page and "Why do I see this?" in page
    leaving = re.findall(r"[^>]*our estimate that you may leave us\.", page)
    assert leaving and not any(re.search(r"\d", said) for said in leaving)


def test_asking_for_a_letter_says_the_same_to_everybody(house: Open, she: She) -> None:
    mail = house.run(lambda app: app.answers.ask(
        f"SELECT email FROM profiles WHERE person_id = {she.person}", app.reader("owner", "operate")).table[0][0].as_py())
    known, stranger = (
        house.post("/me/sign-in", {"address": a}, signed_in=False) for a in (mail, "stranger@example.org")
    )  # fmt: skip
    assert known.status == stranger.status == 200 and known.body == stranger.body
    assert "a letter with a link is on its way" in known.text
    assert "一封包含链接的邮件已在途中" in house.post("/me/sign-in", {"address": mail}, signed_in=False, lang="zh").text
    refused = house.post("/me/sign-in", {"address": "x"}, signed_in=False)
    assert refused.status == 400 and "Look at what you entered" in refused.text


def test_the_letters_page_has_one_button_no_script_and_her_language(house: Open) -> None:
    page = house.get("/v1/me/enter?token=abc&lang=zh", signed_in=False).text
    assert "查看我的数据" in page and "<script" not in page and 'lang="zh-CN"' in page and page.count("<form") == 1


def test_the_owner_of_a_demo_opens_her_page_and_she_is_told_so(house: Open, she: She) -> None:
    token = house.run(lambda app: opening.mint(app, app.me, customer=she.person))
    told = house.get(f"/enter?token={token}", signed_in=False)
    assert (told.status, told.headers["location"]) == (303, "/me")
    assert told.headers["set-cookie"].startswith("__Host-tessera-me=") and "__Host-tessera=" not in told.headers["set-cookie"]
    assert house.get(f"/enter?token={token}", signed_in=False).status == 403, "good once"
    page = she.get("/me").text
    assert "The owner of this machine opened your page, as a trial" in page
    newest = house.run(lambda app: next(iter(app.people.uses(she.person))))
    assert (newest.act, newest.role, newest.actor) != ("sign-in", SUBJECT, SUBJECT)
    with pytest.raises(NotFound):
        house.run(lambda app: opening.mint(app, app.me, customer=2**30))


def test_where_people_are_real_nobody_opens_her_page_for_her(house: Open, she: She) -> None:
    marker = house.root / opening.MADE_UP
    assert opening.MADE_UP.startswith("world/") and world.__name__
    away = marker.rename(marker.with_suffix(".away"))
    try:
        with pytest.raises(NotAllowed, match="customer alone"):
            house.run(lambda app: opening.mint(app, app.me, customer=she.person))
    finally:
        away.rename(marker)


def test_she_is_told_of_news_of_hers_alone_and_of_each_once(house: Open, she: She) -> None:
    key, other = house.run(lambda app: app.people.keys(she.person)[0]), somebody(house, among=1)
    watched = Watched(key)

    def new() -> int:
        return int(house.run(watched.new)[0])

    assert new() == 0, "what she sees already"
    asks(house, "operate", role="owner")
    assert new() == 1 and new() == 0
    house.run(lambda app: app.people.portrait(other, purpose="operate", role="owner"))
    assert new() == 0
    she.get("/me")
    assert new() == 0, "that she looks is no news to her"
    choose(she, "analytics", "no")
    assert new() == 1
    asks(house, "analytics")
    assert new() == 1, "that she was left out is"
    choose(she, "analytics", "yes")


def test_what_came_between_her_page_and_its_stream_is_news(house: Open, she: She) -> None:
    seen = int(re.findall(r'data-live="/me/live/news\?seen=(\d+)"', she.get("/me").text)[0])
    asks(house, "operate", role="owner")
    key = house.run(lambda app: app.people.keys(she.person)[0])
    watched = Watched(key, seen)
    assert [house.run(watched.new)[0] for _ in range(2)] == [1, 0]


def test_what_her_page_asks_by_itself_keeps_no_session_alive(house: Open, she: She) -> None:
    def used(app: App) -> str:
        name = hashlib.sha256(she.cookie.partition("=")[2].encode()).hexdigest()
        app.state.put("session", name, {**app.state.get("session", name), "used": before})
        return name

    before = house.run(lambda app: (app.clock() - timedelta(minutes=10)).isoformat())
    name = house.run(used)
    she.get("/me/now", headers={"Tessera-Live": "1"})
    assert house.run(lambda app: app.state.get("session", name)["used"]) == before
    she.get("/me/now")
    assert house.run(lambda app: app.state.get("session", name)["used"]) > before


def test_signing_out_ends_the_session(house: Open) -> None:
    she = entered(house, somebody(house, among=2))
    assert she.post("/me/sign-out", {}).headers["location"] == "/me/sign-in"
    assert she.get("/me").status == 303
