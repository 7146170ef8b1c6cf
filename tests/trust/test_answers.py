"""Governed SQL, end to end: what an answer shows, what is refused, and what the ledger says of it."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from pyroaring import BitMap

from given_people import NOW, Shop
from tessera.app import App
from tessera.errors import BadInput, Expired, NotAllowed, NotFound, Refused, TesseraError, TooMuch, Unreadable
from tessera.lake.table import Table
from tessera.trust.access import VEIL
from tessera.trust.answers import Caps
from tessera.trust.ledger import Entry

READERS = [
    (role, purpose)
    for role, purpose in itertools.product(
        ("owner", "analyst", "marketer", "sales", "officer", "nobody"), ("operate", "analytics", "marketing")
    )
    if (role, purpose) not in (("owner", "marketing"), ("officer", "analytics"))
]


def last(app: App) -> Entry:
    return next(app.ledger.entries(newest_first=True))


def raw(app: App, table: Table) -> dict[str, list[str]]:
    """What lies in the lake, by column, as text."""
    con = duckdb.connect()
    con.execute("SET TimeZone='UTC'")
    found = con.sql(f"SELECT * FROM {app.lake.relation(table.name)}").to_arrow_table()
    return {c: [str(v) for v in found.column(c).to_pylist() if v is not None] for c in found.column_names}


def masked_values(app: App, table: Table, column: str) -> set[str]:
    """The values of a column as its people know them: sealed ones opened."""
    declared = app.lake.table(table.name)
    if column not in declared.names:
        return set()
    values = raw(app, declared)[column]
    if declared.column(column).sealed:
        blobs = app.vault.unseal([int(v) for v in values])
        return {str(json.loads(b).get(column)) for b in blobs.values()}
    return set(values)


@pytest.mark.parametrize(("role", "purpose"), READERS)
def test_every_column_of_every_table_is_shown_as_the_matrix_says(still: App, role: str, purpose: str) -> None:
    reader = still.reader(role, purpose)
    for name, table in still.gate.presented().items():
        verdicts = {c.name: still.gate.verdict_of(table, c.name, reader) for c in table.columns}
        hidden = [c for c, v in verdicts.items() if v == "hidden"]
        for column in hidden:
            assert still.gate.hidden(reader, still.gate.presented(), name, column)
        for column in (hidden[len(role + name) % len(hidden)],) if hidden else ():
            for question in (f"SELECT {column} FROM {name}", f"SELECT count(*) FROM {name} WHERE {column} IS NULL"):
                with pytest.raises(Refused):
                    still.answers.ask(question, reader)
        if len(hidden) == len(verdicts):
            with pytest.raises(NotAllowed):
                still.answers.ask(f"SELECT * FROM {name}", reader)
            continue
        answer = still.answers.ask(f"SELECT * FROM {name}", reader).arrow()
        assert answer.column_names == [c for c, v in verdicts.items() if v != "hidden"]
        for column, verdict in verdicts.items():
            if verdict not in ("masked", "generalised"):
                continue
            shown = {str(v) for v in answer.column(column).to_pylist() if v is not None}
            if verdict == "masked":
                assert shown.isdisjoint(masked_values(still, table, column)), column
                assert all(len(v.replace(VEIL, "").replace("@", "")) <= 2 for v in shown), column
            elif table.column(column).sealed:
                assert shown.isdisjoint(masked_values(still, table, column)), column


def test_masked_values_can_be_grouped_and_compared_only_as_they_are_shown(still: App) -> None:
    ask = lambda q: still.sql(q, purpose="analytics", role="analyst").rows()  # noqa: E731
    assert ask("SELECT count(*) FROM records WHERE tier = 'gold'") == [(0,)]
    assert {t for (t,) in ask("SELECT DISTINCT tier FROM records WHERE tier IS NOT NULL")} <= {"g•••", "b•••", "T•••"}
    assert ask("SELECT max(tier) FROM records")[0][0].endswith(VEIL)
    assert ask("WITH a AS (SELECT tier AS t FROM records) SELECT count(*) FROM a WHERE t LIKE '%old'") == [(0,)]


ATTACKS = [
    "SELECT * FROM read_parquet('{lake}')",
    "SELECT * FROM '{lake}'",
    'SELECT * FROM "{lake}"',
    "SELECT * FROM parquet_scan(['{lake}'])",
    "SELECT * FROM glob('{folder}/**')",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_variables()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT getvariable('allow_key_analytics')",
    "SELECT getenv('HOME')",
    "SELECT current_setting('temp_directory')",
    "SELECT content FROM read_text('/etc/passwd')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('records')",
    "WITH RECURSIVE r AS (SELECT tier AS t FROM records UNION ALL SELECT t FROM r) SELECT * FROM r",
    "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 5) SELECT * FROM r",
    "PIVOT records ON tier USING count(*)",
    "SELECT * FROM (PIVOT records ON tier USING count(*))",
    "SELECT * FROM records UNPIVOT (v FOR n IN (tier, city))",
    "SELECT COLUMNS('.*') FROM records",
    "SELECT records FROM records",
    "SELECT r FROM records AS r",
    "SELECT to_json(r) FROM records r",
    "SELECT * FROM membership",
    "SELECT * FROM mask",
    "SELECT * FROM quarantine",
    "SELECT record_id FROM records",
    "SELECT email_key FROM records",
    "SELECT r.* FROM records r SEMI JOIN records s ON r.email_key = s.email_key",
    "SELECT key_id FROM records ORDER BY name",
    "SELECT key_id FROM records WHERE lower(name) = 'x'",
    "SELECT key_id FROM records WHERE name > 'A'",
    "SELECT name || '' FROM records",
    "SELECT DISTINCT name FROM records",
    "SELECT string_agg(name, ',') FROM records",
    "COPY (SELECT 1) TO '/tmp/x'",
    "ATTACH 'x.db'",
    "SET threads = 1",
    "INSTALL httpfs",
    "CREATE TABLE x AS SELECT 1",
    "SELECT 1; SELECT 2",
    "SELECT * FROM records AT (VERSION => 0 + 0)",
    "EXPLAIN SELECT * FROM records",
    "DESCRIBE records",
    "FROM sniff_csv('/etc/passwd')",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_and_noted(still: App, attack: str) -> None:
    (file, *_) = still.lake.files("records")
    question = attack.replace("{lake}", file).replace("{folder}", str(still.lake.root))
    before = len(still.ledger)
    with pytest.raises(TesseraError):
        still.sql(question, purpose="analytics", role="analyst")
    assert len(still.ledger) == before + 1
    entry = last(still)
    assert (entry.verdict, entry.act, entry.role, entry.purpose) == ("refused", "read", "analyst", "analytics")
    assert entry.reason and entry.keys is None


def test_a_role_that_is_not_hers_is_refused_and_noted(still: App) -> None:
    access = still.config.access
    (mine,) = (a for a in access.actors if len(a.roles) > 1)
    object.__setattr__(mine, "roles", tuple(r for r in mine.roles if r != "officer"))
    try:
        with pytest.raises(NotAllowed):
            still.sql("SELECT count(*) FROM rates", purpose="operate", role="officer")
    finally:
        object.__setattr__(mine, "roles", (*mine.roles, "officer"))
    assert (last(still).verdict, last(still).role) == ("refused", "officer")


def test_no_identifier_of_a_refused_question_enters_the_ledger(still: App) -> None:
    mail, phone = "mira.quandt3@post3.example", "+44 7911 204417"
    for question in (
        f'SELECT "{mail}"(1)',
        f"SELECT f'{mail}'",
        f'SELECT * FROM "{phone}"',
        f'SELECT "{mail}" FROM orders',
        f"SELECT '{mail}'::INTEGER",
    ):
        with pytest.raises(TesseraError):
            still.sql(question, purpose="operate")
    log = "".join(p.read_bytes().decode("latin-1") for p in (still.config.var / "ledger").rglob("*") if p.is_file())
    assert mail not in log and phone not in log


def test_a_question_that_fails_while_it_runs_is_noted_with_what_it_read(still: App) -> None:
    with pytest.raises(BadInput):
        still.sql("SELECT count(*) FROM records WHERE city::INTEGER = 1", purpose="operate", role="officer")
    entry = last(still)
    assert entry.verdict == "allowed" and entry.rows is None and "failed" in entry.note
    assert [t for t, _ in entry.tables] == ["records"] and "user.location" in entry.categories and entry.keys


def test_an_answers_entry_holds_tables_versions_categories_and_at_most_those_who_allow_it(still: App) -> None:
    answer = still.sql(
        "SELECT e.key_id, p.city FROM events e JOIN profiles p USING (person_id)", purpose="analytics", role="analyst"
    )
    entry = last(still)
    assert entry.seq == answer.entry and entry.verdict == "allowed" and entry.rows == answer.table.num_rows
    versions = {t: still.lake.version(t) for t in ("events", "profiles")}
    assert entry.tables == tuple(sorted(versions.items()))
    assert set(entry.categories) == {"user.unique_id.pseudonymous", "user.location"}
    assert entry.keys is not None and entry.keys.bound == "at most"
    held = still.ledger.sets.load(entry.keys.digest)
    allowed = still.permits.ids(still.config.purposes["analytics"], "key")
    assert BitMap(k for k, _ in answer.rows()) <= held <= allowed
    assert len(held) == entry.keys.size and not held.isdisjoint(allowed)


def test_a_question_about_nobody_holds_no_set(still: App) -> None:
    still.sql("SELECT rate FROM rates", purpose="operate")
    assert last(still).keys is None


def test_an_identifier_is_looked_up_only_by_whom_it_is_clear_to(still: App) -> None:
    her = Shop(still.config.root).people[3]
    mail, phone = her.email.upper(), f"0044 {her.phone[3:7]} {her.phone[7:]}"
    for question in (
        f"SELECT name FROM records WHERE email = '{mail}'",
        f"SELECT name FROM records WHERE phone IN ('{phone}', '1')",
    ):
        assert (her.name,) in still.sql(question, purpose="operate", role="officer").rows()
    with pytest.raises(NotAllowed):
        still.sql(f"SELECT key_id FROM records WHERE email = '{mail}'", purpose="analytics", role="analyst")
    with pytest.raises(Refused):
        still.sql(f"SELECT key_id FROM records WHERE email = '{mail}'", purpose="operate", role="sales")
    assert still.sql("SELECT name FROM records WHERE email = 'no@body.example'", purpose="operate", role="officer").rows() == []
    with pytest.raises(Unreadable):
        still.sql("SELECT key_id FROM records WHERE name = 'Mira'", purpose="operate", role="officer")


def test_a_row_rule_cuts_the_rows_of_her_region(still: App) -> None:
    found = still.sql("SELECT region, count(*) FROM records GROUP BY region", purpose="operate", role="sales").rows()
    assert found == [("north", 6)]
    assert still.sql("SELECT count(*) FROM records VERSION AS OF 0", purpose="operate", role="sales").rows() == [(6,)]


def test_an_older_version_and_a_moment_answer_with_what_was_there(copied: Shop) -> None:
    clock = [NOW]
    with App(copied.root, clock=lambda: clock[0]) as app:
        before = app.lake.version("orders")
        moment = NOW.isoformat()
        clock[0] = NOW.replace(hour=15)
        copied.rows["orders"].append(copied.rows["orders"][0] | {"order_id": "ORD-new", "amount": "5"})
        copied.write(["orders"])
        app.turn()
        count = lambda at: app.sql(f"SELECT count(*) FROM orders {at}", purpose="operate").rows()[0][0]  # noqa: E731
        assert (count(""), count(f"VERSION AS OF {before}"), count("VERSION AS OF 0")) == (25, 24, 24)
        assert (count(f"TIMESTAMP AS OF '{moment}'"), count("TIMESTAMP AS OF '2026-11-21'")) == (24, 25)
        assert last(app).tables == (("orders", app.lake.version("orders")),)
        for at, error in (
            ("VERSION AS OF 99", NotFound),
            ("TIMESTAMP AS OF '2020-01-01'", NotFound),
            ("TIMESTAMP AS OF 'noon'", BadInput),
        ):
            with pytest.raises(error):
                count(at)
        app.erase(app.people.find(copied.people[3].email), sweep=True)
        with pytest.raises(Expired):
            count("VERSION AS OF 0")


# The second wall alone: what the engine that answers refuses by itself, whatever text would reach it.


@pytest.fixture
def engine(still: App) -> duckdb.DuckDBPyConnection:
    return still.answers._ready([])


OUTSIDE = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('{var}/keys/master.key')",
    "SELECT * FROM read_blob('{var}/vault.db')",
    "SELECT * FROM read_text('{lake}/../keys/master.key')",
    "SELECT * FROM glob('/etc/*')",
    "COPY (SELECT 1) TO '{var}/x.csv'",
    "COPY (SELECT 1) TO '/tmp/tessera-x.csv'",
    "ATTACH '{var}/x.db'",
    "EXPORT DATABASE '{var}/x'",
    "INSTALL httpfs",
    "LOAD '{lake}/x.duckdb_extension'",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "SET lock_configuration = false",
    "SET temp_directory = '/tmp'",
    "SET threads = 1",
    "RESET memory_limit",
    "PRAGMA enable_logging",
]


@pytest.mark.parametrize("statement", OUTSIDE)
def test_the_locked_engine_opens_nothing_outside_the_lake_and_keeps_its_settings(
    still: App, engine: duckdb.DuckDBPyConnection, statement: str
) -> None:
    text = statement.replace("{var}", str(still.config.var)).replace("{lake}", str(still.lake.root))
    with pytest.raises(duckdb.Error):
        engine.execute(text).fetchall()
    assert not (still.config.var / "x.csv").exists() and not Path("/tmp/tessera-x.csv").exists()


def test_the_locked_engine_never_spills(engine: duckdb.DuckDBPyConnection) -> None:
    assert engine.execute("SELECT current_setting('temp_directory')").fetchall() in ([("",)], [(None,)])


def test_a_library_s_own_warnings_stand_in_no_answer(still: App, capfd: pytest.CaptureFixture[str]) -> None:
    still.sql("SELECT EXTRACT(year FROM occurred_at) AS y FROM orders", purpose="operate", role="owner")
    assert capfd.readouterr().err == ""


def test_a_pattern_that_the_engine_refuses_is_the_question_s_fault(still: App) -> None:
    with pytest.raises(BadInput, match="LIKE"):
        still.sql("SELECT count(*) FROM orders WHERE status LIKE 'p%' ESCAPE 'xx'", purpose="operate", role="owner")


def test_an_answer_that_may_be_given_again_is_an_entry_each_time_and_ends_with_permission(copied: Shop) -> None:
    """The engine is not asked twice for the same text; whoever is erased is in no answer from then on, nor in memory."""
    with App(copied.root, clock=lambda: NOW) as app:
        reader = app.reader("owner", "operate")
        question = "SELECT person_id, name FROM profiles ORDER BY person_id"
        before = len(app.ledger)
        first, second = (app.answers.ask(question, reader, again=True) for _ in range(2))
        assert first.table == second.table and second.entry == first.entry + 1 == before + 1
        assert len(app.answers._again) == 1
        gone = first.table.column("person_id").to_pylist()[0]
        app.erase([gone])
        third = app.answers.ask(question, reader, again=True)
        assert third.table.column("person_id").to_pylist() == first.table.column("person_id").to_pylist()[1:]
        kept = [n for table in app.answers._again.values() for n in table.to_pylist()]
        assert gone not in [row.get("person_id") for row in kept]


def test_another_role_is_never_answered_with_the_first_one_s_rows(copied: Shop) -> None:
    with App(copied.root, clock=lambda: NOW) as app:
        question = "SELECT person_id, email FROM profiles ORDER BY person_id"
        told = {
            role: app.answers.ask(question, app.reader(role, purpose), again=True).table.to_pydict()
            for role, purpose in (("owner", "operate"), ("analyst", "analytics"), ("owner", "operate"))
        }
        alone = app.answers.ask(question, app.reader("analyst", "analytics")).table.to_pydict()
        assert told["analyst"] == alone and told["owner"] != alone


def test_a_long_answer_may_be_cut_in_place_of_refused(still: App) -> None:
    reader = still.reader("owner", "operate")
    caps = Caps(rows=2, bytes=1 << 20, seconds=20.0)
    with pytest.raises(TooMuch):
        still.answers.ask("SELECT person_id FROM profiles ORDER BY 1", reader, caps)
    cut = still.answers.ask("SELECT person_id FROM profiles ORDER BY 1", reader, replace(caps, cut=True))
    whole = still.answers.ask("SELECT person_id FROM profiles ORDER BY 1", reader)
    assert cut.more and cut.rows() == whole.rows()[:2] and last(still).rows == len(whole.rows())
    assert not still.answers.ask("SELECT person_id FROM profiles LIMIT 2", reader, replace(caps, cut=True)).more
