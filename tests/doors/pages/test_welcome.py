"""First run: an empty workspace, its real server in the background, and both ways in that need no made-up shop, by browser."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from given_pages import browser

from tessera.app import App
from tessera.doors import background, noted, opening
from tessera.doors.background import Started
from tessera.doors.tracked import write_key
from tessera.scaffold import init

CUSTOMERS = "customer_no,full_name,email,joined,newsletter_marketing,points\n" + "".join(
    f"c{n},Ada Beck {n},ada{n}@example.org,2025-0{n % 9 + 1}-11,{'yes' if n % 2 else 'no'},{n * 7}\n" for n in range(1, 25)
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Started]]:
    """A fresh workspace, with one file beside its settings, and its server."""
    root = tmp_path_factory.mktemp("first") / "acme"
    init(root)
    (root / "files").mkdir()
    (root / "files" / "customers.csv").write_text(CUSTOMERS, "utf-8")
    started = background.start(root, ["--plain-http"], port=0)
    try:
        yield root, started
    finally:
        noted.stop(root / "var", 30)


def entered(chromium: Any, root: Path, url: str) -> Any:
    """A window, signed in by the link that `tessera open` prints."""
    command = [sys.executable, "-m", "tessera", "-w", str(root), "--json", "open"]
    link = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["link"]
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(link, wait_until="load")
    assert page.url == url + "/"
    return page


def test_from_an_empty_workspace_by_form_to_a_customer(empty: tuple[Path, Started], chromium: Any) -> None:
    root, started = empty
    page = entered(chromium, root, started.note.url)
    assert page.locator("h1").inner_text() == "Welcome. Nothing is here yet."
    page.click("#way-source .btn.go")

    page.fill("#name", "crm")
    page.fill("#path", "../customers.csv")
    page.click("#look")
    assert "Name files below" in page.locator("#wrong").inner_text()

    page.fill("#path", "files/customers.csv")
    page.fill("#department", "sales")
    page.click("#look")
    assert "Reached: files that match: 1" in page.locator("#told").inner_text()
    proposed = {
        page.locator(f"input[name=c{n}]").input_value(): page.locator(f"select[name=use{n}]").input_value() for n in range(6)
    }
    assert proposed == {
        "customer_no": "identifier:user_id", "full_name": "maps:name", "email": "identifier:email", "joined": "maps:since",
        "newsletter_marketing": "consent:marketing", "points": "keep",
    }  # fmt: skip
    assert "ada1@example.org" not in page.content() and "Ada Beck" not in page.content()
    assert "mapsTo, value: name" in page.locator("#yaml").inner_text()
    page.select_option("select[name=use5]", "")
    page.click("#show")
    page.click("#connect")

    page.wait_for_url("**/sources/crm")
    assert (root / "sources" / "crm.odcs.yaml").is_file()
    page.click("#land")
    page.wait_for_selector("#stands .note.verd", timeout=90_000)
    assert "24 people are known by now" in page.locator("#stands .note.verd").inner_text()
    page.goto(f"{started.note.url}/customers?q=ada7@example.org", wait_until="load")
    assert page.locator("h1").inner_text() == "Ada Beck 7"
    page.context.close()


def test_an_event_appears_once_it_was_sent(tmp_path: Path, chromium: Any) -> None:
    root = tmp_path / "acme"
    init(root)
    started = background.start(root, ["--plain-http"], port=0)
    try:
        page = entered(chromium, root, started.note.url)
        page.click("#open-door")
        page.wait_for_selector("#event-curl")
        assert page.locator("#way-event .live").inner_text() == "Waiting for the first event"
        with App(root, wait_s=20) as app:
            key = write_key(app.secrets, "website")
        assert key in page.locator("#event-curl").inner_text()
        page.wait_for_selector("#live:not(.lost)")
        where = urlsplit(started.note.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=20)
        connection.request("POST", "/v1/track", json.dumps({"event": "Product Viewed", "userId": "u1"}), {"X-Write-Key": key})
        assert connection.getresponse().status == 200
        page.wait_for_selector("#way-event .tag.verd", timeout=10_000)
        assert page.locator("#way-event .tag.verd").inner_text() == "1 event came"
        page.click("#turn-now")
        page.wait_for_selector("#stop-data, #turn .tag.verd", timeout=90_000)
        page.goto(started.note.url + "/", wait_until="load")
        assert page.locator("#stop-data dd").first.inner_text() == "1"
        page.context.close()
    finally:
        noted.stop(root / "var", 30)


def test_what_is_written_by_a_page_is_never_written_over(empty: tuple[Path, Started]) -> None:
    root, _ = empty
    assert not [f for f in (root / "sources").iterdir() if f.name.startswith(".")]
    assert not (root / "var" / opening.SPACE).exists()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """As the suite's; of its own, for it goes to other servers."""
    with browser() as one:
        yield one


def test_the_shop_is_made_beside_and_leaves_the_workspace_empty(tmp_path: Path) -> None:
    """As the button does it, with fewer people."""
    from tessera.doors.http.shop import Shop

    root = tmp_path / "acme"
    init(root)
    with Shop(root) as shop:
        assert shop.folder == tmp_path / "acme-demo"
        shop.folder.mkdir()
        (shop.folder / "mine.txt").write_text("", "utf-8")
        shop.make()
        while shop.making.state == "making":
            pass
        assert shop.making.state == "failed" and "is not empty" in shop.making.failure
    shutil.rmtree(shop.folder)
