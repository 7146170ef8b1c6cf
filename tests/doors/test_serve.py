"""`tessera serve`: where it listens, TLS 1.3 alone, and how it lends the workspace to other commands."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from given_served import copied, served

from tessera.doors.certificate import self_signed
from tessera.doors.cli import main
from tessera.doors.drill.shop import Shop
from tessera.doors.http.server import Place
from tessera.doors.limits import loopback
from tessera.errors import BadInput

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def test_plain_http_is_for_this_machine_alone() -> None:
    for host in ("0.0.0.0", "192.0.2.1", "::", "cdp.example.org"):
        with pytest.raises(BadInput, match="plain HTTP"):
            Place(host=host).check()
    for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9"):
        Place(host=host).check()
        assert loopback(host)


def test_the_command_refuses_what_it_does_not_do(drill_shop: Shop, capsys: Any) -> None:
    assert main(["-w", str(drill_shop.root), "serve", "--host", "0.0.0.0"]) == 2
    assert "--tls-cert" in capsys.readouterr().err
    assert main(["-w", str(drill_shop.root), "serve", "--host", "0.0.0.0", "--plain-http"]) == 2
    assert "--host 127.0.0.1 --plain-http" in capsys.readouterr().err
    assert main(["-w", str(drill_shop.root), "serve", "--tls-cert", "c.pem"]) == 2
    assert "belong together" in capsys.readouterr().err
    assert main(["-w", str(drill_shop.root), "serve", "--tls-cert", "c.pem", "--tls-key", "k.pem"]) == 2
    assert "cannot be used" in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["-w", str(drill_shop.root), "serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "cannot be listened at" in capsys.readouterr().err


@pytest.fixture(scope="module")
def running(drill_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path, Path]]:
    """`tessera serve` as a process of its own, with TLS: its port, its certificate, its workspace."""
    folder = tmp_path_factory.mktemp("tls")
    shop = copied(drill_shop, folder / "shop")
    cert, key = self_signed(folder)
    words = ["-w", str(shop.root), "serve", "--port", "0", "--tls-cert", str(cert), "--tls-key", str(key), "--json"]
    process = subprocess.Popen([sys.executable, "-m", "tessera", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline().decode()
            assert line, process.stderr.read().decode() if process.stderr else ""
            text += line
        document = json.loads(text)
        jsonschema.validate(document, json.loads((SCHEMAS / "serve.json").read_text("utf-8")))
        yield int(document["url"].rpartition(":")[2]), cert, shop.root
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert process.returncode in (0, -signal.SIGTERM) and "Traceback" not in err.decode()


def hello(port: int, cert: Path, **versions: ssl.TLSVersion) -> str | None:
    context = ssl.create_default_context(cafile=str(cert))
    for name, version in versions.items():
        setattr(context, name, version)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain, context.wrap_socket(
        plain, server_hostname="localhost"
    ) as to:
        return to.version()


def test_tls_is_1_3_and_nothing_older(running: tuple[int, Path, Path]) -> None:
    port, cert, _ = running
    assert hello(port, cert) == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        hello(port, cert, maximum_version=ssl.TLSVersion.TLSv1_2)
    told = http.client.HTTPSConnection("localhost", port, context=ssl.create_default_context(cafile=str(cert)))
    told.request("GET", "/v1/health")
    assert told.getresponse().status == 200
    told.close()


def test_a_command_borrows_the_workspace_and_the_server_goes_on(running: tuple[int, Path, Path], capsys: Any) -> None:
    port, cert, root = running
    assert (root / "var" / "control.sock").stat().st_mode & 0o777 == 0o600
    assert main(["-w", str(root), "apikey", "new", "late", "--role", "owner", "--purpose", "operate", "-q"]) == 0
    key = capsys.readouterr().out.strip()
    access = root / "access.yaml"
    access.write_text(access.read_text("utf-8").replace('"key:owner"', '"key:late"'), "utf-8")
    assert main(["-w", str(root), "access", "changes", "--json"]) == 0
    context = ssl.create_default_context(cafile=str(cert))
    for _ in range(100):
        to = http.client.HTTPSConnection("localhost", port, context=context)
        to.request("GET", "/v1/ledger", headers={"Authorization": f"Bearer {key}"})
        answer = to.getresponse()
        answer.read()
        to.close()
        if answer.status != 503:
            break
        assert answer.headers["retry-after"] == "1"
        time.sleep(0.1)
    assert answer.status == 200, "after a command the server works with what the files say by then"


def test_a_borrower_that_dies_leaves_the_workspace_to_the_server(drill_shop: Shop, tmp_path: Path) -> None:
    with served(copied(drill_shop, tmp_path / "shop")) as up:
        code = "import sys, tessera, os; a = tessera.open(sys.argv[1]); print('mine', flush=True); sys.stdin.read()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(up.shop.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout and process.stdout.readline() == b"mine\n"
        told = up.ask("GET", "/v1/ledger", role="officer")
        assert (told.status, told.headers["retry-after"]) == (503, "1")
        assert up.ask("GET", "/v1/health").status == 200
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        for _ in range(100):
            if (status := up.ask("GET", "/v1/ledger", role="officer").status) == 200:
                break
            time.sleep(0.1)
        assert status == 200


def test_many_ask_at_once_and_each_is_answered(drill_shop: Shop, tmp_path: Path) -> None:
    with served(copied(drill_shop, tmp_path / "shop")) as up:
        told: list[int] = []

        def ask() -> None:
            body = {"question": "SELECT count(*) FROM profiles", "purpose": "operate"}
            told.extend(up.ask("POST", "/v1/sql", body, role="officer").status for _ in range(5))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert told == [200] * 40
        assert up.ask("POST", "/v1/ledger/verify", role="officer").json["ok"] is True
