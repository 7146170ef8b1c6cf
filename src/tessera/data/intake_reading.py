"""A contract as SQL: the one SELECT that says of each raw row what it is in our words, whose, and what it breaks.

Landing takes from it only the columns that each pass needs, so the engine decodes no more. Its columns:

    rn           the row's number in the chunk
    _violation   NULL, or "<RudderStack's violation type>|<field>"
    _odd         whether the row may have something to seal (FALSE is sure, TRUE is not)
    _id_<kind>   the normalised identifier of each kind that the contract has, or NULL
    _loose_<kind>  whether it joins nothing, for kinds whose contract says so of some rows
    _uniq        the row's own name within its source, or NULL
    _blob        JSON of all that is sealed, or NULL
    _raw         a broken row as it came, as JSON text (for the quarantine); NULL for the others
    _consent     a list of {p: purpose, a: answer, s: source, w: wording, l: language, u: until}, or NULL
    and the clear columns of the raw table, by name
"""

from __future__ import annotations

from collections.abc import Mapping

from tessera.config import Field
from tessera.data import signals
from tessera.data.chunk import Chunk
from tessera.data.intake import FILLED, TAIL, Intake, normalised
from tessera.data.intake_checks import violation
from tessera.data.intake_raw import Raw, items
from tessera.data.intake_secrets import Secrets
from tessera.lake.engine import literal, name

NAMES = ("message_id", "order_id", "payment_id", "post_id", "touch_id", "line")
"""Columns that name a row: one that holds an identifier is replaced by its keyed hash, so that joins still work."""

EMPTY = "NULL::VARCHAR"
"""A text column that nothing is mapped to."""


def reading(intake: Intake, chunk: Chunk, types: Mapping[str, str], *, clean: bool = False) -> str:
    """The SELECT over the chunk's raw rows; types: the raw columns' DuckDB types by name; clean: its clear texts are
    known to hold no identifier."""
    return _Reading(intake, chunk, types).select(clean=clean)


