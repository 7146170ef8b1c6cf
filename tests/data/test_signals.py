"""signals.py: what TCF strings and Global Privacy Control say, alone and as answers of a source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from given_tiny import Tiny, contract
from tessera.app import App
from tessera.data import signals
from tessera.errors import BadWorkspace
from tessera.lake.engine import rows

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
con = duckdb.connect()


def written(purposes: set[int], version: int = 2, noise: int = 0) -> str:
    """A core segment, bit by bit; noise: what the fields before and after the purposes hold."""
    before = f"{noise % 2**146:0146b}"
    bits = f"{version:06b}" + before + "".join("1" if p in purposes else "0" for p in range(1, 25))
    bits += f"{noise % 2**64:064b}"
    bits += "0" * (-len(bits) % 6)
    return "".join(LETTERS[int(bits[i : i + 6], 2)] for i in range(0, len(bits), 6))


def says(text: str | None, asked: list[int]) -> str | None:
    """The SQL's answer."""
    [(answer,)] = con.execute(f"SELECT {signals.tcf('t', asked)} FROM (SELECT ?::VARCHAR AS t)", [text]).fetchall()
    return None if answer is None else str(answer)


@pytest.mark.parametrize(
    ("text", "purposes"),
    [
        ("CQdjfYAQfJqcAAfACBENAwEAAAAAAAgAAAYgAAAAAAAA.IAAA", []),
        ("CQdjfYAQfJqcAAfACBENAwEAAIAAAAgAAAYgAAAAAAAA.IAAA", [1]),
        ("CQdjfYAQfJqcAAfACBENAwEAAAAAAQgAAAYgAAAAAAAA.IAAA", [24]),
        ("CQdjfYAQfJqcAAfACBENAwEAAHLAAAgAAAYgAAAAAAAA.IAAA", [2, 3, 4, 7, 9, 10]),
        ("CQdjfYAQfJqcAAfACBENAwEAAP_AAAgAAAYgAAAAAAAA.IAAA", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("CQdjfYAQfJqcAAfACBENAwEAAIAgAQgAAAYgAAAAAAAA.IAAA", [1, 11, 24]),
    ],
)
def test_strings_of_the_iabs_own_library_are_read_as_it_wrote_them(text: str, purposes: list[int]) -> None:
    assert [p for p in range(1, 25) if says(text, [p]) == "given"] == purposes


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(1, 24)), st.sets(st.integers(1, 24), min_size=1), st.integers(0, 2**146), st.integers(1, 3))
def test_a_string_says_at_the_door_what_it_says_to_landing(
    purposes: set[int], asked: set[int], noise: int, version: int
) -> None:
    text = written(purposes, version, noise)
    assert signals.tcf_answer(text, sorted(asked)) == says(text, sorted(asked))


@pytest.mark.parametrize("text", ["", "C", "x" * 40, "C" + "!" * 40, "C" * 31 + ".C", None, 7])
def test_what_is_no_string_answers_nothing_at_the_door_either(text: Any) -> None:
    assert signals.tcf_answer(text, [1]) is None
    assert not isinstance(text, str) or says(text, [1]) is None


@settings(max_examples=60, deadline=None)
@given(purposes=st.sets(st.integers(1, 24)), asked=st.sets(st.integers(1, 24), min_size=1), noise=st.integers(0, 2**146))
def test_an_answer_is_yes_only_if_every_purpose_asked_for_is_consented_to(
    purposes: set[int], asked: set[int], noise: int
) -> None:
    assert says(written(purposes, noise=noise), sorted(asked)) == ("given" if asked <= purposes else "refused")


@settings(max_examples=60, deadline=None)
@given(text=st.one_of(st.none(), st.text(max_size=60), st.text(LETTERS, max_size=31), st.text(".=+/" + LETTERS, max_size=60)))
def test_what_is_no_tcf_string_answers_nothing_and_breaks_nothing(text: str | None) -> None:
    core = (text or "").split(".")[0][:32]
    if not (len(core) == 32 and set(core) <= set(LETTERS) and core[0] == "C"):
        assert says(text, [1]) is None


def test_a_string_of_another_version_answers_nothing() -> None:
    assert [says(written({1}, version=v), [1]) for v in (1, 2, 3)] == [None, "given", None]


@pytest.mark.parametrize(
    ("value", "answer"),
    [("1", "refused"), ("true", "refused"), ("0", None), ("", None), ("yes", None), ("11", None), (None, None)],
)
def test_privacy_control_says_no_and_never_yes(value: str | None, answer: str | None) -> None:
    assert con.execute(f"SELECT {signals.gpc('v')} FROM (SELECT ?::VARCHAR AS v)", [value]).fetchall() == [(answer,)]


