"""workspace.py: what the files say, and how a mistake in them is answered."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as made_up
from hypothesis import strategies as st

from given_workspace import ENV, TABLES, WORDS, given
from tessera.config import Config
from tessera.errors import BadWorkspace
from tessera.workspace import load


def read(root: Path) -> Config:
    return load(root, words=WORDS, tables=TABLES, env=ENV)


def faults(root: Path) -> tuple[str, ...]:
    with pytest.raises(BadWorkspace) as caught:
        read(root)
    return caught.value.faults


def planted(root: Path, file: str, old: str, new: str) -> int:
    """Put a mistake into a file; the line where the file now differs."""
    path = root / file
    before = path.read_text("utf-8")
    assert before.count(old) >= 1, f"{old!r} is not in {file}"
    after = before.replace(old, new, 1)
    path.write_text(after, "utf-8")
    pairs = zip(before.split("\n"), after.split("\n"), strict=False)
    return next((n for n, (a, b) in enumerate(pairs, 1) if a != b), before.count("\n") + 1)


def test_the_files_become_the_settings(tmp_path: Path) -> None:
    config = read(given(tmp_path / "acme"))
    assert (config.name, config.languages, config.currency) == ("acme", ("en", "zh"), "EUR")
    assert [(p.name, p.bit, p.needs_consent) for p in config.purposes.values()] == [
        ("operate", 0, False),
        ("analytics", 1, True),
        ("personalise", 2, True),
        ("marketing", 3, True),
        ("sharing", 4, True),
    ]
    assert [s.name for s in config.sources] == ["crm", "shop"]
    assert config.access.actors[0].name == "user:ann"
    assert config.segments.purpose == "analytics"


T, P, A, S = "tessera.yaml", "purposes.yaml", "access.yaml", "segments.yaml"
C, O = "sources/crm.odcs.yaml", "sources/shop.odcs.yaml"  # noqa: E741

MISTAKES = [
    # file, what stood there, what stands there now, what the answer says
    (T, "currency: EUR", "curency: EUR", "found 'curency', expected one of .* Did you mean 'currency'?"),
    (T, "currency: EUR", "currency: Euro", "found 'Euro', expected a currency of three capital letters"),
    (T, "currency: EUR", "currency: 978", "found 978, expected a currency .*; put it in quotes"),
    (T, "time_zone: UTC", "time_zone: Europe/Zürich", "expected a time zone.* Did you mean 'Europe/Zurich'?"),
    (T, "languages: [en, zh]", "languages: [en, en]", "found 'en' again, expected it once"),
    (T, "languages: [en, zh]", "languages: en", "found 'en', expected a list"),
    (T, "languages: [en, zh]", "languages: []", "found an empty list, expected at least one value"),
    (T, "#history_days: 30", "history_days: 0", "found 0, expected a whole number from 1 to 3650"),
    (T, "#sweep_days: 7", "sweep_days: seven", "found 'seven', expected a whole number from 1 to 30"),
    (T, "#memory: 4GB", "memory: lots", "found 'lots', expected an amount of memory, such as 4GB"),
    (T, "#threads: 2", "threads: 2.5", "found 2.5, expected a whole number"),
    (T, "#as_of: today", "as_of: 2026-02-30", "found 2026-02-30, expected a date such as 2026-03-01"),
    (T, "#caps: {email: 3,", "caps: {e_mail: 3,", "found 'e_mail', expected one of .* Did you mean 'email'?"),
    (T, "version: 1", "version: 9", r"found workspace version '9'; this Tessera .* reads 1. Update it: pip install"),
    (T, "version: 1", "version: 0", "found workspace version '0'; expected 1"),
    (T, "version: 1", "version: 1\nversion: 1", r"found 'version' again \(see line 2\), expected it once"),
    (T, "time_zone: UTC", "\ttime_zone: UTC", "found a tab, expected spaces"),
    (T, "time_zone: UTC", "time_zone: [UTC", "not valid YAML"),
    (
        T,
        "time_zone: UTC",
        "time_zone: !!python/name:os.system x",
        "found the tag '.*os.system', expected a plain value",
    ),
    (T, "time_zone: UTC", 'time_zone: "\\0"', "found an escaped control character"),
    (T, "time_zone: UTC", "time_zone: \x07", r"found the control character U\+0007"),
    (T, "time_zone: UTC", "time_zone: &a [*a]", "found an alias inside its own anchor"),
    (T, "time_zone: UTC", "<<: {time_zone: UTC}", "found '<<', expected the keys themselves"),
    (T, "time_zone: UTC", "? [a]\n: b", "found a list or mapping as a key"),
    (T, "time_zone: UTC", "time_zone: " + "[" * 40 + "]" * 40, "found more than 30 levels"),
    (P, "operate:", "operating:", "the purpose 'operate' is missing"),
    (P, "basis: contract", "basis: consent", "found 'consent', expected another basis"),
    (P, "basis: contract", "basis: contrakt", "found 'contrakt', expected one of .* Did you mean 'contract'?"),
    (P, "data_use: analytics.reporting", "data_use: analytics.report", "Did you mean 'analytics.reporting'?"),
    (P, "[user, system]", "[user, sistem]", "found 'sistem', expected a data category .* Did you mean 'system'?"),
    (P, "zh: 我们使用", "fr: 我们使用", "found 'fr', expected a language of tessera.yaml: one of en, zh"),
    (P, "keep_days: 730", "keep_days: -1", "found -1, expected a whole number from 1 to 36500"),
    (P, "  analytics:", "  Analytics!:", "found 'Analytics!', expected a name of small letters"),
    (
        A,
        "roles: [owner], purposes",
        "roles: [ownr], purposes",
        "found 'ownr', expected a role .* Did you mean 'owner'?",
    ),
    (A, "purposes: [analytics]", "purposes: [analitics]", "expected a purpose .* Did you mean 'analytics'?"),
    (A, "[user.contact], verdict", "[user.contacts], verdict", "Did you mean 'user.contact'?"),
    (A, "verdict: masked", "verdict: maskd", "expected one of clear, masked, .* Did you mean 'masked'?"),
    (A, '"user:ann"', "ann", "found 'ann', expected user:NAME of this machine"),
    (S, "purpose: analytics", "purpose: analytic", "expected one of .* Did you mean 'analytics'?"),
    (S, "#k: 6", "k: 1", "found 1, expected a whole number from 2 to 50"),
    (S, "purpose: analytics", "puropse: analytics", "found 'puropse', .* Did you mean 'purpose'?"),
    (C, "required: true", "requred: true", "found 'requred', expected one of name, .* Did you mean 'required'?"),
    (C, "required: true", "required: maybe", "found 'maybe', expected true or false"),
    (C, "kind: DataContract", "kind: datacontract", "Did you mean 'DataContract'?"),
    (C, "apiVersion: v3.1.0", "apiVersion: v2.2.2", "found 'v2.2.2', expected one of v3.1.0"),
    (C, "version: 1.0.0", "version: 1.0", "found 1.0, expected text; put it in quotes"),
    (C, "logicalType: date", "logicalType: datetime", "found 'datetime', expected one of string"),
    (C, "dd.MM.yyyy", "tt.MM.jjjj", "found 'tt.MM.jjjj', expected a date format such as yyyy-MM-dd"),
    (C, "{property: mapsTo, value: name}", "{property: mapsto, value: name}", "Did you mean 'mapsTo'?"),
    (C, "value: since", "value: sinc", "expected a column of 'person': .* Did you mean 'since'?"),
    (C, "value: user.name", "value: user.nam", "found 'user.nam', .* Did you mean 'user.name'?"),
    (C, "value: user_id", "value: userid", "Did you mean 'user_id'?"),
    (
        C,
        "- {property: mapsTo, value: email}",
        "- {property: joinsIf, value: newsleter}",
        "found 'newsleter', expected a property of this contract: .* Did you mean 'newsletter'?",
    ),
    (
        C,
        "- {property: mapsTo, value: email}",
        "- {property: joinsif, value: newsletter}",
        "found 'joinsif', expected one of .* Did you mean 'joinsIf'?",
    ),
    (C, "consent, value: marketing", "consent, value: marketting", "Did you mean 'marketing'?"),
    (C, "consent, value: marketing", "consent, value: operate", "'operate', which asks for none"),
    (C, "- name: joined", "- name: EMAIL", "found the property 'EMAIL' again"),
    (C, 'pattern: "[^@ ]+@[^@ ]+"', 'pattern: "[^@ +"', "expected a regular expression"),
    (C, 'pattern: "[^@ ]+@[^@ ]+"', 'pattern: "(?=a)b"', "without look-around"),
    (C, "maxLength: 254", "minLength: 2", "found 'minLength', expected one of format, pattern, maxLength"),
    (C, "record, value: person", "record, value: persona", "Did you mean 'person'?"),
    (C, "latency, value: 24, unit: h", "latency, value: 24, unit: hops", "expected a unit of time"),
    (C, "unit: percent", "unit: rows", r"found 5, expected unit: percent beside it"),
    (C, "mustBeLessOrEqualTo: 5", "mustBeGreaterThan: 5", "found mustBeGreaterThan, expected one limit"),
    (C, "metric: missingValues", "metric: missingValue", "Did you mean 'missingValues'?"),
    (C, "format: csv", "format: cvs", "found 'cvs', .* Did you mean 'csv'?"),
    (C, "path: files/crm-*.csv", "path: ${CRM_DROP}/*.csv", r"found \$\{CRM_DROP\}, which is not set"),
    (C, "path: files/crm-*.csv", "path: ${CRM_DROP/*.csv", "found an unfinished '\\${'"),
    (C, "  - name: customers", "  - name: a\n  - name: customers", "found 2 entries, expected one; write one contract"),
    (O, "name: shop", "name: crm", r"found 'crm', which sources/crm.odcs.yaml has already"),
    (O, "${SHOP_PASSWORD}", "hunter2", "found a secret in clear"),
    (O, "${SHOP_PASSWORD}", "${SHOP_PASSWORD:-hunter2}", "found a secret in clear"),
    (O, "postgresql://", "", "found no address, expected an address such as"),
    (O, "type: custom", "type: potgres", "Did you mean 'postgres'?"),
    (O, "SELECT * FROM orders", "DROP TABLE orders", "expected one SELECT"),
    (O, "cursor, value: changed", "cursor, value: change", "expected a property .* Did you mean 'changed'?"),
    (O, "currency, value: CHF", "currency, value: chf", "expected a currency of three capital letters"),
    (O, "amounts, value: units", "amounts, value: unit", "Did you mean 'units'?"),
    (O, "minimum: 0,", "minimum: 200000,", "found 200000, expected at most the maximum 100000"),
    (
        O,
        "value: user.content.private}",
        "value: user.name}, {property: sealed, value: false}",
        "sealed: false on user.name",
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "answer"), MISTAKES, ids=[f"{m[0]}-{m[2][:30]}" for m in MISTAKES])
def test_a_mistake_is_answered_with_its_file_and_line(
    tmp_path: Path, file: str, old: str, new: str, answer: str
) -> None:
    root = given(tmp_path / "acme")
    line = planted(root, file, old, new)
    answers = [fault for fault in faults(root) if fault.startswith(f"{file}:")]
    lines = {int(fault.split(":")[1]) for fault in answers}
    assert any(re.search(answer, fault) for fault in answers), "\n".join(answers)
    assert line in lines, (line, answers)


def test_the_line_is_the_line_of_the_word_itself(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    line = planted(root, C, "        required: true", "        requred: true")
    assert faults(root) == (
        f"{C}:{line}: found 'requred', expected one of name, logicalType, required, unique, primaryKey, "
        "logicalTypeOptions, classification, customProperties, quality, enum, physicalName, physicalType, ... "
        "Did you mean 'required'?",
    )


def test_every_mistake_is_named_not_only_the_first(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    for file, old, new, _ in (MISTAKES[0], MISTAKES[7], MISTAKES[31], MISTAKES[37], MISTAKES[42]):
        planted(root, file, old, new)
    found = faults(root)
    assert [f.split(":")[0] for f in found] == [T, T, P, A, C]


def test_two_properties_cannot_fill_one_column(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    planted(root, C, "value: since", "value: name")
    assert faults(root) == (f"{C}:66: 'joined' maps to 'name', which 'full_name' fills already.",)


def test_a_row_rule_names_tables_and_columns_that_exist(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    last = len((root / A).read_text("utf-8").splitlines())
    with (root / A).open("a") as file:
        file.write("rows:\n")
        file.write("  - {roles: [sales], tables: [record], column: region, values: [north]}\n")
        file.write("  - {roles: [sales], tables: [records, orders], column: regio, values: [north]}\n")
        file.write('  - {roles: "*", tables: [records], column: region, values: [south]}\n')
    found = faults(root)
    assert [re.search(r"yaml:\d+: found '\w+', expected \w+ \w+ \w+", f)[0] for f in found] == [  # type: ignore[index]
        f"yaml:{last + 2}: found 'record', expected one of records",
        f"yaml:{last + 3}: found 'regio', expected a column of",
        f"yaml:{last + 3}: found 'regio', expected a column of",
    ]
    assert len(load(root, words=WORDS, env=ENV).access.row_rules[2].roles) == 7


def test_a_row_rule_asks_for_no_attribute_that_nobody_has(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    text = (root / A).read_text("utf-8")
    rule = 'rows:\n  - {roles: [sales], tables: [records], column: region, values: ["$region"]}\n'
    (root / A).write_text(text + rule, "utf-8")
    (fault,) = faults(root)
    assert "found '$region', so the rule would show nobody anything, expected an attribute that some actor has" in fault
    (root / A).write_text(text.replace("    #attributes: {region: north}", "    attributes: {region: north}") + rule, "utf-8")
    assert read(root).access.row_rules


def test_several_missing_things_are_named(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    (root / P).unlink()
    (root / "sources" / "old.yaml").write_text("name: old\n")
    planted(root, C, "apiVersion: v3.1.0\n", "")
    planted(root, O, "      - {property: query, value: SELECT * FROM orders}\n", "")
    assert [f.split("; ")[0] for f in faults(root)] == [
        f"{P}: the file is missing in {root}",
        f"{C}:3: the key 'apiVersion' is missing or empty",
        "sources/old.yaml: found another ending, expected .odcs.yaml",
        f"{O}:8: the custom property 'query' or 'table' is missing",
    ]


def test_no_folder_says_how_to_make_one(tmp_path: Path) -> None:
    assert "tessera init" in faults(tmp_path / "nowhere")[0]


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"\xff\xfe\x00", "tessera.yaml:1: found the byte 0xff, expected UTF-8 text."),
        (b"version: 1\nname: caf\xe9\n", "tessera.yaml:2: found the byte 0xe9, expected UTF-8 text."),
        (b"", "tessera.yaml: the file is empty."),
        (b"- a\n", "tessera.yaml:1: found a list, expected a mapping"),
        (b"#" * 1_000_001, "tessera.yaml: found more than 1,000,000 bytes"),
        (b"[" * 100_000, "tessera.yaml"),
        (b'"\\UFFFFFFFF"', "tessera.yaml"),
        (b"a: &a [1,1,1,1,1,1,1,1,1]\n" + b"".join(
            b"%c: &%c [%s]\n" % (n, n, b",".join([b"*%c" % (n - 1)] * 9)) for n in range(98, 106)),
         "tessera.yaml:1: found more than 50,000 values"),
    ],
    ids=["utf-16", "latin-1", "empty", "list", "huge", "brackets", "no such letter", "bomb"],
)  # fmt: skip
def test_a_file_that_is_no_settings_file_is_refused(tmp_path: Path, data: bytes, answer: str) -> None:
    root = given(tmp_path / "acme")
    (root / T).write_bytes(data)
    assert any(fault.startswith(answer) for fault in faults(root))


def test_a_folder_in_place_of_a_file_is_a_fault(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    (root / S).unlink()
    (root / S).mkdir()
    assert faults(root) == (f"{S}: cannot be read: Is a directory.",)


def test_a_secret_is_never_repeated_in_the_answer(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    planted(root, O, "${SHOP_PASSWORD}", "hunter2")
    assert "hunter2" not in "".join(faults(root))


def test_references_are_looked_up_in_the_environment_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = given(tmp_path / "acme")
    with pytest.raises(BadWorkspace, match=r"shop.odcs.yaml:11: found \$\{SHOP_PASSWORD\}, which is not set"):
        load(root, words=WORDS)
    monkeypatch.setitem(os.environ, "SHOP_PASSWORD", "x")
    assert load(root, words=WORDS).sources[1].connection.endswith(":${SHOP_PASSWORD}@${SHOP_HOST:-db}/shop")


FILES = (T, P, A, S, C, O)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@made_up(
    file=st.sampled_from(FILES),
    changes=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.binary(max_size=3)
            | st.sampled_from(
                [
                    b"\t",
                    b"[",
                    b"{",
                    b"'",
                    b": ",
                    b"*a",
                    b"&a ",
                    b"- ",
                    b"\n",
                    b"${",
                    b"!!int ",
                    b"null",
                    b"9" * 400,
                    b".inf",
                ]
            ),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_whatever_stands_in_a_file_the_answer_is_settings_or_faults(
    tmp_path_factory: pytest.TempPathFactory, file: str, changes: list[tuple[float, bytes, int]]
) -> None:
    root = tmp_path_factory.getbasetemp() / "mutated"
    if not root.exists():
        given(root)
    path = root / file
    before = data = path.read_bytes()
    for where, put, cut in changes:
        at = int(where * len(data))
        data = data[:at] + put + data[at + cut :]
    try:
        path.write_bytes(data)
        try:
            read(root)
        except BadWorkspace as caught:
            assert caught.faults and all(fault.isprintable() for fault in caught.faults)
    finally:
        path.write_bytes(before)
