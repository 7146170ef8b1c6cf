"""CONSENTS, MEMBERSHIP -> MASK: each person's answer to each purpose, as one bit.

Her latest explicit choice over all her keys decides; of two equally old the strictest; one that has run out is none.
Where the lawful basis is consent, no record means no.
"""

from __future__ import annotations

from collections.abc import Iterable

from tessera.config import Purpose
from tessera.lake.engine import literal


def mask(purposes: Iterable[Purpose], as_of: str) -> str:
    """SQL over the views `consents` and `membership`: key_id, person_id, mask. as_of: ISO time, UTC."""
    bits = " ".join(f"WHEN {literal(p.name)} THEN {1 << p.bit}" for p in purposes)
    return f"""
        , choices AS (
            SELECT m.person_id, c.purpose, c.state, c.until, row_number() OVER (
                PARTITION BY m.person_id, c.purpose
                ORDER BY c.occurred_at DESC, CASE WHEN c.state = 'given' THEN 1 ELSE 0 END, c.until NULLS LAST
            ) AS place
            FROM consents c JOIN membership m ON m.key_id = c.key_id
            WHERE c.occurred_at <= TIMESTAMPTZ {literal(as_of)}
        ), given AS (
            SELECT person_id, sum(CASE purpose {bits} ELSE 0 END)::INTEGER AS mask FROM choices
            WHERE place = 1 AND state = 'given' AND (until IS NULL OR until > TIMESTAMPTZ {literal(as_of)})
            GROUP BY person_id
        )
        SELECT m.key_id, m.person_id, coalesce(g.mask, 0) AS mask
        FROM membership m LEFT JOIN given g ON g.person_id = m.person_id"""
