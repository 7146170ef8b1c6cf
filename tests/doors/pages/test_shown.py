"""The way from a filled demo to a customer's page: one link, from the terminal."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
from given_pages import Open

from tessera.app import App
from tessera.doors import noted, shown

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"


def test_the_last_line_is_a_link_that_opens_a_filled_page_and_again(filled: Path, tmp_path: Path, chromium: Any) -> None:
    root = tmp_path / "demo"
    shutil.copytree(filled, root, ignore=shutil.ignore_patterns("*.sock"))
    command = [sys.executable, "-m", "tessera", "demo", str(root), "--serve"]
    try:
        # Its output ends although the server goes on: whoever waits for a pipe to close (CI) is not held up.
        first = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        link = first.stdout.strip().splitlines()[-1]
        note = noted.find(root / "var")
        assert note is not None and link.startswith(f"{note.url}/enter?token=")
        assert f"tessera -w {root} stop" in first.stderr
        page = chromium.new_context().new_page()
        page.goto(link, wait_until="load")
        again = json.loads(subprocess.run([*command, "--json"], capture_output=True, check=True, timeout=120).stdout)
        jsonschema.validate(again, json.loads((SCHEMAS / "demo.json").read_text("utf-8")))
        assert (again["made"], again["serving"]["pid"], again["serving"]["url"]) == (False, note.pid, note.url)
        assert page.url == f"{note.url}{shown.page_of(again['serving']['person'])}"
        assert page.locator("h1").inner_text() and page.locator(".card").count() > 4
        page.context.close()
    finally:
        noted.stop(root / "var", 30)


def test_whom_to_look_at_is_asked_through_the_gate(house: Open) -> None:
    def asked(app: App) -> tuple[int | None, int]:
        before = len(app.ledger)
        return shown.worth(app), len(app.ledger) - before

    person, entries = house.run(asked)
    assert entries == 1 and isinstance(person, int)
    for table in ("customer_value", "next_products", "segments"):
        question = f"SELECT count(*) FROM {table} WHERE person_id = {person}"
        assert house.run(lambda app, q=question: app.sql(q, purpose="operate")).rows()[0][0] > 0, table
    assert shown.page_of(person) == f"/customers/{person}" and shown.page_of(None) == "/customers"
