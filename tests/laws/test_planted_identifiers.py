"""An identifier stands in clear in no file, whatever field, name or broken row it came in; sealed, it is there."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

from given_people import CONTRACTS, NOW, Person, Shop, put
from tessera.app import App
from tessera.errors import BadSource, TesseraError
from tessera.trust.vault_records import PACK

FIELDS = {s: json.loads(t)["schema"][0]["properties"] for s, t in CONTRACTS.items()}
OWN = {
    "user_id": "user_id",
    "phone": "phone",
    "device_id": "device_id",
    "anonymous_id": "anonymous_id",
    "email": "email",
}


@dataclass(frozen=True)
class Plant:
    """One identifier in one field of one row. written: as the row has it; sought: what may stand in no file."""

    source: str
    field: str
    written: str
    sought: str
    identifier: str | None = None
    """The kind that the field itself holds, if it does."""


def spellings(p: Person, own: set[str]) -> list[tuple[str, str]]:
    """(written, sought): identifiers as people write them; of the row's own kinds also those that only it can know."""
    phone = p.phone
    found = [
        (p.email, p.email),
        (f"ask {p.email.upper()}.", p.email.upper()),
        (f"see {quote(p.email)}", quote(p.email)),
        (phone, phone),
        (f"tel {phone[:3]} {phone[3:7]} {phone[7:]}", f"{phone[3:7]} {phone[7:]}"),
        (f"tel 0044 {phone[3:7]}-{phone[7:]}", f"{phone[3:7]}-{phone[7:]}"),
    ]
    if "phone" in own:
        found += [(f"0{phone[3:]}", phone[3:]), (f"(0){phone[3:7]}/{phone[7:]}", f"{phone[3:7]}/{phone[7:]}")]
    found += [(f"from {getattr(p, kind)} again", getattr(p, kind)) for kind in own - {"phone", "email"}]
    found += [(getattr(p, kind), getattr(p, kind)) for kind in own - {"phone", "email"}]
    return found


def planted(shop: Shop) -> list[Plant]:
    """Every field of every source with every spelling, each in a row of a person of its own, added to the shop."""
    plants = []
    number = 100_000
    for source, fields in FIELDS.items():
        template = shop.rows[source][-1]
        own = {kind for f in fields if (kind := custom(f).get("identifier"))}
        for field in [*fields, {"name": "unnamed"}]:
            for written, _ in spellings(Person(0), own):
                number += 1
                p = Person(number)
                written, sought = spellings(p, own)[[w for w, _ in spellings(Person(0), own)].index(written)]
                row = json.loads(json.dumps(template))
                for f in fields:
                    if (kind := custom(f).get("identifier")) and f["name"] != field["name"]:
                        place(row, f.get("physicalName", f["name"]), getattr(p, kind))
                    elif f.get("primaryKey") or f.get("unique"):
                        place(row, f.get("physicalName", f["name"]), f"n{number}")
                if source == "fx":
                    row["day"] = str(date(2000, 1, 1) + timedelta(days=number - 100_000))
                place(row, field.get("physicalName", field["name"]), written)
                shop.rows[source].append(row)
                plants.append(Plant(source, field["name"], written, sought, custom(field).get("identifier")))
    return plants


def custom(field: dict[str, Any]) -> dict[str, Any]:
    return {c["property"]: c["value"] for c in field.get("customProperties", ())}


def place(row: dict[str, Any], path: str, value: Any) -> None:
    """Sets a field of a raw row; a path leads into nested ones."""
    if path in row or "." not in path:
        row[path] = value
        return
    head, _, rest = path.partition(".")
    if not isinstance(row.get(head), dict):
        row[head] = {}
    place(row[head], rest, value)


LONELY = Person(300_000)
"""Whose identifiers stand in names and in places that are no field."""


