"""What every request has to keep to and every answer carries, whoever asks."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from given_served import WIDE, Served, copied, served

from tessera.doors.drill.shop import Shop
from tessera.doors.http.shield import HEADERS
from tessera.doors.limits import Meter, Rate
from tessera.trust.answers import Caps


def raw(port: int, text: str) -> str:
    """What the server answers to bytes as they are."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as to:
        to.sendall(text.encode("latin-1"))
        return to.makefile("rb").read(100_000).decode("latin-1")


@pytest.mark.parametrize("path", ["/v1/health", "/v1/nothing", "/v1/sql", "/v1/ledger?x=1", "/v1//health"])
def test_every_answer_carries_our_headers_and_no_name(door: Served, path: str) -> None:
    told = door.ask("GET", path)
    assert {k: told.headers.get(k) for k in HEADERS} == HEADERS
    assert "unsafe" not in told.headers["content-security-policy"]
    assert told.headers["cache-control"] == "private, no-store"
    assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(told.headers)


@pytest.mark.parametrize(
    "path", ["/v1/../v1/health", "/v1//health", "/v1/%2e%2e/health", "/v1/health%00", "/v1/health%2f", "/v1\\health", "/.git"]
)
def test_a_path_that_is_none_of_ours_is_not_found(door: Served, path: str) -> None:
    assert raw(door.port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nConnection: close\r\n\r\n").startswith(
        ("HTTP/1.1 404", "HTTP/1.1 400")
    )


def test_another_host_is_refused_so_a_rebound_name_reads_nothing(door: Served) -> None:
    assert door.ask("GET", "/v1/health", headers={"Host": "evil.example"}).status == 421
    assert door.ask("GET", "/v1/health", headers={"Host": f"localhost:{door.port}"}).status == 200


def test_a_large_body_is_refused_also_when_it_comes_in_pieces(door: Served) -> None:
    large = b'{"question": "' + b"x" * 70_000 + b'"}'
    assert door.ask("POST", "/v1/sql", large, role="officer").status == 413
    key = door.shop.keys["officer"]
    head = (
        f"POST /v1/sql HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    assert raw(door.port, head + ("4000\r\n" + "x" * 0x4000 + "\r\n") * 5 + "0\r\n\r\n").startswith("HTTP/1.1 413")
    assert door.ask("POST", "/v1/sql", b"x", role="officer", headers={"Content-Encoding": "gzip"}).status == 415
    assert door.ask("POST", "/v1/sql", b"{}", role="officer", headers={"Content-Type": "text/plain"}).status == 422


def test_answers_are_capped_by_rows_and_by_time(drill_shop: Shop, tmp_path: Path) -> None:
    limits = replace(WIDE, answer=Caps(rows=3, bytes=1 << 20, seconds=0.5))
    with served(copied(drill_shop, tmp_path / "shop"), limits) as up:
        def asked(sql: str) -> tuple[int, str]:
            told = up.ask("POST", "/v1/sql", {"question": sql, "purpose": "operate"}, role="officer")
            return told.status, told.json["error"]["message"] if told.status != 200 else ""

        assert asked("SELECT person_id FROM profiles LIMIT 3") == (200, "")
        status, said = asked("SELECT person_id FROM profiles")
        assert status == 422 and "more than 3 rows" in said
        cross, added = ", ".join(f"profiles p{i}" for i in range(12)), " + ".join(f"p{i}.person_id" for i in range(12))
        status, said = asked(f"SELECT count(*) FROM {cross} WHERE ({added}) % 7 = 3")
        assert status == 422 and "0.5 s" in said
        assert asked("SELECT count(*) FROM profiles") == (200, "")


def test_who_asks_too_often_is_told_when_to_ask_again(drill_shop: Shop, tmp_path: Path) -> None:
    limits = replace(WIDE, caller=Rate(burst=3, every_s=60), wrong_key=Rate(burst=2, every_s=60))
    with served(copied(drill_shop, tmp_path / "shop"), limits) as up:
        told = [up.ask("GET", "/v1/ledger", role="officer") for _ in range(4)]
        assert [t.status for t in told] == [200, 200, 200, 429]
        assert 1 <= int(told[-1].headers["retry-after"]) <= 60
        assert up.ask("GET", "/v1/ledger", role="owner").status == 200, "another caller has a count of her own"
        wrong = [up.ask("GET", "/v1/ledger", headers={"Authorization": f"Bearer {i}"}).status for i in range(3)]
        assert wrong == [401, 401, 429]
    with served(replace(up.shop), replace(WIDE, address=Rate(burst=2, every_s=60))) as up:
        assert [up.ask("GET", "/v1/health").status for _ in range(3)] == [200, 200, 429]


def test_a_bucket_fills_again_at_its_rate() -> None:
    now = [0.0]
    meter = Meter(Rate(burst=2, every_s=10), lambda: now[0])
    assert [meter.take("a"), meter.take("a")] == [0.0, 0.0]
    assert meter.take("a") == pytest.approx(10) and meter.take("b") == 0.0
    now[0] = 9.0
    assert meter.take("a") == pytest.approx(1)
    now[0] = 10.5
    assert meter.take("a") == 0.0 and meter.take("a") == pytest.approx(9.5)
    now[0] = 1000.0
    assert [meter.take("a") > 0 for _ in range(3)] == [False, False, True], "nothing is saved up beyond the burst"
