"""her_words.py: what a customer is told at her own door is in her language and for her, whatever went wrong."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from given_served import WIDE, Served, Told, copied, served

from tessera.doors.drill.shop import Shop
from tessera.doors.http import her_words
from tessera.doors.http.her_words import BY_SENTENCE, BY_STATUS, OTHER, SAID, preferred
from tessera.doors.limits import Rate

CHINESE = re.compile(r"[\u4e00-\u9fff]")
OURS = re.compile(r"tessera|api key|bearer|--\w|\{|\.yaml|openapi|Known:|'\w+'|person \d", re.IGNORECASE)
"""What no sentence of hers holds."""
BROWSER = {"en": "en-GB,en;q=0.9,zh;q=0.2", "zh": "zh-CN,zh;q=0.9,en;q=0.8"}
PAST, AHEAD = ((datetime.now(UTC) + timedelta(days=d)).isoformat() for d in (-1, 1))


@pytest.fixture(scope="module")
def up(drill_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(copied(drill_shop, tmp_path_factory.mktemp("her_words") / "shop")) as door:
        yield door


@pytest.fixture(scope="module")
def own(up: Served) -> dict[str, str]:
    return entered(up)


def entered(up: Served) -> dict[str, str]:
    """The headers of the shop's first customer, who is in."""
    vouched = {"kind": "user_id", "identifier": up.shop.people[0].id}
    token = up.ask("POST", "/v1/me/token", vouched, role="owner").json["token"]
    told = up.ask("POST", "/v1/me/session", {"token": token})
    return {"Cookie": told.headers["set-cookie"].partition(";")[0], "Origin": up.url}


def both(up: Served, method: str, path: str, body: Any, headers: dict[str, str]) -> dict[str, Told]:
    """The same request with either browser."""
    return {at: up.ask(method, path, body, headers={**headers, "Accept-Language": BROWSER[at]}) for at in ("en", "zh")}


def hers(told: dict[str, Told], status: int) -> str:
    """The Chinese sentence of an error; both are checked to be a customer's."""
    found = {at: t.json["error"]["message"] for at, t in told.items()}
    assert {t.status for t in told.values()} == {status}, found
    assert told["en"].json["error"]["kind"] == told["zh"].json["error"]["kind"]
    assert CHINESE.search(found["zh"]) and not CHINESE.search(found["en"])
    assert not [s for s in found.values() if OURS.search(s)], found
    return str(found["zh"])


WRONG = [
    ("PUT", "/consents/operate", {"agree": False}, 400, "此用途无需您的同意"),
    ("PUT", "/consents/analytics", {"agree": False, "once": True}, 400, "只有同意才能设定期限"),
    ("PUT", "/consents/analytics", {"agree": True, "until": PAST}, 400, "请二者择一"),
    ("PUT", "/consents/analytics", {"agree": True, "until": AHEAD, "once": True}, 400, "请二者择一"),
    ("PUT", "/consents/analytics", {"agree": "no"}, 422, "不符合要求：agree"),
    ("PUT", "/consents/nothing", {"agree": False}, 404, "没有与您有关的内容"),
    ("POST", "/requests", {"kind": "objection"}, 400, "请说明您反对的是哪一项用途"),
    ("POST", "/requests", {"kind": "objection", "purpose": "analytics"}, 400, "撤回同意后我们即停止"),
    ("POST", "/requests", {"kind": "objection", "purpose": "operate"}, 400, "法律未规定反对权"),
    ("POST", "/requests", {"kind": "access", "purpose": "marketing"}, 400, "类型不符"),
    ("POST", "/requests", {"kind": "access", "changes": {"city": "Ulm"}}, 400, "类型不符"),
    ("POST", "/requests", {"kind": "correction"}, 400, "请说明哪一项有误"),
    ("POST", "/requests", {"kind": "correction", "changes": {"orders": "9"}}, 400, "此项无法在此更正"),
    ("POST", "/requests", {"kind": "correction", "changes": {"email": "none"}}, 400, "新的内容为空"),
    ("POST", "/requests", {"kind": "wish"}, 422, "不符合要求：kind"),
    ("GET", "/requests/999/receipt", None, 404, "没有与您有关的内容"),
    ("GET", "/uses/999999/proof", None, 404, "没有与您有关的内容"),
    ("GET", "/nothing", None, 404, "没有与您有关的内容"),
    ("GET", "/no//thing", None, 404, "没有与您有关的内容"),
    ("POST", "/consents", None, 405, "不支持该操作"),
    ("GET", "/uses?limit=0", None, 422, "不符合要求：limit"),
    ("GET", "?other=1", None, 400, "无法识别的部分"),
    ("POST", "/requests", b"x" * 100_000, 413, "内容过大"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "says"), WRONG)
