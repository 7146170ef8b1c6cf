"""The ledger's page: filters, pages by number, files, proofs, what is new, and that nobody is named."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from given_pages import Open

from tessera.doors.pages import uses
from tessera.trust import proofs
from tessera.trust.entries import Use

LENS = "officer/operate"


def numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r'<td class="r"><a href="/uses/(\d+)">', text)]


def test_the_newest_is_first_and_older_ones_follow_by_number(house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uses, "SHOWN", 5)
    total = house.run(lambda app: len(app.ledger))
    text = house.get("/uses", lens=LENS).text
    assert numbers(text) == list(range(total - 1, total - 6, -1))
    older = f"/uses?before={total - 5}"
    assert f'href="{older}"' in text
    assert numbers(house.get(older, lens=LENS).text) == list(range(total - 6, total - 11, -1))


def test_filters_narrow_the_list_and_its_files_alike(house: Open) -> None:
    no = Use(actor="account:bo", role="sales", act="show", purpose="operate", verdict="refused", reason="=cmd()", note="http")
    house.run(lambda app: app.ledger.append(no))
    (seq,) = numbers(house.get("/uses?actor=account:bo&verdict=refused", lens=LENS).text)
    assert numbers(house.get("/uses?actor=account:bo&verdict=allowed", lens=LENS).text) == []
    assert seq in numbers(house.get("/uses?act=show", lens=LENS).text)
    rows = list(csv.DictReader(io.StringIO(house.get("/uses/export?actor=account:bo", lens=LENS).text)))
    assert [(r["seq"], r["verdict"], r["reason"]) for r in rows] == [(str(seq), "refused", "'=cmd()")]
    (told,) = json.loads(house.get("/uses/export?actor=account:bo&form=json", lens=LENS).text)
    assert (told["seq"], told["reason"], told["people"]) == (seq, "=cmd()", None)
    steps = house.get("/uses?act=step&table=orders", lens=LENS).text
    listed = house.run(lambda app: [e.seq for e in app.ledger.entries() if e.act == "step" and "orders" in dict(e.tables)])
    assert sorted(numbers(steps)) == listed


def test_days_are_those_of_the_house_and_a_day_that_is_none_is_not_asked_for(house: Open) -> None:
    today = house.run(lambda app: app.clock().date().isoformat())
    assert numbers(house.get(f"/uses?since={today}&until={today}", lens=LENS).text)
    assert "No entry here is as you ask." in house.get("/uses?since=2001-01-01&until=2001-01-02", lens=LENS).text
    assert house.get("/uses?since=yesterday", lens=LENS).status == 400
    assert house.get("/uses?since=2026-13-77", lens=LENS).status == 200


def test_a_page_that_looked_through_its_share_says_so_and_offers_to_look_further(
    house: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uses, "LOOKED", 3)
    total = house.run(lambda app: len(app.ledger))
    text = house.get("/uses?act=landing", lens=LENS).text
    assert "older ones may fit too" in text and f'href="/uses?act=landing&amp;before={total - 3}"' in text


def test_one_use_in_words_its_proof_checks_out_and_names_nobody(house: Open) -> None:
    seq = house.run(lambda app: next(e.seq for e in app.ledger.entries(newest_first=True) if e.act == "step"))
    text = house.get(f"/uses/{seq}", lens=LENS).text
    assert "It checks out" in text and "At most these" in text
    told = house.get(f"/uses/{seq}/proof", lens=LENS)
    shown = house.run(lambda app: proofs.check(proofs.read_proof(told.text), app.ledger.public_key))
    assert shown.entry.seq == seq and shown.id is None
    assert house.get("/uses/99999999", lens=LENS).status == 404


def test_the_whole_ledger_is_verified_at_a_button(house: Open) -> None:
    assert "The ledger holds" in house.post("/uses/verify", {}, lens=LENS).text
    assert "账本完好" in house.post("/uses/verify", {}, lens=LENS, lang="zh").text


def test_new_entries_wait_behind_a_line_until_they_are_asked_for(house: Open, page: Any) -> None:
    page.goto(house.url + "/uses")
    rows = page.locator("#list tbody tr").count()
    house.run(lambda app: app.note("backup", "for a test"))
    page.wait_for_selector("#fresh a", timeout=10_000)
    assert page.locator("#fresh").inner_text().strip() == "1 new" and page.locator("#list tbody tr").count() == rows


def test_who_may_not_read_the_ledger_reads_nothing_of_it(house: Open) -> None:
    for path in ("/uses", "/uses/0", "/uses/0/proof", "/uses/export", "/uses/new"):
        assert house.get(path, lens="marketer/marketing").status == 403
    assert house.post("/uses/verify", {}, lens="sales/operate").status == 403
