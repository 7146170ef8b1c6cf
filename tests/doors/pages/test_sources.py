"""Sources, quarantine and status: what they tell, who may, and what their buttons do."""

from __future__ import annotations

import re
import time

import pytest
from given_pages import Open


@pytest.mark.parametrize("path", ["/sources", "/sources/crm", "/sources/new", "/quarantine", "/quarantine/1", "/status"])
def test_only_who_sees_to_the_machine_enters(house: Open, path: str) -> None:
    assert house.get(path, lens="owner/operate").status == 200
    assert house.get(path, lens="engineer/operate").status == 200
    for lens in ("sales/operate", "analyst/analytics", "marketer/marketing", "officer/operate"):
        assert house.get(path, lens=lens).status == 403


def test_each_source_stands_with_its_state_and_its_door(house: Open) -> None:
    page = house.get("/sources").text
    for name in house.run(lambda app: [c.name for c in app.config.sources]):
        assert f'href="/sources/{name}"' in page
    one = house.get("/sources/crm").text
    assert "user.contact.email" in one and "joinsIf" in one and "sources/crm.odcs.yaml" in one
    assert house.get("/sources/nobody").status == 404


def test_a_check_says_what_the_command_says_and_takes_nothing(house: Open) -> None:
    before = house.run(lambda app: app.synced()["crm"])
    told = house.post("/sources/crm/check", {})
    assert told.status == 200 and "It is reached" in told.text
    for sentence in house.run(lambda app: app.check("crm")):
        assert sentence.split(":")[0] in told.text
    assert house.run(lambda app: app.synced()["crm"]) == before


def test_a_new_source_is_written_by_whoever_applies_changes_alone(house: Open) -> None:
    (house.root / "files").mkdir(exist_ok=True)
    (house.root / "files" / "tiers.csv").write_text("customer_id,tier\nc1,gold\n", "utf-8")
    form = {"do": "look", "name": "tiers", "record": "person", "kind": "file", "path": "files/tiers.csv", "format": "csv"}
    looked = house.post("/sources/new", form, lens="engineer/operate")
    assert looked.status == 200 and "identifier:user_id" in looked.text and 'value="connect"' not in looked.text
    chosen = form | {
        "do": "connect", "sync": "snapshot", "key": "0", "c0": "customer_id", "cat0": "user.unique_id", "type0": "string",
        "use0": "identifier:user_id", "c1": "tier", "cat1": "user.account", "type1": "string", "use1": "maps:tier",
    }  # fmt: skip
    assert house.post("/sources/new", chosen, lens="engineer/operate").status == 403
    assert not (house.root / "sources" / "tiers.odcs.yaml").exists()
    done = house.post("/sources/new", chosen, lens="owner/operate")
    assert (done.status, done.headers["location"]) == (303, "/sources/tiers")
    assert (house.root / "sources" / "tiers.odcs.yaml").is_file()
    assert house.get("/sources/tiers").status == 200
    again = house.post("/sources/new", chosen, lens="owner/operate")
    assert again.status == 422 and "There is a source tiers already" in again.text


@pytest.mark.parametrize("field", ["cat0", "type0", "record", "kind", "format", "fresh_hours"])
def test_a_word_that_no_form_of_ours_sends_is_refused(house: Open, field: str) -> None:
    form = {"do": "show", "name": "more", "path": "files/tiers.csv", "c0": "a", "cat0": "user", field: "nonsense"}
    assert house.post("/sources/new", form).status == 400


def test_quarantine_counts_by_reason_and_opens_a_row_for_whom_all_of_it_is_clear(house: Open) -> None:
    page = house.get("/quarantine").text
    field = house.run(lambda app: app.quarantine.reasons())[0].field
    assert "A value that the contract requires is missing" in page and f'class="mono">{field}' in page
    waiting = house.run(lambda app: app.quarantine.listed("crm"))
    one = next(k for k in waiting if k.reason == "Required-Missing")
    before = house.run(lambda app: len(app.ledger))
    opened = house.get(f"/quarantine/{one.id}", lens="owner/operate").text
    assert f'<mark class="broken">{one.field}</mark>' in opened
    closed = house.get(f"/quarantine/{one.id}", lens="engineer/operate").text
    assert "Your role may not see this for this purpose." in closed and "example" not in closed.partition("<main")[2]
    told = house.run(lambda app: [(e.act, e.role, e.verdict) for e in app.ledger.entries(before)])
    assert told == [("read", "owner", "allowed"), ("read", "engineer", "refused")]
    assert house.get("/quarantine/999999999").status == 404


def test_a_replay_says_what_became_of_the_rows(house: Open) -> None:
    waiting = house.run(lambda app: app.quarantine.waiting()["crm"])
    told = house.post("/quarantine/replay", {"source": "crm"}).text
    assert "0 rows landed." in told and re.search(rf"{waiting} still breaks? the contract and stays?\.", told)
    assert house.post("/quarantine/replay", {"source": "nobody"}).status == 404


def test_status_has_a_check_for_each_of_the_doctor_s_and_names_no_value(house: Open) -> None:
    page = house.get("/status").text
    for named in ("Recovery of the key", "Ledger", "Tables", "Disk"):
        assert f"<b>{named}</b>" in page
    assert "next_products" in page and "up to date" in page


def test_a_server_without_turns_says_so(house: Open) -> None:
    assert "This server runs no turns by itself." in house.get("/status").text
    assert house.post("/turn", {"to": "/status"}).status == 400
    assert house.post("/turn", {"to": "/status"}, lens="sales/operate").status == 403


def test_the_pages_are_quick(house: Open) -> None:
    for path in ("/", "/sources", "/quarantine", "/status"):
        house.get(path)
        started = time.perf_counter()
        house.get(path)
        assert time.perf_counter() - started < 2, path
