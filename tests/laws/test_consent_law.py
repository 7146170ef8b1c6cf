"""Law: in whatever pieces and order answers to a purpose come, a person's answer is what a clerk would have noted."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from given_tiny import Tiny, contract
from tessera.app import App
from tessera.lake.engine import rows

CRM = {
    "id": {"required": True, "primaryKey": True, "identifier": "user_id"},
    "city": {"mapsTo": "city", "category": "user.location"},
    "at": {"logicalType": "timestamp", "mapsTo": "occurred_at"},
    "analytics": {"consent": "analytics"},
}
"""States whose row is named by the key itself."""

DESK = {
    "ticket": {"required": True, "primaryKey": True, "category": "system.operations"},
    "id": {"identifier": "email"},
    "city": {"mapsTo": "city", "category": "user.location"},
    "at": {"logicalType": "timestamp", "mapsTo": "occurred_at"},
    "analytics": {"consent": "analytics"},
}
"""States whose row may change hands: the next version of a ticket may name another e-mail."""

WEB = {
    "message": {"required": True, "unique": True, "mapsTo": "message_id", "category": "user.unique_id.pseudonymous"},
    "type": {"mapsTo": "type", "category": "user.behavior"},
    "user": {"identifier": "user_id"},
    "mail": {"identifier": "email"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at", "category": "user.behavior"},
    "analytics": {"consent": "analytics"},
}
Told = tuple[str, str, int, str, int]
"""source, whose (u1: a user id, a@x.org: an e-mail), minute, answer, what else stands in the row."""

STATES = {"yes": "given", "no": "refused", "withdrawn": "withdrawn"}


def workspace(root: Path) -> Tiny:
    tiny = Tiny(root)
    for file in (root / "sources").glob("*.odcs.yaml"):
        file.unlink()
    for source, fields, record in (("crm", CRM, "person"), ("desk", DESK, "person"), ("web", WEB, "event")):
        (root / "in" / source).mkdir(exist_ok=True)
        path = f"in/{source}/*.jsonl"
        text = contract(source, fields, path=path, format="json", record=record, sync="append", rank="1")
        tiny.write(source, text)
    return tiny


def put(tiny: Tiny, told: list[tuple[int, Told]]) -> set[str]:
    """One file for each source that has something to say, each row numbered by its place in the story."""
    files: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number, (source, who, minute, answer, other) in told:
        row: dict[str, Any] = {"at": f"2026-02-01T10:{minute:02}:00Z", "analytics": answer or None}
        if source == "web":
            row |= {"message": f"m{number}", "type": "page", "mail" if "@" in who else "user": who}
        else:
            row |= {"id": who, "city": f"C{other}", "ticket": f"t{other % 2}"}
        files[source].append(row)
    for source, made in files.items():
        tiny.put(source, "".join(json.dumps(r) + "\n" for r in made).encode(), "jsonl")
    return set(files)


def agreed(app: App) -> dict[str, bool]:
    """Who agrees, of all of whom anything was said."""
    app.turn(sync=False)
    found = {}
    masks = dict(rows(app.con, f"SELECT key_id, mask FROM {app.lake.relation('mask')}"))
    for kind, values in (("user_id", ["u1", "u2"]), ("email", ["a@x.org", "b@x.org"])):
        for value, key in zip(values, app.vault.resolve(kind, values, mint=False).tolist(), strict=True):
            if key in masks:
                found[value] = bool(masks[key] & (1 << app.config.purposes["analytics"].bit))
    return found


def clerk(story: list[Told]) -> dict[str, bool]:
    """By key and source a card, read in the order of time; of one moment the strictest."""
    cards: dict[tuple[str, str], dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    known = {who for source, who, _, _, _ in story}
    for source, who, minute, answer, _ in story:
        if answer:
            cards[who, source][minute].append(STATES[answer])
    choices: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for (who, source), card in cards.items():
        before = ""
        for minute in sorted(card):
            word = max(card[minute])
            if source == "web" or word != before:
                choices[who].append((minute, word == "given"))
            before = word
    return {
        who: bool(choices[who]) and all(yes for minute, yes in choices[who] if minute == max(choices[who])[0])
        for who in known
    }


def told(story: list[Told], cuts: list[int], turns: bool) -> None:
    """As it came, cut into files; and all at once, in one chunk of each source."""
    numbered = list(enumerate(story))
    with tempfile.TemporaryDirectory() as folder:
        lived, fresh = workspace(Path(folder) / "lived"), workspace(Path(folder) / "fresh")
        with lived.open() as app:
            edges = [0, *sorted({c % (len(story) + 1) for c in cuts}), len(story)]
            for start, end in pairwise(edges):
                if named := put(lived, numbered[start:end]):
                    app.sync(sorted(named))
                if turns:
                    app.turn(sync=False)
            mine = agreed(app)
            app.turn(full=True, sync=False)
            assert agreed(app) == mine
        put(fresh, numbered)
        with fresh.open() as app:
            app.sync(sorted({s for s, *_ in story}))
            at_once = agreed(app)
    wanted = clerk(story)
    # Whom a replaced version named without an answer, a workspace that read all at once never heard of.
    assert mine == {who: yes for who, yes in wanted.items() if who in mine}
    assert at_once == {who: yes for who, yes in wanted.items() if who in at_once}
    assert {who for who, yes in wanted.items() if yes} <= set(mine) & set(at_once)


answer = st.sampled_from(["yes", "yes", "no", "withdrawn", ""])
minute, other = st.integers(1, 12), st.integers(0, 3)
one = st.one_of(
    st.tuples(st.just("crm"), st.sampled_from(["u1", "u1", "u2"]), minute, answer, other),
    st.tuples(st.just("desk"), st.sampled_from(["a@x.org", "b@x.org"]), minute, answer, other),
    st.tuples(st.just("web"), st.sampled_from(["u1", "u2", "a@x.org"]), minute, answer, other),
)
stories = st.lists(one, min_size=2, max_size=14)
cuts = st.lists(st.integers(0, 14), max_size=4)

CORRECTED: list[Told] = [("crm", "u1", 1, "yes", 1), ("web", "u1", 2, "withdrawn", 0), ("crm", "u1", 3, "yes", 2)]
AGAIN: list[Told] = [("crm", "u1", 3, "no", 1), ("web", "u1", 4, "withdrawn", 0), ("crm", "u1", 5, "yes", 2)]
LATE: list[Told] = [("crm", "u1", 5, "yes", 1), ("web", "u1", 4, "no", 0), ("crm", "u1", 3, "yes", 2)]
HANDED: list[Told] = [("desk", "a@x.org", 1, "yes", 0), ("web", "a@x.org", 2, "no", 0), ("desk", "b@x.org", 3, "yes", 2)]


@example(story=CORRECTED, cuts=[1, 2], turns=True)
@example(story=AGAIN, cuts=[1, 2], turns=False)
@example(story=LATE, cuts=[1, 2], turns=True)
@example(story=HANDED, cuts=[1], turns=False)
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=stories, cuts=cuts, turns=st.booleans())
def test_answers_in_any_pieces_end_as_a_clerk_would_note_them(story: list[Told], cuts: list[int], turns: bool) -> None:
    told(story, cuts, turns)


@pytest.mark.heavy
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(story=stories, cuts=cuts, turns=st.booleans())
def test_many_answers_in_any_pieces_end_so_too(story: list[Told], cuts: list[int], turns: bool) -> None:
    told(story, cuts, turns)
