"""Days on which something outside goes wrong: disks, clocks, sources, neighbours. Nothing is lost, and it is said."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from given_tiny import CRM, DAY, EVENTS, ORDERS, Tiny, contract, loose
from laws.picture import picture
from laws.shop import UNIVERSE, contents, customer, known, orphans, twin, waiting
from tessera.app import App
from tessera.errors import BadSource, BadWorkspace, Busy, LakeError
from tessera.lake.engine import rows
from tessera.lake.state import FORMAT

Day = tuple[Tiny, tuple[dict[str, Any], dict[str, Any]]]
"""A shop for which a day's files wait; its tables and its picture once that day ended undisturbed."""

PATHS = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")])


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return Tiny(tmp_path / "shop")


def said(app: App, select: str) -> list[tuple[Any, ...]]:
    """Rows of a SELECT over {table} names."""
    return rows(app.con, select.format(**{t: app.lake.relation(t) for t in app.lake.tables}))


def sealed(app: App, table: str) -> list[dict[str, Any]]:
    """What is sealed of each row of a table."""
    records = [r[0] for r in said(app, f"SELECT record_id FROM {{{table}}} WHERE record_id IS NOT NULL ORDER BY 1")]
    found = [json.loads(b) for _, b in sorted(app.vault.unseal(records).items())]
    return [f | {"extra": json.loads(f["extra"])} if f.get("extra") else f for f in found]


