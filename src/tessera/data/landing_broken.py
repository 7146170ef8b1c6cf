"""A batch's broken rows -> QUARANTINE: sealed as they came, with the reason and the keys that an erasure will ask for."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from tessera.data.landed import Vault
from tessera.data.landing_judged import Judged
from tessera.data.raw import QUARANTINE
from tessera.lake.engine import literal, rows, value
from tessera.trust import traces

REFUSED = "refused"
"""The relation of the landing connection in which `quarantined` leaves its rows."""


def quarantined(judged: Judged, batch: int, now: datetime) -> str | None:
    """The SELECT of what the batch adds to QUARANTINE; None if nothing broke that is not waiting there already.

    Broken rows of erased people are left out. The caller unregisters REFUSED after it ran the SELECT.
    """
    con, landed = judged.con, judged.landed
    broken = _collected(judged)
    named = judged.state.items(traces.NAMED)
    landed.suppressed += broken.recognise(judged.vault, named, judged.landing.salt)
    texts, cells = _unknown(judged, broken.texts, broken.cells())
    if not texts:
        return None
    landed.quarantined = len(texts)
    for reason in cells["reason"]:
        landed.reasons[reason] = landed.reasons.get(reason, 0) + 1
    first = judged.state.next("quarantine", len(texts))
    records = judged.vault.seal(texts, batch)
    refused = pa.table(
        {
            "quarantine_id": pa.array(range(first, first + len(texts)), pa.int64()),
            "record_id": pa.array(records, pa.int64()),
            **{c: pa.array(cells[c], pa.string()) for c in ("reason", "field", "shape", "row_hash")},
            **{f"k{i}": pa.array(cells[f"k{i}"], pa.int32()) for i in range(5)},
        }
    )
    con.register(REFUSED, refused)
    return f"""SELECT quarantine_id, {literal(judged.contract.name)} AS source, reason, field,
               {literal(now.isoformat())}::TIMESTAMPTZ AS at, 'open' AS state, shape, record_id, k0 AS key_id,
               k1 AS key_2, k2 AS key_3, k3 AS key_4, k4 AS key_5, row_hash, {batch} AS batch FROM {REFUSED}"""


def _collected(judged: Judged) -> _Broken:
    """What broke the contract, and what the source could not read."""
    con, kinds = judged.con, judged.intake.kinds
    broken = _Broken()
    if judged.chunk.rows and value(con, "SELECT count(*) FROM broken"):
        keys = "".join(f", k.{kind}" for kind in kinds)
        found = rows(
            con,
            f"""SELECT b._violation, r._raw{keys} FROM broken b JOIN {judged.odd} r ON r.rn = b.rn
                JOIN rowkeys k ON k.rn = b.rn""",
        )
        for violation, raw, *ks in found:
            reason, _, at = violation.partition("|")
            broken.add((raw or "").encode(), reason, at, judged.chunk.shape, [k for k in ks if k and k > 0])
    for reject in judged.chunk.rejects:
        broken.add(reject.text, reject.reason, reject.detail, "text", [])
    return broken


def _unknown(judged: Judged, texts: list[bytes], cells: dict[str, list[Any]]) -> tuple[list[bytes], dict[str, list[Any]]]:
    """Without the rows that wait in quarantine already: a snapshot brings its broken rows each time."""
    con, lake, source = judged.con, judged.lake, judged.contract.name
    key = (judged.intake.salt + source).encode()
    told = (text or str(field).encode() for text, field in zip(texts, cells["field"], strict=True))
    cells["row_hash"] = ["q" + hmac.digest(key, text, "sha256")[:16].hex() for text in told]
    if not texts or not lake.rows(QUARANTINE.name):
        return texts, cells
    con.register("q", pa.table({"row_hash": pa.array(cells["row_hash"], pa.string())}))
    waiting = f"source = {literal(source)} AND state = 'open' AND row_hash IN (SELECT row_hash FROM q)"
    known = {r[0] for r in rows(con, f"SELECT DISTINCT row_hash FROM {lake.relation(QUARANTINE.name)} WHERE {waiting}")}
    con.unregister("q")
    new = [i for i, h in enumerate(cells["row_hash"]) if h not in known]
    judged.landed.unchanged += len(texts) - len(new)
    return [texts[i] for i in new], {c: [v[i] for i in new] for c, v in cells.items()}


@dataclass
class _Broken:
    """Rows for the quarantine: what came, why it broke, and whose it may be."""

    texts: list[bytes] = field(default_factory=list)
    facts: list[tuple[str, str, str]] = field(default_factory=list)
    keys: list[list[int]] = field(default_factory=list)

    def add(self, text: bytes, reason: str, at: str, shape: str, keys: list[int]) -> None:
        self.texts.append(text)
        self.facts.append((reason, at, shape))
        self.keys.append(keys)

    def recognise(self, vault: Vault, named: Collection[str], salt: str) -> int:
        """Looks for known identifiers in the texts of rows without a key; says how many were of erased people, and
        leaves them out. named: the marks of erased people's names, by which rows without any identifier are known."""
        loose = {i: self.texts[i].decode(errors="replace") for i, keys in enumerate(self.keys) if not keys}
        for i, keys in zip(loose, traces.keys_in(list(loose.values()), vault), strict=True):
            hers = not keys and named and not traces.marks([loose[i]], salt.encode()).isdisjoint(named)
            self.keys[i] = [-1] if hers else sorted(keys)
        kept = [i for i, keys in enumerate(self.keys) if -1 not in keys]
        gone = len(self.texts) - len(kept)
        self.texts, self.facts = [self.texts[i] for i in kept], [self.facts[i] for i in kept]
        self.keys = [self.keys[i] for i in kept]
        return gone

    def cells(self) -> dict[str, list[Any]]:
        """The columns that describe them."""
        facts = {c: [f[i] for f in self.facts] for i, c in enumerate(("reason", "field", "shape"))}
        return facts | {f"k{i}": [k[i] if i < len(k) else None for k in self.keys] for i in range(5)}


