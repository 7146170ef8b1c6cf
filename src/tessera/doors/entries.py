"""An entry of the ledger as the documents of the command line have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessera.trust.entries import Entry


def facts(entry: Entry) -> dict[str, Any]:
    """Its fields by name; `people` says whom it touched: how many, and the digest of their set."""
    keys = entry.keys
    return {
        "seq": entry.seq,
        "at": entry.at,
        "actor": entry.actor,
        "role": entry.role,
        "act": entry.act,
        "purpose": entry.purpose,
        "verdict": entry.verdict,
        "reason": entry.reason,
        "tables": [{"table": t, "version": v} for t, v in entry.tables],
        "categories": list(entry.categories),
        "rows": entry.rows,
        "note": entry.note,
        "people": None
        if keys is None
        else {"unit": keys.unit, "size": keys.size, "bound": keys.bound, "digest": keys.digest},
    }
