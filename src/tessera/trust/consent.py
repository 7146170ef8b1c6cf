"""CONSENTS, MEMBERSHIP -> MASK: each person's answer to each purpose, as one bit.

Her latest explicit choice over all her keys decides; of two equally old the strictest; one that has run out is none.
Where the lawful basis is consent, no record means no.

A row of some sources is an act (a tracked event): each of its answers is a choice. A row of others is a state (a CRM's
record, sent again when an address changes): its answer is a choice only where it differs from what the same source said
of the same key before. A source that no contract names any more is read strictly: its yes as a state's, its no as an
act's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tessera.config import Purpose
from tessera.lake.engine import literal


def mask(purposes: Iterable[Purpose], as_of: str, acts: Mapping[str, bool], only: str | None = None) -> str:
    """SQL over the views `consents` and `membership`: key_id, person_id, mask. as_of: the moment, ISO, UTC; a yes
    of a later time does not count yet, a no does (a clock that is ahead must not keep her in). acts: by source,
    whether each of its rows is an act. only: a relation with person_id, to tell these persons' answers alone.

    Most people never contradict themselves: only where one has said both yes and no does the order of her answers count,
    and only those rows are sorted (measured on 3 M answers of 1 M people: docs/performance.md).
    """
    members = "membership" if only is None else f"(SELECT * FROM membership SEMI JOIN {only} USING (person_id))"
    return f"""
        {_given(purposes, as_of, acts, members)}, masks AS (
            SELECT person_id, sum(bit)::INTEGER AS mask FROM given GROUP BY person_id
        )
        SELECT m.key_id, m.person_id, coalesce(g.mask, 0) AS mask
        FROM {members} m LEFT JOIN masks g ON g.person_id = m.person_id"""


def standing(purposes: Iterable[Purpose], as_of: str, acts: Mapping[str, bool]) -> str:
    """SQL over the same views: each yes that holds, as bit (that of its purpose), key_id (the least of her keys) and until
    (seconds since 1970, UTC; 0: no end), by key and bit. By the rule of `mask`."""
    return f"""
        {_given(purposes, as_of, acts, 'membership')}, first AS (
            SELECT person_id, min(key_id) AS key_id FROM membership GROUP BY person_id
        )
        SELECT g.bit, f.key_id, coalesce(epoch(g.until), 0)::BIGINT AS until
        FROM given g JOIN first f ON f.person_id = g.person_id WHERE g.bit > 0 ORDER BY f.key_id, g.bit"""


def _given(purposes: Iterable[Purpose], as_of: str, acts: Mapping[str, bool], members: str) -> str:
    """The common table expressions that end in given: person_id, bit, until, of each yes that holds, of these members."""
    bits = " ".join(f"WHEN {literal(p.name)} THEN {1 << p.bit}" for p in purposes)
    until = f"TIMESTAMPTZ {literal(as_of)}"
    # max(state): of answers of one moment the strictest, since given < refused < withdrawn.
    return f"""
        , hers AS (
            SELECT m.person_id, c.key_id, CASE c.purpose {bits} ELSE 0 END AS bit, c.state, c.until, c.occurred_at, c.source
            FROM consents c JOIN {members} m ON m.key_id = c.key_id
            WHERE (c.occurred_at <= {until} OR c.state <> 'given') AND c.state <> 'requested'
        ), sides AS (
            SELECT person_id, bit, max(CASE WHEN state = 'given' THEN 1 ELSE 0 END) AS yes,
                   max(CASE WHEN state = 'given' AND until IS NULL THEN 0 ELSE 1 END) AS no
            FROM hers GROUP BY person_id, bit
        ), told AS (
            SELECT h.person_id, h.key_id, h.bit, h.source, h.occurred_at, max(h.state) AS state,
                   CASE WHEN max(h.state) = 'given' THEN min(h.until) END AS until
            FROM hers h JOIN sides s ON s.person_id = h.person_id AND s.bit = h.bit
            WHERE s.yes = 1 AND s.no = 1
            GROUP BY h.person_id, h.key_id, h.bit, h.source, h.occurred_at
        ), versions AS (
            SELECT person_id, bit, source, occurred_at, state, until,
                   lag(state) OVER (PARTITION BY key_id, bit, source ORDER BY occurred_at) AS state_before,
                   lag(until) OVER (PARTITION BY key_id, bit, source ORDER BY occurred_at) AS until_before
            FROM told
        ), choices AS (
            SELECT person_id, bit, state, until, row_number() OVER (
                PARTITION BY person_id, bit
                ORDER BY occurred_at DESC, CASE WHEN state = 'given' THEN 1 ELSE 0 END, until NULLS LAST
            ) AS place
            FROM versions
            WHERE {_of(acts, True)} OR state IS DISTINCT FROM state_before OR until IS DISTINCT FROM until_before
                OR (state <> 'given' AND NOT {_of(acts, False)})
        ), given AS (
            SELECT person_id, bit, NULL::TIMESTAMPTZ AS until FROM sides WHERE no = 0
            UNION ALL
            SELECT person_id, bit, until FROM choices
            WHERE place = 1 AND state = 'given' AND (until IS NULL OR until > {until})
        )"""


def turned(batch: int, since: str, as_of: str) -> str:
    """SQL over the views `consents` and `membership`: the persons whose answers may count otherwise than they did for all
    batches up to `batch` at the moment `since`: something new was said, or a yes has begun or run out."""
    was, now = (f"TIMESTAMPTZ {literal(moment)}" for moment in (since, as_of))
    return f"""SELECT DISTINCT person_id FROM membership WHERE key_id IN (
        SELECT key_id FROM consents WHERE batch > {batch} OR (until > {was} AND until <= {now})
        OR (occurred_at > {was} AND occurred_at <= {now}))"""


def choices(answers: Iterable[Mapping[str, Any]], acts: Mapping[str, bool]) -> dict[str, dict[str, Any]]:
    """By purpose, the answer that decides, of one person's rows of CONSENTS: the rule of `mask` for a few rows.

    answers: rows with key_id, purpose, source, state and occurred_at.
    """
    told: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for row in (a for a in answers if a["state"] != "requested"):
        told[row["key_id"], row["purpose"], row["source"]].append(row)
    newest: dict[str, dict[str, Any]] = {}
    for (_, purpose, source), rows in told.items():
        moments = {r["occurred_at"]: r for r in sorted(rows, key=_when)}
        before = None
        for row in moments.values():
            act = acts.get(source, row["state"] != "given")
            known = newest.get(purpose)
            if (act or row["state"] != before) and (known is None or _when(row) > _when(known)):
                newest[purpose] = dict(row)
            before = row["state"]
    return newest


def _when(row: Mapping[str, Any]) -> tuple[Any, str]:
    """By time; of one moment the strictest last."""
    return row["occurred_at"], row["state"]


def _of(acts: Mapping[str, bool], act: bool) -> str:
    """The condition that a row's source is one of acts, or of states."""
    named = ", ".join(literal(s) for s in sorted(acts) if acts[s] is act)
    return f"source IN ({named})" if named else "FALSE"