class _Reading:
    """One contract over one chunk, in layers that each name once what the next ones use: one expression that held all
    of it took the engine seconds to compile."""

    def __init__(self, intake: Intake, chunk: Chunk, types: Mapping[str, str]) -> None:
        self.intake, self.contract, self.table = intake, intake.contract, intake.table
        self.raw = Raw(intake.contract, chunk, types)
        self.secrets = Secrets(intake=intake, raw=self.raw)
        self.targets = self._targets()
        # A column that nothing is mapped to leaks nothing; to ask it all the same takes half of the engine's planning.
        self.texts = [c for c, e in self.targets.items() if self.table.column(c).type == "VARCHAR" and e != EMPTY]
        self.sealed, self.extra = self.secrets.sealed(), self.raw.extra()

    def select(self, *, clean: bool) -> str:
        """All layers, the raw rows lowest."""
        layer = self.raw.layer()
        for named in (self._named(), self._valued(), self._judged(clean), self._leaks()):
            layer = f"SELECT *, {items(named)} FROM ({layer})" if named else layer
        return f"SELECT {items(self._out(clean))} FROM ({layer}) AS raw"

    def _named(self) -> dict[str, str]:
        """Whose the row is: _id_<kind>, _loose_<kind>."""
        named = {name("_id_" + k): self._identifier(k) for k in self.intake.kinds}
        return named | {name("_loose_" + k): self._loose(k) for k in self.intake.loose}

    def _valued(self) -> dict[str, str]:
        """What the row says: _t_<column> clear, _s_<name> sealed; _tail of its phone number."""
        values = {name("_t_" + c): e for c, e in self.targets.items()}
        values |= {name("_s_" + c): e for c, e in self.sealed.items()}
        return values | ({"_tail": f"right(_id_phone, {TAIL})"} if "phone" in self.intake.kinds else {})

    def _judged(self, clean: bool) -> dict[str, str]:
        return {
            "_leaky": "FALSE" if clean else self.secrets.leaky(self.texts),
            "_lost": self.secrets.any_lost(),
            "_violation": violation(self.intake, self.raw),
            "_extra": self.extra or "NULL::VARCHAR",
        }

    def _leaks(self) -> dict[str, str]:
        """Which clear text leaks: _l_<column>."""
        return {name("_l_" + c): f"CASE WHEN _leaky THEN {self.secrets.leaks(c)} ELSE FALSE END" for c in self.texts}

    def _out(self, clean: bool) -> dict[str, str]:
        """The columns of the reading, by name."""
        odd = "TRUE" if self.sealed or self.extra else "_leaky OR _lost"
        kept = [*("_id_" + k for k in self.intake.kinds), *("_loose_" + k for k in self.intake.loose)]
        kept += ["_s_" + c for c in self.sealed if c in self.table.names]
        out = {"rn": "rn", "_violation": "_violation", "_odd": odd} | {name(c): name(c) for c in kept}
        clear = {c: name("_t_" + c) if clean or c not in self.texts else self._clear(c) for c in self.targets}
        out |= {name(c): e for c, e in clear.items()}
        out["properties"] = self.secrets.properties()
        out["_blob"] = self.secrets.blob(self.sealed, self.texts, bool(self.extra))
        out["_uniq"] = self._uniq(clear)
        out["_raw"] = f"CASE WHEN _violation IS NOT NULL THEN {self.raw.whole()} END"
        out["_consent"] = self._consent()
        if "row_key" in self.table.names:
            out |= {"row_key": self._row_key(), "row_hash": self._hashed(self.raw.whole())}
        return out

    def _clear(self, column: str) -> str:
        """A clear text, but what stands for it where it leaks."""
        text, instead = name("_t_" + column), "NULL"
        if column in NAMES:
            # The same in every source.
            instead = f"'h' || md5({literal(self.intake.salt)} || {text})"
        elif column == "url":
            instead = f"CASE WHEN NOT ({self.secrets.leak(text)}) THEN {text} END"
        return f"CASE WHEN {name('_l_' + column)} THEN {instead} ELSE {text} END"

    def _identifier(self, kind: str) -> str:
        fields = [f for f in self.contract.fields if f.identifier == kind]
        parts = [normalised(kind, self.raw.text(f)) for f in fields]
        if len(parts) > 1 and kind in self.intake.loose:
            parts = [f"CASE WHEN {self._verified(f)} THEN {normalised(kind, self.raw.text(f))} END" for f in fields] + parts
        return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"

    def _loose(self, kind: str) -> str:
        fields = [f for f in self.contract.fields if f.identifier == kind]
        firm = (f"({normalised(kind, self.raw.text(f))} IS NOT NULL AND {self._verified(f)})" for f in fields)
        return f"NOT ({' OR '.join(firm)})"

    def _verified(self, f: Field) -> str:
        """Whether the row's identifier in that field may join records."""
        if f.joins_if is None:
            return "TRUE" if f.joins else "FALSE"
        condition = next(c for c in self.contract.fields if c.name == f.joins_if)
        return f"coalesce({self.raw.as_type(condition, 'BOOLEAN')}, FALSE)"

    def _targets(self) -> dict[str, str]:
        mapped: dict[str, list[Field]] = {}
        for f in self.contract.fields:
            if f.maps_to and not f.sealed:
                mapped.setdefault(f.maps_to, []).append(f)
        targets: dict[str, str] = {}
        for column in self.table.columns:
            if column.name in FILLED or column.sealed or column.name.endswith("_key"):
                continue
            fields = mapped.get(column.name, [])
            if column.name == "amount_cents":
                targets[column.name] = self._amount(fields, mapped)
            elif column.name == "currency" and not fields and self.contract.currency:
                targets[column.name] = literal(self.contract.currency)
            elif column.name == "url" and fields:
                url = self.raw.text(fields[0])
                bare = f"split_part(split_part({url}, '?', 1), '#', 1)"
                tailed = f"contains({url}, '?') OR contains({url}, '#')"
                targets[column.name] = f"CASE WHEN {tailed} THEN {bare} ELSE {url} END"
            elif not fields:
                targets[column.name] = EMPTY if column.type == "VARCHAR" else f"NULL::{column.type}"
            elif len(fields) == 1 or column.type != "VARCHAR":
                targets[column.name] = self.raw.as_type(fields[0], column.type)
            else:
                targets[column.name] = f"nullif(concat_ws(' ', {', '.join(self.raw.text(f) for f in fields)}), '')"
        return targets

    def _amount(self, fields: list[Field], mapped: Mapping[str, list[Field]]) -> str:
        price = mapped.get("unit_price")
        if not fields and not price:
            return "NULL::BIGINT"
        exact = f"TRY_CAST({self.raw.text((price or fields)[0])} AS DECIMAL(18, 6))"
        if price:
            quantity = mapped.get("quantity")
            exact = f"{exact} * {self.raw.as_type(quantity[0], 'INTEGER')}" if quantity else exact
        elif self.contract.amounts == "cents":
            return self.raw.as_type(fields[0], "BIGINT")
        factor = 1 if self.contract.amounts == "cents" else 100
        return f"TRY_CAST(round({exact} * {factor}) AS BIGINT)"

    def _uniq(self, clear: Mapping[str, str]) -> str:
        """The row's own name; NULL where a part of it is missing."""
        columns = [c for c in self.table.unique if c != "source"]
        parts = [self._row_key() if c == "row_key" else f"{clear[c]}::VARCHAR" for c in columns]
        return " || chr(31) || ".join(parts) if parts else "NULL::VARCHAR"

    def _row_key(self) -> str:
        keys = [f for f in self.contract.fields if f.primary_key] or [
            f for f in self.contract.fields if f.identifier == "user_id"
        ]
        if not keys:
            return "NULL::VARCHAR"
        return self._hashed(" || chr(31) || ".join(self.raw.text(f) for f in keys))

    def _consent(self) -> str:
        answers = [f for f in self.contract.fields if f.consent]
        if not answers:
            return "NULL::STRUCT(p VARCHAR, a VARCHAR, s VARCHAR, w VARCHAR, l VARCHAR, u TIMESTAMPTZ)[]"
        parts = {f.consent_part: f for f in self.contract.fields if f.consent_part}
        said = {"w": self._named_part(parts.get("wording")), "l": self._named_part(parts.get("language"))}
        said["u"] = self.raw.as_type(parts["until"], "TIMESTAMPTZ") if "until" in parts else "NULL::TIMESTAMPTZ"
        beside = ", ".join(f"{key} := {expr}" for key, expr in said.items())
        cells = []
        for f in answers:
            source = literal(signals.source_of(self.contract.name, f.signal))
            cells.append(f"struct_pack(p := {literal(str(f.consent))}, a := {self._answer(f)}, s := {source}, {beside})")
        return f"[{', '.join(cells)}]"

    def _answer(self, f: Field) -> str:
        text = self.raw.text(f)
        if f.signal == signals.TCF:
            return signals.tcf(text, f.tcf_purposes)
        return signals.gpc(text) if f.signal == signals.GPC else f"lower({text})"

    def _named_part(self, f: Field | None) -> str:
        if f is None:
            return "NULL::VARCHAR"
        return f"CASE WHEN {self.secrets.named(self.raw.text(f))} THEN {self.raw.text(f)} END"

    def _hashed(self, expr: str) -> str:
        return f"'h' || md5({literal(self.intake.salt + self.contract.name)} || {expr})"
