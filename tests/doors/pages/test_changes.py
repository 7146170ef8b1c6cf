"""/changes: a marketer proposes, an officer reviews the difference and applies; who works in the files is not written over."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from given_pages import Open
from test_every_page import axe

from tessera.doors.pages import change_files, change_form, change_tree
from tessera.doors.pages.change_words import SAYS
from tessera.house import settings
from tessera.yamledit import data

FILE = "segments.yaml"
RULE = "rules:\n  - {name: often, label: {en: Often, zh: 常客}, when: orders >= 3}\n"
MASKED, CLEAR = "[user.contact], verdict: masked", "[user.contact], verdict: clear"
MARKETER, OFFICER = "marketer/analytics", "officer/operate"


def text(house: Open, file: str = FILE) -> str:
    return (house.root / file).read_text("utf-8")


def propose(house: Open, new: str, why: str = "often", file: str = FILE, **more: Any) -> int:
    told = house.post("/changes/draft", {"file": file, "text": new, "why": why, "do": "propose"}, lens=MARKETER, **more)
    assert told.status == 303, told.text
    return int(told.headers["location"].rpartition("/")[2])


def apply(house: Open, number: int, lens: str = OFFICER) -> Any:
    seen = house.run(lambda app: app.changes.get(number).digest)
    return house.post(f"/changes/{number}/apply", {"seen": seen}, lens=lens)


def test_a_marketer_proposes_a_segment_an_officer_applies_it_and_the_next_turn_makes_it(house: Open, page: Any) -> None:
    page.context.add_cookies([{"name": "tessera-lens", "value": MARKETER, "url": house.url}])
    page.goto(f"{house.url}/changes")
    page.locator('a[href="/changes/new?file=segments.yaml"]').click()
    page.get_by_role("button", name="Add a segment").click()
    name = page.get_by_label("Its name").first
    name.wait_for()
    for label, value in (("Its name", "often_here"), ("Words in English", "Often here"), ("Words in Chinese", "老朋友")):
        page.get_by_label(label, exact=True).first.fill(value)
    page.get_by_label("The value", exact=True).first.fill("2")
    with page.expect_response("**/changes/draft"):
        page.keyboard.press("Tab")
    page.get_by_text("people match").wait_for()
    assert "when: orders >= 2" in page.get_by_label("The text").input_value()
    with page.expect_response("**/changes/draft"):
        page.get_by_role("button", name="A group").first.click()
    page.get_by_label("The upper value").count()
    page.wait_for_function("document.querySelector('#text').value.includes('OR events >= 1')")
    assert re.search(r"\d people match", page.locator("#checks").inner_text())
    assert re.search(r"may be contacted for marketing", page.locator("#checks").inner_text())
    page.get_by_label("Why", exact=True).fill("Thank those who come often")
    page.get_by_role("button", name="Propose").last.click()
    page.wait_for_url(re.compile(r"/changes/\d+$"))
    assert page.get_by_role("button", name="Apply").count() == 0, "a marketer proposes"
    assert "often_here" not in text(house)

    page.context.add_cookies([{"name": "tessera-lens", "value": OFFICER, "url": house.url}])
    page.reload()
    assert "often_here" in page.locator("#difference").inner_text()
    page.get_by_role("button", name="Apply").click()
    page.locator(".tag", has_text="applied").first.wait_for()
    assert "often_here" in text(house)
    house.run(lambda app: app.turn(sync=False))
    question = "SELECT count(*) FROM rule_segments WHERE segment = 'often_here'"
    found = house.run(lambda app: app.sql(question, purpose="analytics", role="owner").rows())
    assert found[0][0] > 10
    told = house.run(lambda app: [(e.role, e.note) for e in app.ledger.entries() if e.act == "change"])
    assert [role for role, _ in told] == ["marketer", "officer"] and all("Thank those" in note for _, note in told)


def test_mistakes_stand_at_their_lines_and_nothing_is_proposed(house: Open) -> None:
    sent = {"file": FILE, "text": text(house) + "odd: 1\nk: many\n", "why": "why", "do": "propose"}
    told = house.post("/changes/draft", sent, lens=MARKETER)
    assert told.status == 200 and "2 mistakes" in told.text
    n = len(text(house).splitlines())
    assert f'data-wrong="{n + 1} {n + 2}"' in told.text


def test_without_a_why_nothing_is_proposed(house: Open) -> None:
    told = house.post("/changes/draft", {"file": FILE, "text": text(house) + "k: 4\n", "do": "propose"}, lens=MARKETER)
    assert told.status == 200 and "Say why" in told.text


def test_what_the_form_says_comes_into_the_text_and_everything_else_stays(house: Open) -> None:
    told = house.get("/changes/new?file=access.yaml", lens=OFFICER)
    was = re.search(r'name="was" value="(\w+)"', told.text)
    assert was
    sent = {"file": "access.yaml", "text": text(house, "access.yaml"), "was": was[1], "f:contact": "Ann: the owner"}
    told = house.post("/changes/draft", sent, lens=OFFICER)
    new = unescape(re.search(r"<textarea name=\"text\"[^>]*>\n(.*?)</textarea>", told.text, re.S)[1])  # type: ignore[index]
    before = text(house, "access.yaml")
    changed = [(a, b) for a, b in zip(before.splitlines(), new.splitlines(), strict=True) if a != b]
    assert changed == [("contact: the owner of this workspace", 'contact: "Ann: the owner"')]


def test_a_text_that_was_edited_comes_before_a_form_that_was_made_from_another(house: Open) -> None:
    sent = {"file": FILE, "text": "seed: 9\n", "was": "of another text", "f:seed": "7"}
    assert "seed: 9" in house.post("/changes/draft", sent, lens=MARKETER).text


def test_who_gains_what_is_said_before_a_change_of_access_is_applied(house: Open) -> None:
    wider = text(house, "access.yaml").replace(MASKED, CLEAR, 1)
    number = propose(house, wider, "analysts call customers", "access.yaml")
    told = house.get(f"/changes/{number}", lens=OFFICER)
    assert "Who sees more" in told.text and "masked → as it is" in told.text and "<b>analyst</b>" in told.text
    assert "谁看到的变多" in house.get(f"/changes/{number}", lens=OFFICER, lang="zh").text
    assert house.post(f"/changes/{number}/withdraw", {}, lens=OFFICER).status == 303


def test_whoever_may_not_propose_or_apply_does_neither(house: Open) -> None:
    number = propose(house, text(house) + "k: 5\n")
    assert house.get("/changes", lens="sales/operate").status == 403
    assert house.get(f"/changes/{number}", lens="sales/operate").status == 403
    assert house.post("/changes/draft", {"file": FILE, "text": "k: 5\n"}, lens="sales/operate").status == 403
    assert "k: 5" not in text(house)
    told = apply(house, number, lens=MARKETER)
    assert told.status == 409 and "k: 5" not in text(house)
    house.post(f"/changes/{number}/withdraw", {}, lens=MARKETER)


@pytest.mark.parametrize("file", ["tessera.yaml", "../x", "var/state.db", "decisions/../access.yaml"])
def test_other_files_are_not_shown_and_not_changed(house: Open, file: str) -> None:
    assert house.get(f"/changes/new?file={file}", lens=OFFICER).status == 400
    sent = {"file": file, "text": "x: 1\n", "do": "propose", "why": "x"}
    assert house.post("/changes/draft", sent, lens=OFFICER).status == 400


def test_a_file_that_git_moved_on_is_merged_and_a_clash_is_shown(house: Open) -> None:
    before = text(house)
    number = propose(house, before + "k: 5\n")
    (house.root / FILE).write_text("# from git\n" + before)
    told = house.get(f"/changes/{number}", lens=OFFICER)
    assert "The file moved on since" in told.text and f'action="/changes/{number}/apply"' not in told.text
    assert apply(house, number).status == 409 and text(house) == "# from git\n" + before
    assert house.post(f"/changes/{number}/rebase", {}, lens=OFFICER).status == 303
    assert apply(house, number).status == 303
    assert text(house) == "# from git\n" + before + "k: 5\n"
    clash = propose(house, text(house).replace("k: 5", "k: 6"))
    (house.root / FILE).write_text(text(house).replace("k: 5", "k: 7"))
    told = house.get(f"/changes/{clash}", lens=OFFICER)
    assert "same lines" in told.text and "k: 7" in told.text and "k: 6" in told.text
    (house.root / FILE).write_text(before)
    house.post(f"/changes/{clash}/withdraw", {}, lens=OFFICER)


def test_where_the_workspace_does_not_open_the_old_file_comes_back(house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    before, number = text(house), propose(house, text(house) + "k: 8\n")
    opens, tried = house.desk._open, []

    def fails() -> Any:
        tried.append(1)
        if len(tried) == 1:
            from tessera.errors import BadWorkspace

            raise BadWorkspace(["segments.yaml:1: for a reason that nobody foresaw."])
        return opens()

    monkeypatch.setattr(house.desk, "_open", fails)
    assert apply(house, number).status == 303
    assert text(house) == before and len(tried) == 2
    told = house.get(f"/changes/{number}", lens=OFFICER)
    assert "could not be opened" in told.text and "nobody foresaw" in told.text
    house.post(f"/changes/{number}/withdraw", {}, lens=OFFICER)


def test_a_second_person_where_access_asks_for_one(house: Open) -> None:
    before, rule = text(house, "access.yaml"), "changes: {people: 2, roles: [owner, officer]}"
    asks = before.replace(f"# {rule}", rule)
    asks = asks.replace("actors:\n", 'actors:\n  - {name: "user:second", roles: [officer]}\n')
    assert apply(house, propose(house, asks, "two people", "access.yaml")).status == 303
    number = propose(house, text(house) + "k: 9\n")
    assert "second person" in house.get(f"/changes/{number}", lens=OFFICER).text
    assert apply(house, number).status == 409
    house.post(f"/changes/{number}/withdraw", {}, lens=OFFICER)
    (house.root / "access.yaml").write_text(asks.replace(MASKED, CLEAR, 1))
    house.desk._lent(), house.desk._taken_back()
    assert 'href="/access"' in house.get("/changes", lens=OFFICER).text
    (house.root / "access.yaml").write_text(before)
    house.desk._lent(), house.desk._taken_back()


@pytest.mark.parametrize(("lang", "theme"), [("en", "light"), pytest.param("zh", "dark", marks=pytest.mark.heavy)])
def test_axe_finds_nothing_in_the_forms_and_the_difference(house: Open, chromium: Any, lang: str, theme: str) -> None:
    number = propose(house, text(house) + RULE, f"axe {lang} {theme}") if "rules:" not in text(house) else 1
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
    page, faults = house.sign_in(context, lens="owner/analytics", lang=lang, theme=theme), {}
    forms = [f"/changes/new?file={f}" for f in (FILE, "access.yaml", "decisions/home_banner.yaml")]
    for path in (*forms, f"/changes/{number}", f"/changes/{number}?shape=one"):
        page.goto(house.url + path, wait_until="load")
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        nodes = page.evaluate("document.querySelectorAll('*').length")
        if found := [*axe(page), *([f"{nodes} nodes"] if nodes > 1_500 else [])]:
            faults[path] = found
    context.close()
    assert faults == {}


@pytest.mark.parametrize("file", [FILE, "access.yaml", "purposes.yaml", "decisions/home_banner.yaml"])
def test_a_form_that_nobody_touched_changes_nothing(house: Open, file: str) -> None:
    said = data(text(house, file))
    form = change_files.form(file, said, settings(house.root))
    fields: dict[str, list[str]] = {}
    for control in change_form.controls(form):
        assert control.kind != "tree" or change_tree.group(control.value) is not None
        if control.kind == "many":
            fields[control.name] = ["", *control.value]
        elif control.kind == "words":
            fields[control.name] = [control.value if isinstance(control.value, str) else ", ".join(control.value)]
        elif control.kind != "tree":
            fields[control.name] = ["" if control.value is None else str(control.value)]
    assert fields and change_form.filled(form, said, fields) == said


def test_every_sentence_of_the_matrix_has_its_words() -> None:
    import ast
    import inspect

    from tessera.trust import matrix

    told = [n for n in ast.walk(ast.parse(inspect.getsource(matrix))) if isinstance(n, ast.keyword) and n.arg == "says"]
    assert told and len(SAYS) >= len({ast.dump(n.value) for n in told})
