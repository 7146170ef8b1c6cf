"""A server in the background: it is found, used again, ended, ends by itself; what the link of `tessera open` is good for."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest

from tessera.app import App
from tessera.doors import background, noted, opening
from tessera.doors.background import Started
from tessera.doors.cli import main
from tessera.doors.noted import Note, Noted
from tessera.errors import BadInput
from tessera.scaffold import init

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def told(words: list[str], root: Path) -> Any:
    """The document of a command, as its schema says."""
    command = [sys.executable, "-m", "tessera", "-w", str(root), "--json", *words]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    jsonschema.validate(found, json.loads((SCHEMAS / f"{words[0]}.json").read_text("utf-8")))
    return found


def get(url: str, host: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=20)
    connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
    answer = connection.getresponse()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Started]]:
    root = tmp_path_factory.mktemp("background") / "acme"
    init(root)
    started = background.start(root, ["--plain-http"], port=0)
    try:
        yield root, started
    finally:
        noted.stop(root / "var", 30)


def test_a_server_that_runs_is_left_as_it_is_and_is_found(running: tuple[Path, Started]) -> None:
    root, started = running
    again = told(["serve", "--background", "--plain-http"], root)
    assert (again["started"], again["pid"], again["url"]) == (False, started.note.pid, started.note.url)
    assert noted.find(root / "var") == started.note
    assert get(f"{started.note.url}/healthz")[0] == 200


def test_two_servers_never_have_one_workspace(running: tuple[Path, Started], capsys: pytest.CaptureFixture[str]) -> None:
    root, started = running
    assert main(["-w", str(root), "serve", "--plain-http", "--port", "0"]) == 2
    assert f"A server has this workspace already at {started.note.url}" in capsys.readouterr().err


def test_a_link_is_good_once_and_its_token_is_written_nowhere(running: tuple[Path, Started]) -> None:
    root, started = running
    found = told(["open", "/customers?sort=risk"], root)
    assert found["running"] is True and found["link"].startswith(f"{started.note.url}/enter?token=")
    token = parse_qs(urlsplit(found["link"]).query)["token"][0]
    status, headers, _ = get(found["link"])
    assert (status, headers["location"]) == (303, "/customers?sort=risk")
    assert headers["set-cookie"].startswith("__Host-tessera=") and "HttpOnly" in headers["set-cookie"]
    assert headers["referrer-policy"] == "same-origin" and headers["cache-control"] == "private, no-store"
    status, headers, page = get(found["link"])
    assert (status, "set-cookie" in headers) == (403, False)
    assert "This link was used, or is too old." in page and token not in page
    for file in (root / "var").rglob("*"):
        if file.is_file():
            assert token.encode() not in file.read_bytes(), file


def test_a_token_that_nobody_gave_leads_to_the_sign_in_page(running: tuple[Path, Started]) -> None:
    _, started = running
    for wrong in ("x", "A" * 43, "%00" * 20):
        status, headers, page = get(f"{started.note.url}/enter?token={wrong}&to=//elsewhere.example")
        assert (status, "set-cookie" in headers) == (403, False)
        assert "This link was used, or is too old." in page and "elsewhere" not in page


def test_a_token_is_good_for_ten_minutes(tmp_path: Path) -> None:
    root, now = tmp_path / "acme", [datetime.now(UTC)]
    init(root)
    with App(root, clock=lambda: now[0]) as app:
        one, two = opening.mint(app, app.me), opening.mint(app, app.me)
        now[0] += timedelta(minutes=9, seconds=59)
        opened = opening.use(app, one)
        assert opened is not None and opened.actor == app.me
        now[0] += timedelta(seconds=2)
        assert opening.use(app, two) is None and opening.use(app, two) is None
        assert one not in str(app.state.items(opening.SPACE)) and not app.state.items(opening.SPACE)


@pytest.mark.parametrize("words", [["https://elsewhere.example"], ["//elsewhere.example"], ["customers"], ["--url", "ftp://x"],
                                   ["--url", "https://x/y"]])  # fmt: skip
def test_a_link_leads_to_pages_of_ours_alone(words: list[str], running: tuple[Path, Started], capsys: Any) -> None:
    assert main(["-w", str(running[0]), "open", *words]) == 2
    assert "is no" in capsys.readouterr().err


def test_it_ends_with_stop_and_what_runs_nowhere_is_told(tmp_path: Path) -> None:
    root = tmp_path / "acme"
    init(root)
    assert told(["stop"], root) == {"stopped": False, "url": None, "pid": None}
    found = told(["serve", "--background", "--plain-http", "--port", "0"], root)
    assert found["started"] is True and os.stat(found["log"]).st_mode & 0o777 == 0o600
    assert told(["stop"], root) == {"stopped": True, "url": found["url"], "pid": found["pid"]}
    assert noted.find(root / "var") is None
    with pytest.raises(OSError):
        get(f"{found['url']}/healthz")
    assert told(["open"], root)["running"] is False
    assert '"event": "serve.stopped"' in Path(found["log"]).read_text("utf-8")


def test_it_ends_by_itself_once_nobody_asks(tmp_path: Path) -> None:
    root = tmp_path / "acme"
    init(root)
    started = background.start(root, ["--plain-http", "--idle-minutes", "0.03"], port=0)
    deadline = time.monotonic() + 20
    while noted.find(root / "var") is not None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert noted.find(root / "var") is None
    assert '"event": "serve.stopped"' in started.log.read_text("utf-8")


def test_what_keeps_it_from_starting_is_told(tmp_path: Path) -> None:
    root = tmp_path / "acme"
    init(root)
    with pytest.raises(BadInput, match=r"The server did not start\. .*can be reached by others"):
        background.start(root, ["--plain-http"], host="0.0.0.0", port=0)


def test_a_note_counts_while_its_process_holds_it_and_no_strangers_process_is_ended(tmp_path: Path) -> None:
    with Noted(tmp_path) as note:
        assert noted.find(tmp_path) is None
        note.listens("http://127.0.0.1:1", "2026-11-24T00:00:00+00:00")
        found = noted.find(tmp_path)
        assert found is not None and found.pid == os.getpid()
        with pytest.raises(BadInput, match="has this workspace already"), Noted(tmp_path):
            pass
        stranger = Note(pid=found.pid, began=found.began + 1, url=found.url, since=found.since)
        (tmp_path / noted.NAME).write_text(json.dumps(stranger.__dict__), "utf-8")
        with pytest.raises(BadInput, match="no process of this machine"):
            noted.stop(tmp_path, 1)
    assert noted.find(tmp_path) is None and noted.stop(tmp_path, 1) is None
