"""Access: each cell says what the gate says, and which line; a change that gives waits for a second person, who approves it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from given_pages import Open, opened

from tessera.app import App

LENS = "officer/operate"


def test_every_cell_says_what_the_gate_says(house: Open) -> None:
    text = house.get("/access?purpose=analytics", lens=LENS).text
    for cell in house.run(lambda app: app.matrix(purpose="analytics")):
        at = f"/access?purpose=analytics&amp;table=&amp;role={cell.role}&amp;what={cell.category}\""
        assert f'class="v v-{cell.verdict}" href="{at}' in text


def test_a_cell_says_which_line_decided_it(house: Open) -> None:
    at = "/access?purpose=analytics&role=analyst&what=user.contact.email"
    cell = house.run(lambda app: next(c for c in app.matrix("analyst", "analytics") if c.category == "user.contact.email"))
    text = house.get(at, lens=LENS).text
    assert f"<code>{cell.where}</code>" in text and f"Line {cell.where.rpartition(':')[2]} of access.yaml" in text
    assert "access.yaml 第" in house.get(at, lens=LENS, lang="zh").text
    hidden = house.get("/access?purpose=operate&role=analyst&what=user.name", lens=LENS).text
    assert "what no line allows is hidden" in hidden
    beyond = house.get("/access?purpose=sharing&role=owner&what=user.name", lens=LENS).text
    assert "sharing may not use user.name at all" in beyond


def test_a_table_is_shown_column_by_column(house: Open) -> None:
    text = house.get("/access?purpose=operate&table=profiles&role=sales&what=email", lens=LENS).text
    assert "Columns of profiles, for operate" in text and "user.contact.email" in text and 'id="why"' in text
    assert house.get("/access?table=nothing", lens=LENS).status in (400, 404)
    assert house.get("/access?purpose=nothing", lens=LENS).status == 404


def test_a_cell_is_explained_beside_the_matrix_without_leaving_it(house: Open, page: Any) -> None:
    page.goto(house.url + "/access?purpose=operate")
    page.get_by_role("row", name="user.name your name").get_by_role("link").nth(3).click()
    page.wait_for_selector("#why dl")
    assert "sales" in page.locator("#why").inner_text() and page.url.endswith("/access?purpose=operate")


@pytest.fixture
def careful(filled: Path, tmp_path: Path) -> Path:
    """The shop where changes wait for two people; one that gives waits. account:bo may approve too."""
    root = tmp_path / "shop"
    shutil.copytree(filled, root, ignore=shutil.ignore_patterns("*.sock"))
    file = root / "access.yaml"
    text = file.read_text("utf-8").replace("# changes: {people: 2", "changes: {people: 2")
    text = text.replace("actors:\n", 'actors:\n  - {name: "account:bo", roles: [officer]}\n', 1)
    file.write_text(text, "utf-8")
    with App(root, wait_s=10):
        pass
    wider = "grants:\n  - {roles: [sales], purposes: [operate], categories: [user.device], verdict: clear}\n"
    file.write_text(text.replace("grants:\n", wider, 1), "utf-8")
    return root


def test_a_change_that_gives_waits_for_two_people_and_each_says_yes_in_her_own_name(careful: Path) -> None:
    with opened(careful) as house:
        text = house.get("/access", lens=LENS).text
        digest = house.run(lambda app: app.standing.waiting.digest)
        assert "A change waits" in text and digest[:12] in text and "user.device" in text and 'id="approve"' in text
        assert house.post("/access/approve", {"change": "0" * 64}, lens=LENS).status == 403
        assert house.post("/access/approve", {"change": digest}, lens=LENS).status == 303
        once = house.get("/access", lens=LENS).text
        assert 'id="approve"' not in once and "Somebody else has to approve it now." in once
        again = house.post("/access/approve", {"change": digest}, lens=LENS, lang="zh")
        assert again.status == 403 and "您不能批准此变更" in again.text
        house.run(lambda app: app.approve(digest, "account:bo"))
    with opened(careful) as house:
        now = house.get("/access", lens=LENS).text
        assert "A change waits" not in now and "approved by 2 people" in now
        cell = house.run(lambda app: next(c for c in app.matrix("sales", "operate") if c.category == "user.device"))
        assert cell.verdict == "clear"


def test_who_may_not_ask_about_access_is_not_shown_it(house: Open) -> None:
    path = house.root / "access.yaml"
    assert "explain" in path.read_text("utf-8")
    assert house.get("/access", signed_in=False).status == 303