def lonely(shop: Shop) -> None:
    """In a header, a key, file names, urls, and rows that are none."""
    p = LONELY
    shop.rows["crm"][0][p.email] = "header"
    shop.rows["web"][0]["properties"][p.email] = {"deep": {p.phone: [p.user_id, p.device_id]}}
    template = shop.rows["web"][-1]
    for n, url in enumerate(
        (
            f"https://x.example/?m={quote(p.email)}&c=1",
            f"https://x.example/a#{p.email}",
            f"https://x.example/u/{quote(p.email)}/edit",
            f"https://x.example/{p.phone}",
            f"https://{p.email}@x.example/",
            f"https://x.example/?u={p.user_id}",
            f"https://x.example/p/{p.user_id}#x",
        )
    ):
        row = json.loads(json.dumps(template))
        row |= {"messageId": f"url{n}", "userId": p.user_id, "type": "page"}
        place(row, "context.page.url", url)
        shop.rows["web"].append(row)
    shop.tails["orders"] += [f"{p.order(1)},{p.user_id},too few", f'"{p.email},"never closed']
    shop.tails["web"] += [
        f'{{"messageId": "{p.email}", "userId": "{p.user_id}"',
        f"{p.phone} {p.email}",
        f'["{p.device_id}"]',
    ]
    shop.tails["posts"] += [
        json.dumps({"id": "x9", "author": p.user_id, "text": p.name, "network": [p.email, {p.phone: 1}]})
    ]


def files_named(root: Path) -> None:
    """Files with her identifiers in their names: whole, broken, of another format."""
    p = LONELY
    for name in (p.email, p.phone, f"0044 {p.phone[3:7]} {p.phone[7:]}", p.user_id):
        put(
            root / "in/touches" / f"{name}.csv",
            "csv",
            [{"touch_id": f"f{name[-4:]}", "at": "2026-05-05", "phone": "", "who": name}],
        )
        (root / "in/telemetry" / f"{name}.parquet").write_bytes(b"PAR1 no parquet " + name.encode())
        (root / "in/web" / f"{name}.jsonl.gz").write_bytes(b"\x1f\x8b no gzip " + name.encode())
        (root / "in/payments" / f"{name}.csv").write_bytes(b"payment_id,\0" + name.encode() + b"\n1,2\n")
        (root / "in/orders" / f"{name}.csv").write_bytes(f"{name};order\n".encode("utf-16"))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    root = tmp_path_factory.mktemp("planted")
    shop = Shop(root, people=3)
    plants = planted(shop)
    lonely(shop)
    shop.write()
    files_named(root)
    told: dict[str, Any] = {"plants": plants, "errors": [], "log": []}
    handler = logging.Handler()
    handler.emit = lambda record: told["log"].append(handler.format(record))  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    app = App(root, clock=lambda: NOW)
    try:
        told["landed"], _ = app.turn()
        told["errors"] += [e for e in told["landed"].values() if isinstance(e, BadSource)]
        for question in questions():
            try:
                app.sql(question, purpose="operate")
            except TesseraError as error:
                told["errors"].append(error)
        app.turn()
    finally:
        logging.getLogger().removeHandler(handler)
    told["app"] = app
    yield told
    app.close()


def questions() -> list[str]:
    """Questions with an identifier in them that fail, each in its own way."""
    p = LONELY
    return [
        f"SELECT '{p.email}'::INTEGER",
        f"SELECT nosuch('{p.email}')",
        f'SELECT * FROM "{p.email}"',
        f'SELECT "{p.email}" FROM records',
        f"SELECT key_id FROM records WHERE name LIKE '%{p.user_id}%'",
        f"SELECT key_id FROM records WHERE city = '{p.phone}' + 1",
        f"SELECT * FROM read_csv('{p.email}')",
        f"SELECT * FROM records VERSION AS OF '{p.email}'",
        f"SELECT TIMESTAMP '{p.email}'",
        f"SELECT {p.user_id.replace('-', '')} FROM",
        f"SELECT date_trunc('{p.email}', occurred_at) FROM orders",
        f"SELECT count(*) FROM orders WHERE order_id = '{p.email}' AND amount_cents = cast('{p.email}' AS BIGINT)",
    ]