def test_what_she_asks_wrongly_is_told_in_her_language(
    up: Served, own: dict[str, str], method: str, path: str, body: Any, status: int, says: str
) -> None:
    assert says in hers(both(up, method, f"/v1/me{path}", body, own), status)


def test_who_is_not_in_is_told_so_for_a_person_and_not_for_a_program(up: Served, own: dict[str, str]) -> None:
    assert "尚未登录" in hers(both(up, "GET", "/v1/me", None, {}), 401)
    assert "尚未登录" in hers(both(up, "POST", "/v1/me/session", {"token": "x"}, {}), 401)
    foreign = {"Cookie": own["Cookie"], "Origin": "https://elsewhere.example"}
    assert "并非来自我们的页面" in hers(both(up, "DELETE", "/v1/me/session", None, foreign), 403)
    assert "并非来自我们的页面" in hers(both(up, "POST", "/v1/me/session", {"token": "x"}, {"Origin": foreign["Origin"]}), 403)
    told = up.ask("POST", "/v1/me/token", {"kind": "email", "identifier": "x"}, headers={"Accept-Language": "zh"})
    assert told.status == 401 and "API key" in told.json["error"]["message"], "the owner's program asks there"
    assert "API key" in up.ask("GET", "/v1/ledger", headers={"Accept-Language": "zh"}).json["error"]["message"]


def test_what_an_officer_or_an_erasure_closed_is_told_in_her_language(up: Served, own: dict[str, str]) -> None:
    with up.desk.app() as app:
        refused = app.desk.refuse(app.desk.open("access", person=up.person(1)).id, "Asked twice.").id
        unchecked = app.desk.open("access", person=up.person(1)).id
        app.erase([up.person(6)])
    assert "理由见其凭证" in hers(both(up, "GET", f"/v1/me/requests/{refused}/copy", None, own), 400)
    assert "重新核实您的身份" in hers(both(up, "GET", f"/v1/me/requests/{unchecked}/copy", None, own), 403)
    gone = {"kind": "correction", "changes": {"email": up.shop.people[5].email}}
    assert "已应请求删除" in hers(both(up, "POST", "/v1/me/requests", gone, own), 403)


def test_what_is_ours_to_mend_gives_her_a_reference_in_her_language(
    up: Served, own: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("nothing of this is told")

    monkeypatch.setattr("tessera.people.People.uses_of", broken)
    said = hers(both(up, "GET", "/v1/me/uses", None, own), 500)
    log = (up.shop.root / "var" / "log" / "tessera.log").read_text("utf-8")
    assert said.startswith("我们这边出现了问题") and said.rpartition("：")[2] in log


def test_who_asks_too_often_is_told_for_how_long_to_wait(drill_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> None:
    shop = copied(drill_shop, tmp_path_factory.mktemp("often") / "shop")
    with served(shop, replace(WIDE, knock=Rate(burst=1, every_s=600))) as door:
        door.ask("POST", "/v1/me/session", {"token": "x"})
        told = both(door, "POST", "/v1/me/session", {"token": "x"}, {})
        assert re.search(r"请在 \d+ 秒后重试", hers(told, 429)) and int(told["zh"].headers["retry-after"]) > 1
    with served(shop, replace(WIDE, address=Rate(burst=1, every_s=600))) as door:
        door.ask("GET", "/v1/health")
        assert "过于频繁" in hers(both(door, "GET", "/v1/me", None, {}), 429), "also what the shield refuses"


def test_she_is_greeted_in_her_language(up: Served) -> None:
    own = entered(up)
    assert up.ask("DELETE", "/v1/me/session", headers={**own, "Accept-Language": BROWSER["zh"]}).json == {"message": "再见。"}


def test_every_sentence_of_hers_is_in_both_languages_and_names_no_command() -> None:
    for english, chinese in (*BY_STATUS.values(), *(words for _, words in BY_SENTENCE), OTHER, *SAID.values()):
        assert CHINESE.search(chinese) and not CHINESE.search(english)
        assert not OURS.search(english.replace("{fact}", "")) and english.count("{fact}") == chinese.count("{fact}")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", "en"), ("zh", "zh"), ("ZH-hans-CN", "zh"), ("en", "en"), ("de-DE", "en"), ("*", "en"), ("zh, en", "zh"),
        ("en, zh", "en"), ("en;q=0.1, zh;q=0.2", "zh"), ("zh;q=0", "en"), ("fr, zh;q=0.5", "zh"), ("zh;q=x,;;,\u00e9", "en"),
        ("zh" * 9, "en"), ("," * 30_000, "en"),
    ],
)  # fmt: skip
def test_her_language_is_the_one_that_her_browser_prefers(accept: str, wanted: str) -> None:
    assert preferred(accept) == wanted


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(her_words).failed == 0