def same(app: App, calm: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Asserts that a workspace ended as the undisturbed one did, table by table."""
    made = contents(app)
    for table, expected in calm[0].items():
        assert made[table] == expected, table
    assert picture(app, UNIVERSE) == calm[1]
    assert not orphans(app)


# neighbours


@pytest.mark.heavy
def test_five_processes_at_once_end_well_or_are_told_who_is_busy(tmp_path: Path) -> None:
    shop = known(tmp_path / "shop")
    waiting(shop)
    opened = "import sys; from pathlib import Path; from tessera.app import App; app = App(Path(sys.argv[1]), wait_s={}); "
    works = [
        opened.format(60) + "app.sync(); app.close()",
        opened.format(60) + "app.turn(); app.close()",
        opened.format(60) + "app.erase(app.people.find('u1'), sweep=True); app.close()",
        opened.format(60) + "app.sql('SELECT count(*) FROM profiles', purpose='operate', role='owner'); app.close()",
        opened.format(0) + "app.turn(); app.close()",
    ]
    env = os.environ | {"PYTHONPATH": PATHS}
    command = [sys.executable, "-c"]
    started = [subprocess.Popen([*command, w, str(shop.root)], env=env, stderr=subprocess.PIPE, text=True) for w in works]
    for child in started:
        _, told = child.communicate(timeout=180)
        assert child.returncode == 0 or "tessera.errors.Busy" in told, told
    assert [child.returncode for child in started[:4]] == [0, 0, 0, 0]
    with shop.open() as app:
        app.turn()
        app.sweep()
        app.turn()
        made = picture(app, UNIVERSE)
        assert not any(("user_id", "u1") in p for p in made["people"])
        assert len(made["people"]) >= 3
        assert not orphans(app) and not loose(app) and app.ledger.verify().ok


def test_a_second_process_is_told_who_has_the_workspace(tiny: Tiny) -> None:
    with tiny.open(), pytest.raises(Busy, match=f"process {os.getpid()}"):
        App(tiny.root, wait_s=0, config=tiny.config)


# the disk


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own, if this user may make one."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("no right to mount a small disk here; the monkeypatched test below says the same")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    shop = known(tmp_path_factory.mktemp("day") / "shop")
    waiting(shop)
    calm = twin(shop, tmp_path_factory.mktemp("calm") / "shop")
    with calm.open() as app:
        app.turn()
        return shop, (contents(app), picture(app, UNIVERSE))


@pytest.mark.parametrize("left_kb", [40, 160])
def test_a_full_disk_loses_nothing_and_says_what_to_do(
    tmp_path: Path, day: Day, left_kb: int
) -> None:
    shop, calm = day
    with small_disk(tmp_path / "disk", "48M"):
        full = twin(shop, tmp_path / "disk" / "shop")
        ballast = tmp_path / "disk" / "ballast"
        with full.open() as app:
            free = os.statvfs(tmp_path / "disk")
            with ballast.open("wb") as out:
                out.write(b"x" * (free.f_bavail * free.f_frsize - left_kb * 1024))
            with pytest.raises(LakeError, match=r"(?i)disk is full.*(free some space|run it again)"):
                app.turn()
            ballast.unlink()
            app.turn()
            same(app, calm)
            assert not loose(app)


@pytest.mark.parametrize(("act", "number"), [("stage", 1), ("stage", 4), ("commit", 2), ("commit", 7)])
def test_a_disk_that_fills_at_any_write_loses_nothing(
    act: str,
    number: int,
    tmp_path: Path,
    day: Day,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop, calm = day
    full = twin(shop, tmp_path / "full")
    with full.open() as app:
        real, seen = getattr(app.lake, act), []

        def fills(*args: Any, **kwargs: Any) -> Any:
            seen.append(act)
            if len(seen) == number:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args, **kwargs)

        with monkeypatch.context() as patched:
            patched.setattr(app.lake, act, fills)
            with pytest.raises(LakeError, match=r"disk is full\. Free some space and run it again; nothing was lost"):
                app.turn()
        # The same process goes on: what it left is finished first, in order.
        app.turn()
        same(app, calm)


# sources


def test_a_source_that_vanishes_is_told_and_the_others_go_on(tiny: Tiny) -> None:
    tiny.events([{"id": "m1", "type": "page", "cookie": "k1", "at": "2026-02-01T00:00:00Z"}])
    tiny.crm([customer(1, "a", 1)])
    (tiny.root / "in" / "orders").rmdir()
    with tiny.open() as app:
        landed, _ = app.turn()
        assert isinstance(landed["orders"], BadSource) and "in/orders" in str(landed["orders"])
        assert landed["events"].kept == landed["crm"].kept == 1
        for path in (tiny.root / "in" / "crm").iterdir():
            path.unlink()
        assert isinstance(app.sync(["crm"])["crm"], BadSource)
        assert app.lake.rows("records") == 1, "a source that is gone has not sent an empty snapshot"


def test_what_landed_before_a_source_broke_off_is_counted_and_in_the_ledger(tiny: Tiny) -> None:
    keyless = EVENTS | {"id": {"required": True, "mapsTo": "message_id", "category": "user.unique_id.pseudonymous"}}
    tiny.write("events", contract("events", keyless, path="in/events/*.jsonl", format="json", record="event",
                                  sync="append", rank="5"))  # fmt: skip
    first = tiny.events([{"id": "m1", "type": "page", "cookie": "k1", "at": "2026-02-01T00:00:00Z"}])
    with tiny.open() as app:
        app.sync(["events"])
        first.write_text(first.read_text() * 2)
        tiny.events([{"id": "m2", "type": "page", "cookie": "k1", "at": "2026-02-01T00:00:00Z"}])
        assert isinstance(app.sync(["events"])["events"], BadSource)
        assert said(app, "SELECT count(*) FROM {events}") == [(2,)]
        told = app.synced()["events"]
        assert (told["rows"], told["kept"]) == (1, 1) and "changed after it was taken" in told["error"]
        landed = [(e.act, e.rows) for e in app.ledger.entries() if e.act == "landing"]
        assert landed == [("landing", 1), ("landing", 1)]


def test_a_source_that_adds_a_column_has_it_sealed_as_extra(tiny: Tiny) -> None:
    head = ",".join(CRM)
    tiny.put("crm", f"{head},shoe size\nu1,Ann,,,,2026-02-01T00:00:00Z,,39\n".encode(), "csv")
    tiny.events([{"id": "m1", "type": "page", "cookie": "k1", "at": "2026-02-01T00:00:00Z", "mood": {"today": "good"}}])
    with tiny.open() as app:
        app.sync()
        assert sealed(app, "records")[0]["extra"] == {"shoe size": "39"}
        assert sealed(app, "events")[0]["extra"] == {"mood": {"today": "good"}}


def test_a_source_that_changes_a_type_is_quarantined_with_the_reason(tiny: Tiny) -> None:
    tiny.orders([{"id": "o1", "user": "u1", "at": "2026-02-01T00:00:00Z", "cents": 100}])
    tiny.orders([{"id": "o2", "user": "u1", "at": "2026-02-02T00:00:00Z", "cents": "one euro"}])
    with tiny.open() as app:
        landed = app.sync()["orders"]
        assert (landed.kept, landed.quarantined, landed.reasons) == (1, 1, {"Datatype-Mismatch": 1})
        assert said(app, "SELECT reason, field, state FROM {quarantine}") == [("Datatype-Mismatch", "cents", "open")]


def test_broken_bytes_cost_their_own_row_and_no_other(tiny: Tiny) -> None:
    head = ",".join(CRM)
    row = "{},Ann,,,,2026-02-01T00:00:00Z,\n"
    lines = [head + "\n", row.format("u1"), 'u2,"An', "n,,,,2026-02-01T00:00:00Z,\n", row.format("u3")]
    tiny.put("crm", "".join(lines).encode() + b"u4,Caf\xe9,,,,2026-02-01T00:00:00Z,\n" + row.format("u5").encode(), "csv")
    event = '{"id": "%s", "type": "page", "cookie": "k1", "at": "2026-02-01T00:00:00Z"}\n'
    bombs = ["[" * 200_000 + "\n", '{"a":' * 50_000 + "1" + "}" * 50_000 + "\n", '{"id": "m9", \n', '"text"\n', "null\n"]
    tiny.put("events", (event % "m1" + "".join(bombs) + event % "m2").encode() + b'{"id": "\xff"}\n' , "jsonl")
    with tiny.open() as app:
        landed, _ = app.turn()
        assert landed["crm"].kept == 3 and landed["crm"].quarantined >= 2
        assert landed["events"].kept == 2 and landed["events"].quarantined == 6
        assert said(app, "SELECT message_id FROM {events} ORDER BY 1") == [("m1",), ("m2",)]


def test_a_snapshot_row_that_vanishes_is_marked_and_unmarked_when_it_returns(tiny: Tiny) -> None:
    both = [customer(1, "a", 1), customer(2, "b", 1)]
    tiny.crm(both)
    with tiny.open() as app:
        app.turn()
        tiny.crm(both[:1])
        assert app.sync()["crm"].vanished == 1
        marked = "SELECT count(*) FROM {records} WHERE vanished_at IS NOT NULL"
        assert said(app, marked) == [(1,)]
        app.turn()
        tiny.crm(both[:1])
        assert app.sync()["crm"].vanished == 0, "it vanished once"
        tiny.crm(both)
        landed = app.sync()["crm"]
        assert (landed.kept, landed.unchanged) == (1, 1)
        assert said(app, marked) == [(0,)]
        assert said(app, "SELECT count(*) FROM {records}") == [(2,)]
        app.turn()
        assert not orphans(app)


def test_an_order_that_vanishes_from_a_snapshot_is_marked_and_unmarked_when_it_returns(tiny: Tiny) -> None:
    tiny.write("orders", contract("orders", ORDERS, path="in/orders/*.csv", format="csv", record="order", sync="snapshot",
                                  rank="10"))  # fmt: skip
    both = [{"id": f"o{i}", "user": f"u{i}", "at": "2026-03-01T09:00:00Z", "status": "paid", "cents": 100} for i in (1, 2)]
    marked = "SELECT order_id FROM {orders} WHERE vanished_at IS NOT NULL"
    with tiny.open() as app:
        for rows_now, gone, vanished in ((both, [], 0), (both[1:], [("o1",)], 1), (both[1:], [("o1",)], 0), (both, [], 0)):
            tiny.orders(rows_now)
            assert app.sync(["orders"])["orders"].vanished == vanished
            assert said(app, marked) == gone
            assert said(app, "SELECT count(*), sum(amount_cents) FROM {orders}") == [(2, 200)]
        app.turn()
        assert not orphans(app)


def test_rows_of_a_snapshot_that_are_as_they_were_are_no_news(tiny: Tiny) -> None:
    people = [customer(i, c, 1, marketing="true") for i, c in ((1, "a"), (2, "b"))]
    tiny.crm(people)
    with tiny.open() as app:
        app.turn()
        before = {t: app.lake.version(t) for t in app.lake.tables}
        tiny.crm(reversed(people))
        landed, turned = app.turn()
        assert (landed["crm"].kept, landed["crm"].unchanged) == (0, 2)
        assert {t: app.lake.version(t) for t in ("records", "links", "consents", "profiles")} == {
            t: before[t] for t in ("records", "links", "consents", "profiles")
        }
        assert "profiles" in turned.fresh


def test_a_broken_row_waits_in_quarantine_once_however_often_it_comes(tiny: Tiny) -> None:
    bad = {"id": "u9", "email": "no mail", "updated": "2026-02-01T00:00:00Z"}
    tiny.crm([customer(1, "a", 1), bad])
    with tiny.open() as app:
        assert app.sync()["crm"].quarantined == 1
        tiny.crm([customer(1, "a", 1, city="Bern"), bad])
        landed = app.sync()["crm"]
        assert (landed.kept, landed.quarantined, landed.unchanged) == (1, 0, 1)
        tiny.crm([customer(1, "a", 1), bad | {"email": "no mail either"}])
        assert app.sync()["crm"].quarantined == 1
        assert app.lake.rows("quarantine") == 2
        assert not orphans(app)


def test_a_contract_that_changes_under_a_source_is_taken_as_it_is_now(tiny: Tiny) -> None:
    tiny.crm([customer(1, "a", 1, city="Bern")])
    with tiny.open() as app:
        app.turn()
    fewer = {k: v for k, v in CRM.items() if k != "city"}
    tiny.write("crm", contract("crm", fewer, path="in/crm/*.csv", format="csv", record="person", sync="snapshot", rank="20"))
    tiny.crm([customer(1, "a", 2, city="Basel")])
    with tiny.open() as app:
        app.turn()
        assert said(app, "SELECT city FROM {records}") == [(None,)]
        assert sealed(app, "records")[0]["extra"] == {"city": "Basel"}


# clocks and formats


def test_a_clock_that_goes_back_keeps_versions_and_ledger_in_order(tiny: Tiny) -> None:
    for days in (30, 0, 10):
        tiny.day = DAY + timedelta(days=days)
        tiny.crm([customer(1, "a", 1 + days // 10, city=f"Bern {days}")])
        with tiny.open() as app:
            app.turn()
    with tiny.open() as app:
        for table in ("records", "membership", "profiles"):
            at = [v.at for v in app.lake.versions(table)]
            assert at == sorted(at, reverse=True) and len(set(at)) == len(at), table
        times = [entry.at for entry in app.ledger.entries()]
        assert times == sorted(times) and app.ledger.verify().ok
        assert said(app, "SELECT city FROM {records}") == [("Bern 10",)]
        app.erase(app.people.find("u1"), sweep=True)
        app.turn()
        assert app.lake.rows("records") == 0


@pytest.mark.parametrize(("format", "said"), [(FORMAT + 1, "a newer Tessera"), (FORMAT - 1, "an older Tessera")])
def test_a_workspace_of_another_format_is_refused_in_plain_words(tiny: Tiny, format: int, said: str) -> None:
    with tiny.open() as app:
        app.state.put("workspace", "format", format)
    for _ in range(2):
        with pytest.raises(BadWorkspace, match=f"{said}.*format {format}.*{FORMAT}"):
            tiny.open()