def everything(story: dict[str, Any]) -> list[Plant]:
    p = LONELY
    extra = [
        p.email,
        p.email.upper(),
        quote(p.email),
        p.phone,
        p.phone[3:],
        f"{p.phone[3:7]} {p.phone[7:]}",
        p.user_id,
        p.device_id,
        p.name,
    ]
    return [*story["plants"], *(Plant("", "", e, e) for e in extra)]


def places(var: Path) -> Iterator[tuple[str, str]]:
    """Every file under var, as text: its name, Parquet decoded, the rest as it is."""
    for path in sorted(var.rglob("*")):
        name = str(path.relative_to(var))
        yield name, name
        if path.suffix == ".parquet":
            table = pq.read_table(path, partitioning=None)
            yield f"{name} columns", " ".join(table.column_names)
            for column in table.column_names:
                yield f"{name} {column}", "\x1f".join(str(v) for v in set(map(str, table.column(column).to_pylist())))
        if path.is_file():
            yield f"{name} bytes", path.read_bytes().decode("latin-1")


def found(plants: list[Plant], where: Iterator[tuple[str, str]]) -> list[str]:
    return [
        f"{p.source}.{p.field} {p.written!r} in {place}" for place, text in where for p in plants if p.sought in text
    ]


def test_an_identifier_planted_in_any_field_stands_in_clear_in_no_file(story: dict[str, Any]) -> None:
    assert found(everything(story), places(story["app"].config.var)) == []


def test_the_search_sees_what_is_in_clear(story: dict[str, Any], tmp_path: Path) -> None:
    plant = story["plants"][0]
    put(tmp_path / "x.parquet", "parquet", [{"a": "b"}, {"a": f"so {plant.written}!"}])
    (tmp_path / "state.db").write_bytes(b"\0\1" + plant.written.encode())
    assert {f.rsplit(" in ", 1)[1] for f in found([plant], places(tmp_path))} == {
        "x.parquet a",
        "x.parquet bytes",
        "state.db bytes",
    } - (set() if plant.sought.encode() in (tmp_path / "x.parquet").read_bytes() else {"x.parquet bytes"})


def test_what_was_planted_is_still_there_sealed(story: dict[str, Any]) -> None:
    app = story["app"]
    rows = [r for (r,) in app.vault._file._db.execute("SELECT row FROM records").fetchall()]
    blobs = [b.decode() for b in app.vault.unseal([row * PACK + i for row in rows for i in range(PACK)]).values()]
    sealed = "\x1f".join(blobs)
    lost = []
    for p in story["plants"]:
        kept = p.written in sealed or json.dumps(p.written)[1:-1] in sealed
        if not kept and p.identifier:
            # What stands in an identifier's own place is a key now: its value need not be kept, and can be looked up.
            spelt = p.written.lower() if p.identifier == "email" else p.written
            kept = int(app.vault.resolve(p.identifier, [spelt], mint=False)[0]) > 0
        if not kept and p.identifier == "phone":
            digits = "".join(c for c in p.written if c.isdigit() or c == "+")
            kept = (
                int(
                    app.vault.resolve("phone", ["+" + digits[2:] if digits.startswith("00") else digits], mint=False)[0]
                )
                > 0
            )
        if not kept:
            lost.append(f"{p.source}.{p.field} {p.written!r}")
    assert lost == []


def test_no_message_of_an_error_has_an_identifier(story: dict[str, Any]) -> None:
    assert len(story["errors"]) >= 8

    def texts() -> Iterator[tuple[str, str]]:
        for error in story["errors"]:
            at: BaseException | None = error
            while at is not None:
                yield type(error).__name__, f"{at} {at!r} {at.args}"
                at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
            if isinstance(error, BadSource):
                yield "traceback", "".join(traceback.format_exception(error))

    assert found([p for p in everything(story) if p.source == ""], texts()) == []


def test_nothing_is_logged_or_printed(story: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    app = story["app"]
    app.turn(full=True)
    printed = capfd.readouterr()
    assert (
        found(everything(story), iter([("log", "\n".join(story["log"])), ("printed", printed.out + printed.err)])) == []
    )