WEB = {
    "id": {"required": True, "unique": True, "mapsTo": "message_id", "category": "user.unique_id.pseudonymous"},
    "type": {"mapsTo": "type", "category": "user.behavior"},
    "user": {"identifier": "user_id"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at", "category": "user.behavior"},
    "analytics": {"consent": "analytics"},
    "sharing": {"consent": "sharing"},
    "tc": {"consent": "analytics", "signal": "tcf", "tcfPurposes": [8, 9]},
    "gpc": {"consent": "sharing", "signal": "gpc"},
    "words": {"consentPart": "wording"},
    "tongue": {"consentPart": "language"},
    "ends": {"logicalType": "timestamp", "consentPart": "until"},
}


def web(tiny: Tiny, *made: dict[str, Any]) -> None:
    """One file of events; the n-th is of minute n."""
    if not (tiny.root / "in" / "web").exists():
        (tiny.root / "in" / "web").mkdir()
        head = {"path": "in/web/*.jsonl", "format": "json", "record": "event", "sync": "append", "rank": "1"}
        tiny.write("web", contract("web", WEB, **head))
    lines = [json.dumps({"type": "page", "user": "u1", **row}) for row in made]
    tiny.put("web", "\n".join(lines).encode(), "jsonl")


def allowed(app: App, purpose: str) -> bool:
    """Whether u1 may be used for it."""
    [person] = app.people.find("u1")
    return person in app.permits.ids(app.config.purposes[purpose], "person")


def at(minute: int) -> str:
    return f"2026-02-01T10:{minute:02}:00Z"


def test_a_string_sent_with_every_event_counts_when_it_changes_and_is_kept_as_evidence(tmp_path: Path) -> None:
    tiny, yes, no = Tiny(tmp_path / "w"), written({8, 9}), written({8})
    web(
        tiny,
        {"id": "m1", "at": at(1), "tc": yes},
        {"id": "m2", "at": at(2), "analytics": "withdrawn"},
        {"id": "m3", "at": at(3), "tc": yes},
    )
    with tiny.open() as app:
        app.turn()
        assert not allowed(app, "analytics"), "the string of before says nothing new"
        [(record,)] = rows(app.con, f"SELECT record_id FROM {app.lake.relation('events')} WHERE message_id = 'm1'")
        assert json.loads(app.vault.unseal([record])[record])["tc"] == yes
        web(tiny, {"id": "m4", "at": at(4), "tc": no}, {"id": "m5", "at": at(5), "tc": yes})
        app.turn()
        assert allowed(app, "analytics")


def test_privacy_control_opts_out_of_sharing_and_a_later_choice_of_hers_stands_beside_it(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    web(tiny, {"id": "m1", "at": at(1), "sharing": "yes"}, {"id": "m2", "at": at(2), "gpc": "1"})
    with tiny.open() as app:
        app.turn()
        assert not allowed(app, "sharing")
        web(tiny, {"id": "m3", "at": at(3), "sharing": "yes"}, {"id": "m4", "at": at(4), "gpc": "1"})
        app.turn()
        assert allowed(app, "sharing"), "her browser says what it said when she chose"
        told = rows(app.con, f"SELECT source, state FROM {app.lake.relation('consents')} ORDER BY occurred_at")
        assert told == [("web", "given"), ("web/gpc", "refused"), ("web", "given"), ("web/gpc", "refused")]


def test_being_asked_is_no_answer(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    web(tiny, {"id": "m1", "at": at(1), "analytics": "yes"}, {"id": "m2", "at": at(2), "analytics": "requested"})
    with tiny.open() as app:
        app.turn()
        assert allowed(app, "analytics")
        told = rows(app.con, f"SELECT state FROM {app.lake.relation('consents')} ORDER BY occurred_at")
        assert told == [("given",), ("requested",)]


def test_an_answer_carries_its_wording_its_language_and_its_end(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    web(
        tiny,
        {"id": "m1", "at": at(1), "analytics": "yes", "words": "2026-02", "tongue": "zh", "ends": "2026-02-20T00:00:00Z"},
        {"id": "m2", "at": at(2), "sharing": "yes", "words": "a@x.org", "tongue": "call +41 79 123 45 67"},
    )
    with tiny.open() as app:
        app.turn()
        told = rows(
            app.con, f"SELECT purpose, wording, language, until::DATE::VARCHAR FROM {app.lake.relation('consents')} ORDER BY 1"
        )
        assert told == [("analytics", "2026-02", "zh", "2026-02-20"), ("sharing", None, None, None)]
        assert not allowed(app, "analytics"), "it has run out by now"
        [(record,)] = rows(app.con, f"SELECT record_id FROM {app.lake.relation('events')} WHERE message_id = 'm2'")
        moved = json.loads(app.vault.unseal([record])[record])["moved"]
        assert (moved["words"], moved["tongue"]) == ("a@x.org", "call +41 79 123 45 67")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"signal": "tcf", "consent": "analytics"}, "tcfPurposes"),
        ({"signal": "gpc"}, "consent"),
        ({"tcfPurposes": [1], "consent": "analytics"}, "signal: tcf"),
        ({"signal": "tcf", "tcfPurposes": [25], "consent": "analytics"}, "24"),
        ({"signal": "tfc", "tcfPurposes": [1], "consent": "analytics"}, "tcf"),
        ({"consentPart": "until"}, "date or timestamp"),
        ({"consentPart": "wording", "consent": "analytics"}, "consentPart"),
        ({"consentPart": "worded"}, "wording"),
    ],
)
def test_a_mistake_in_a_signal_or_part_is_named_by_its_line(tmp_path: Path, facts: dict[str, Any], said: str) -> None:
    tiny = Tiny(tmp_path / "w")
    head = {"path": "in/web/*.jsonl", "format": "json", "record": "event", "sync": "append", "rank": "1"}
    tiny.write("web", contract("web", {**WEB, "tc": facts}, **head))
    with pytest.raises(BadWorkspace) as bad:
        tiny.open()
    assert any("web.odcs.yaml:" in line and said in line for line in bad.value.faults), bad.value
