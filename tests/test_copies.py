"""copies.py, copy_page.py: what a customer's copy holds, and that nobody can change it unseen or run it by accident."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

import tessera
from given_requests import answered, cells, files, rows, shop
from given_tiny import Tiny
from laws.shop import customer, twin
from tessera import copies
from tessera.copy_words import ACTS, IDENTIFIERS, STATES, TABLES, column
from tessera.lake.engine import rows as asked
from tessera.loop import tables
from tessera.trust import removal
from tessera.trust.entries import Use
from tessera.trust.rights_copy import MACHINE_S
from tessera.trust.trail import read_heads
from tessera.words import KINDS

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    tiny = shop(tmp_path_factory.mktemp("copies") / "shop")
    tiny.crm([customer(1, "a", 9, name="=HYPERLINK(1)", marketing="true"), customer(2, "b", 9)])
    tiny.events([{"id": "m8", "type": "page", "user": "u1", "cookie": "k1", "at": "yesterday"}])
    with tiny.open() as app:
        app.turn()
    return tiny


@pytest.fixture
def tiny(made: Tiny, tmp_path: Path) -> Tiny:
    return twin(made, tmp_path / "shop")


class Reader(HTMLParser):
    """What a page says and refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.said = ""
        self.within: dict[str, list[str]] = {"th": [], "dt": [], "td": [], "dd": []}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in self.within:
            self.within[tag].append("")
        self.links += [v for k, v in attrs if k in ("href", "src") and v]

    def handle_data(self, data: str) -> None:
        self.said += data
        if self.tags[-1:] and self.tags[-1] in self.within:
            self.within[self.tags[-1]][-1] += data


