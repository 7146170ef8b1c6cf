"""How staff come in: an account, a link of the machine's owner; and what does not let anybody in."""

from __future__ import annotations

import re
from datetime import timedelta

from given_pages import Open

from tessera.doors import opening
from tessera.trust.accounts import Accounts


def test_a_link_opens_once(house: Open) -> None:
    token = house.run(lambda app: opening.mint(app, app.me))
    told = house.get(f"/enter?token={token}&to=/customers", signed_in=False)
    assert (told.status, told.headers["location"]) == (303, "/customers")
    cookie = told.headers["set-cookie"].partition(";")[0]
    assert house.get("/customers", signed_in=False, cookies=cookie).status == 200
    again = house.get(f"/enter?token={token}", signed_in=False)
    assert again.status == 403 and "This link was used" in again.text and "set-cookie" not in again.headers


def test_a_link_leads_to_pages_of_ours_alone(house: Open) -> None:
    token = house.run(lambda app: opening.mint(app, app.me))
    assert house.get(f"/enter?token={token}&to=//elsewhere.example/", signed_in=False).headers["location"] == "/"


def test_an_old_link_and_a_made_up_one_open_nothing(house: Open) -> None:
    old = house.run(lambda app: opening.mint(app, app.me, timedelta(seconds=-1)))
    for token in (old, "x" * 43):
        assert house.get(f"/enter?token={token}", signed_in=False).status == 403


def test_of_a_link_nothing_but_its_hash_is_kept(house: Open) -> None:
    token = house.run(lambda app: opening.mint(app, app.me))
    assert token not in str(house.run(lambda app: app.state.items(opening.SPACE)))


def test_an_account_signs_in_by_the_form_and_comes_back_to_what_it_asked_for(house: Open) -> None:
    house.run(lambda app: Accounts(app.state, app.clock).add("ana", "Correct-Horse-Battery-77"))
    form = {"account": "ana", "password": "Correct-Horse-Battery-77"}
    told = house.post("/sign-in?to=/customers", form, signed_in=False)
    assert (told.status, told.headers["location"]) == (303, "/customers")
    cookie = told.headers["set-cookie"].partition(";")[0]
    refused = house.get("/customers", signed_in=False, cookies=cookie)
    assert refused.status == 403 and "ana has no role here" in refused.text  # access.yaml does not name her
    wrong = house.post("/sign-in", form | {"password": "wrong"}, signed_in=False)
    assert wrong.status == 403 and "No account is let in" in wrong.text and "wrong" not in re.sub(r"<[^>]*>", "", wrong.text)


def test_signing_out_ends_the_session_on_the_server(house: Open) -> None:
    token = house.run(lambda app: opening.mint(app, app.me))
    cookie = house.get(f"/enter?token={token}", signed_in=False).headers["set-cookie"].partition(";")[0]
    assert house.post("/sign-out", {}, signed_in=False, cookies=cookie).headers["location"] == "/sign-in"
    assert house.get("/customers", signed_in=False, cookies=cookie).status == 303


def test_another_site_s_form_changes_nothing(house: Open) -> None:
    for path in ("/lens", "/sign-out", "/sign-in"):
        told = house.post(path, {"lens": "sales/operate", "account": "x", "password": "y"}, headers={"Origin": "https://evil.example"})
        assert told.status == 403 and "set-cookie" not in told.headers, path


def test_what_no_page_knows_is_refused_without_repeating_it(house: Open) -> None:
    told = house.get("/customers?who=me")
    assert told.status == 400
    lost = house.get("/nothing-here")
    assert lost.status == 404 and "/nothing-here" not in lost.text
    assert house.get("/customers/1.5").status == 400


def test_language_and_theme_stay_as_they_were_chosen(house: Open) -> None:
    told = house.get("/customers?lang=zh&theme=dark")
    assert '<html lang="zh-CN" data-theme="dark">' in told.text and "tessera-taste=zh.dark" in told.headers["set-cookie"]
    assert '<html lang="en">' in house.get("/customers?lang=xx").text