def test_a_copy_holds_every_row_of_hers_in_every_personal_table(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "copy.zip"
    with tiny.open() as app:
        who = app.rights.plan(app.people.find("u1")).who
        with removal.Named(app.con, who):
            held = {
                t.name: asked(app.con, f"SELECT count(*) FROM {app.lake.relation(t.name)} WHERE {removal.hers(t)}")[0][0]
                for t in app.lake.personal_tables
            }
        answered(app, "access", "u1", out)
    assert {t: n for t, n in held.items() if n} == {
        t: len(rows(out, t)) for t in held if f"data/{t}.json" in files(out)
    }  # fmt: skip
    full = {t for t, n in held.items() if n}
    assert {"records", "orders", "events", "consents", "quarantine", "profiles", "membership"} <= full


def test_sealed_values_are_opened_also_of_refused_rows_and_of_what_no_column_has(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "copy.zip"
    with tiny.open() as app:
        answered(app, "access", "u1", out)
    (record,) = rows(out, "records")
    assert (record["name"], record["email"]) == ("=HYPERLINK(1)", "a@x.org")
    assert json.loads(rows(out, "events")[0]["kept_sealed"])["ip"] == "10.0.0.1"
    assert "yesterday" in rows(out, "quarantine")[0]["kept_sealed"]
    assert rows(out, "profiles")[0]["name"] == "=HYPERLINK(1)"


def test_nothing_of_another_person_is_in_a_copy(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "copy.zip"
    with tiny.open() as app:
        answered(app, "access", "u1", out)
        theirs = {k for p in app.people.find("u2") for k in app.people.keys(p)}
    for path, data in files(out).items():
        for value in (b"b@x.org", b"Name2", b"Name3", b"c@x.org", b"+4411111111"):
            assert value not in data, path
    assert not theirs & {r[c] for r in rows(out, "links") for c in ("key_a", "key_b")}


def test_a_spreadsheet_runs_no_cell_of_a_copy(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "copy.zip"
    with tiny.open() as app:
        answered(app, "access", "u1", out)
    assert cells(out, "records")[0]["name"] == "'=HYPERLINK(1)"
    for start in copies.FORMULA:
        assert copies.safe(start + "x").startswith("'")
    assert [copies.safe(v) for v in (-5, None, True, "plain")] == ["-5", "", "true", "plain"]


def test_the_manifest_has_the_digest_of_each_file_and_a_head_of_the_ledger(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "copy.zip"
    with tiny.open() as app:
        request = answered(app, "access", "u1", out)
    found = files(out)
    manifest = json.loads(found["manifest.json"])
    assert set(manifest["files"]) == set(found) - {"manifest.json"}
    for path, digest in manifest["files"].items():
        assert hashlib.sha256(found[path]).hexdigest() == digest
    heads = list(read_heads((tiny.root / "var" / "ledger" / "heads.jsonl").read_bytes()))
    assert (manifest["ledger"]["size"], manifest["ledger"]["root"]) in {(h.size, h.root) for h in heads}
    assert request.outcome["manifest"] == hashlib.sha256(found["manifest.json"]).hexdigest()
    assert zipfile.ZipFile(out).testzip() is None and out.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", ["Your data, in plain sight", "You agreed", "We send you our catalogue.", "Print and Post Ltd", "until 2036"]),
        ("zh", ["您的数据，一目了然", "您已同意", "我们向您寄送产品目录。", "姓名", "税法要求我们保存发票。"]),
    ],
)
def test_the_page_reads_in_both_languages_without_script_or_anything_from_elsewhere(
    language: str, says: list[str], tiny: Tiny, tmp_path: Path
) -> None:
    out = tmp_path / "copy.zip"
    with tiny.open() as app:
        app.desk.run(app.desk.verify(app.desk.open("access", value="u1").id, "document").id, out, language=language)
    found = files(out)
    page = Reader(found["index.html"].decode())
    for sentence in says:
        assert sentence in page.said, sentence
    assert "script" not in page.tags and "img" not in page.tags
    assert set(page.links) <= set(found), "links lead to files of the copy alone"
    other = Reader(found[f"index.{'zh' if language == 'en' else 'en'}.html"].decode())
    assert "index.html" in other.links and other.said != page.said


def test_a_chinese_copy_has_no_english_word_of_ours(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "copy.zip"
    tiny.events([{"id": "m11", "type": "page", "user": "u1", "at": "2026-02-12T10:00:00Z", "analytics": "yes"}])
    with tiny.open() as app:
        app.turn()
        app.sql("SELECT name FROM records", purpose="operate", role="service")
        (person,) = app.people.find("u1")
        hers = app.ledger.keep([person], "person")
        app.ledger.append(Use(actor="customer", role="customer", act="sign-in", purpose="operate", keys=hers))
        app.desk.run(app.desk.verify(app.desk.open("access", value="u1").id, "document").id, out, language="zh")
        names = {*app.lake.tables, *app.config.purposes} - {c.name for c in app.config.sources}
    page = Reader(files(out)["index.html"].decode())
    heads, cells = page.within["th"] + page.within["dt"], page.within["td"] + page.within["dd"]
    assert len(heads) > 80 and [h for h in heads if not CHINESE.search(h)] == []
    assert not {*cells} & {*names, *ACTS["en"], *STATES["en"], "lapsed"}
    assert {"您已同意", "已流失客户", "登录", "您本人", "我们向您发送有关我们产品和优惠的信息。"} <= {*cells}


def test_every_column_that_reaches_a_copy_has_a_chinese_name_and_every_table_too() -> None:
    for table in tables():
        assert CHINESE.search(TABLES["zh"][table.name]) and table.name in TABLES["en"]
        if table.reason != "nobody":
            shown = {*table.names, "kept_sealed"} - {*MACHINE_S}
            assert [c for c in shown if not CHINESE.search(column(c, "zh", table.name))] == [], table.name


def test_every_act_that_the_ledger_notes_has_words_in_both_languages() -> None:
    source = "".join(path.read_text("utf-8") for path in Path(tessera.__file__).parent.rglob("*.py"))
    acts = {*re.findall(r'\bact="([a-z_-]+)"', source)}
    assert acts and acts <= set(ACTS["en"]) == set(ACTS["zh"])
    assert set(STATES["en"]) == set(STATES["zh"]) and {"given", "refused", "withdrawn", "requested"} <= set(STATES["en"])
    assert len(IDENTIFIERS["en"]) == len(IDENTIFIERS["zh"]) == len(KINDS)


def test_what_was_concluded_is_told_apart_and_not_in_what_she_takes_with_her(tiny: Tiny, tmp_path: Path) -> None:
    tiny.events([{"id": "m11", "type": "page", "user": "u1", "at": "2026-02-12T10:00:00Z", "analytics": "yes"}])
    with tiny.open() as app:
        app.turn()
        answered(app, "access", "u1", tmp_path / "copy.zip")
        answered(app, "portability", "u1", tmp_path / "take.zip")
    about = json.loads(files(tmp_path / "copy.zip")["about.json"])
    origins = {t["name"]: t["origin"] for t in about["tables"]}
    assert (origins["features"], origins["segments"], origins["records"], origins["profiles"]) == (
        "inferred", "inferred", "given", "derived",
    )  # fmt: skip
    taken = files(tmp_path / "take.zip")
    tables = {p.split("/")[1].split(".")[0] for p in taken if p.startswith("data/")}
    assert tables == {"records", "orders", "events", "consents"}
    assert "index.html" not in taken
    columns = {t["name"]: [c["name"] for c in t["columns"]] for t in json.loads(taken["about.json"])["tables"]}
    assert columns["orders"] == list(rows(tmp_path / "take.zip", "orders")[0])


def test_each_use_that_held_her_is_in_the_copy(tiny: Tiny, tmp_path: Path) -> None:
    out = tmp_path / "copy.zip"
    with tiny.open() as app:
        app.sql("SELECT name FROM records", purpose="operate", role="service")
        request = answered(app, "access", "u1", out)
        wanted = [e.seq for e in app.people.uses(request.person or 0)]
    told = [int(line.split(",")[0]) for line in files(out)["uses.csv"].decode("utf-8-sig").splitlines()[1:]]
    done = request.history[-1].entry
    assert told == [seq for seq in wanted if seq < (done or 0)] and len(told) > 3


def test_a_long_table_is_shown_in_part_and_whole_in_its_file(tiny: Tiny, tmp_path: Path) -> None:
    many = [{"id": f"x{i}", "type": "page", "user": "u1", "at": "2026-02-13T10:00:00Z"} for i in range(5_000)]
    tiny.events(many)
    with tiny.open() as app:
        app.turn()
        answered(app, "access", "u1", tmp_path / "copy.zip")
    assert len(cells(tmp_path / "copy.zip", "events")) == 5_001
    page = Reader(files(tmp_path / "copy.zip")["index.html"].decode()).said
    assert "4,951 more rows in data/events.csv" in page
