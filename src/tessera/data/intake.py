"""A contract as SQL: what a raw row says in our words, whose it is, what of it is sealed, and what it breaks.

`Intake.reading(chunk)` gives the text of one SELECT over the raw rows; landing takes from it only the columns that each
pass needs, so the engine decodes no more. Its columns:

    rn           the row's number in the chunk
    _violation   NULL, or "<RudderStack's violation type>|<field>"
    _odd         whether the row may have something to seal (FALSE is sure, TRUE is not)
    _id_<kind>   the normalised identifier of each kind that the contract has, or NULL
    _loose_<kind>  whether it joins nothing, for kinds whose contract says so of some rows
    _uniq        the row's own name within its source, or NULL
    _blob        JSON of all that is sealed, or NULL
    _raw         a broken row as it came, as JSON text (for the quarantine); NULL for the others
    _consent     a list of {p: purpose, a: answer}, or NULL
    and the clear columns of the raw table, by name
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tessera.config import Contract, Field
from tessera.data.chunk import Chunk
from tessera.data.raw import LATEST_WINS, RAW
from tessera.lake.engine import literal, name
from tessera.lake.table import Table
from tessera.words import KINDS

EMAIL = r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+"
NAMES = ("message_id", "order_id", "payment_id", "post_id", "touch_id", "line")
"""Columns that name a row: one that holds an identifier is replaced by its keyed hash, so that joins still work."""

PHONE = (
    r"(\+|%2[bB])[0-9][0-9 ()./-]{6,}|(^|[\s:=(/])00[1-9][0-9]{0,2}[ ().-][0-9 ().-]{5,}[0-9]|[\s:=(]00[1-9][0-9]{7,}"
)
"""An international number anywhere; one that begins with 00 only beside other words: alone it may be a product's."""

SHORTEST_PHONE = 6

TAIL = 8
"""Digits by which a row's own phone number is known in any spelling."""

ANSWERS = ("yes", "true", "1", "given", "granted", "y", "t", "no", "false", "0", "refused", "denied", "n", "f",
           "withdrawn", "revoked")  # fmt: skip
"""Answers to a purpose that landing understands."""

LANDING = ("key_id", "record_id", "batch", "source", "properties", "row_key", "row_hash", "vanished_at")
"""Columns that landing fills, not the contract."""


@dataclass(frozen=True, kw_only=True)
class Intake:
    """One contract, compiled. salt: secret text under which row names are hashed."""

    contract: Contract
    salt: str

    @property
    def table(self) -> Table:
        """The raw table that the rows go to."""
        return RAW[self.contract.record]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of identifiers in a row, strongest first."""
        found = {f.identifier for f in self.contract.fields if f.identifier}
        return tuple(k for k in KINDS if k in found)

    @property
    def loose(self) -> tuple[str, ...]:
        """Kinds of identifiers of which a row's may be unverified: it joins nothing then."""
        return tuple(k for k in self.kinds if any(f.identifier == k and _loosely(f) for f in self.contract.fields))

    def subject(self, row: str) -> str:
        """SQL: the key of whose row it is; `row`: the relation that has one column of keys for each kind.

        An identifier that joins nothing names the row only where no other does: an e-mail that somebody typed must not
        take the row away from the cookie that sent it.
        """
        cells = [self.firm(kind, f"{row}.{kind}", row) for kind in self.kinds]
        cells += [f"{row}.{kind}" for kind in self.loose]
        return f"coalesce({', '.join(cells)})" if len(cells) > 1 else "".join(cells) or "NULL::INTEGER"

    def firm(self, kind: str, expr: str, row: str) -> str:
        """SQL: the expression, but NULL where the row's identifier of that kind joins nothing."""
        return f"CASE WHEN NOT {row}.{name('_loose_' + kind)} THEN {expr} END" if kind in self.loose else expr

    @property
    def subject_kind(self) -> str:
        """SQL over the rows `ids`: the kind of the identifier whose row it is."""
        given = [(self.firm(kind, name("_id_" + kind), "ids"), kind) for kind in self.kinds]
        given += [(name("_id_" + kind), kind) for kind in self.loose]
        whens = [f"WHEN {expr} IS NOT NULL THEN {literal(kind)}" for expr, kind in given]
        return f"CASE {' '.join(whens)} END" if whens else "NULL::VARCHAR"

    @property
    def joining(self) -> frozenset[str]:
        """Kinds that may join records."""
        return frozenset(f.identifier for f in self.contract.fields if f.identifier and f.joins)

    @property
    def has_consent(self) -> bool:
        """Whether rows carry answers to purposes."""
        return any(f.consent for f in self.contract.fields)

    def plain(self, columns: Iterable[str]) -> bool:
        """Whether rows of these columns have nothing to seal as a rule and are only ever added: such a chunk is read in
        place, a pass for the narrow columns and one for the rest, and is never held whole."""
        named = {f.where for f in self.contract.fields}
        sealing = any(f.consent or f.sealed or self._hidden(f) or (f.identifier and f.maps_to) for f in self.contract.fields)
        return not sealing and not self.loose and self.table.name not in LATEST_WINS and named.issuperset(columns)

    def reading(self, chunk: Chunk, types: Mapping[str, str], *, clean: bool = False) -> str:
        """The SELECT over the chunk's raw rows; types: the raw columns' DuckDB types by name; clean: its clear texts
        are known to hold no identifier.

        It is built in layers, each naming once what the next ones use: one expression that held all of it took the
        engine seconds to compile.
        """
        raw = _Raw(self, chunk, types)
        ids = {k: self._identifier(raw, k) for k in self.kinds}
        targets = self._targets(raw)
        texts = [c for c in targets if self.table.column(c).type == "VARCHAR"]
        sealed = self._sealed(raw)
        layer = raw.layer()
        known = {name("_id_" + k): e for k, e in ids.items()} | {name("_loose_" + k): self._loose(raw, k) for k in self.loose}
        layer = f"SELECT *, {_items(known)} FROM ({layer})" if ids else layer
        values = {name("_t_" + c): e for c, e in targets.items()} | {name("_s_" + c): e for c, e in sealed.items()}
        values |= {"_tail": f"right(_id_phone, {TAIL})"} if "phone" in self.kinds else {}
        layer = f"SELECT *, {_items(values)} FROM ({layer})" if values else layer
        extra = raw.extra()
        judged = {"_leaky": "FALSE" if clean else self._leaky(raw, texts), "_lost": self._any_lost(raw)}
        judged |= {"_violation": self._violation(raw), "_extra": extra or "NULL::VARCHAR"}
        layer = f"SELECT *, {_items(judged)} FROM ({layer})"
        leaks = {name("_l_" + c): f"({self._leak(self._whole(raw, c))}{self._own(c)})" for c in texts}
        leaks = {k: f"CASE WHEN _leaky THEN {e} ELSE FALSE END" for k, e in leaks.items()}
        layer = f"SELECT *, {_items(leaks)} FROM ({layer})" if leaks else layer
        odd = "TRUE" if sealed or extra else "_leaky OR _lost"
        out = {"rn": "rn", "_violation": "_violation", "_odd": odd, **{name("_id_" + k): name("_id_" + k) for k in ids}}
        out |= {name("_loose_" + k): name("_loose_" + k) for k in self.loose}
        clear = {c: name("_t_" + c) for c in targets}
        for column in texts:
            text, leak = name("_t_" + column), name("_l_" + column)
            instead = self._name(text) if column in NAMES else "NULL"
            if column == "url":
                instead = f"CASE WHEN NOT ({self._leak(text)}) THEN {text} END"
            clear[column] = text if clean else f"CASE WHEN {leak} THEN {instead} ELSE {text} END"
        out |= {name(c): e for c, e in clear.items()}
        out["properties"] = self._properties(raw)
        out |= {name("_s_" + c): name("_s_" + c) for c in sealed if c in self.table.names}
        out["_blob"] = self._blob(raw, sealed, texts, bool(extra))
        out["_uniq"] = self._uniq(raw, clear)
        out["_raw"] = f"CASE WHEN _violation IS NOT NULL THEN {raw.whole()} END"
        out["_consent"] = self._consent(raw)
        if "row_key" in self.table.names:
            out["row_key"] = self._row_key(raw)
            out["row_hash"] = self._hashed(raw.whole())
        return f"SELECT {_items(out)} FROM ({layer}) AS raw"

    # parts

    def _violation(self, raw: _Raw) -> str:
        cases = [("line IS NULL", "Unknown-Violation", "line")] if raw.json else []
        for f in self.contract.fields:
            text = raw.text(f)
            if f.required:
                there = raw.bare(f) if raw.native(f) else text
                cases.append((f"{there} IS NULL", "Required-Missing", f.name))
            kind = self._typed(raw, f)
            if kind and not raw.native(f):
                cases.append((f"{text} IS NOT NULL AND {kind} IS NULL", "Datatype-Mismatch", f.name))
                if f.logical_type in ("string", "integer", "number"):
                    cases.append((self._number_leaks(text), "Datatype-Mismatch", f.name))
            wrong = "Unplanned-Event" if f.maps_to in ("type", "event") else "Datatype-Mismatch"
            if f.pattern:
                cases.append((f"NOT regexp_full_match({text}, {literal(f.pattern)})", "Datatype-Mismatch", f.name))
            if f.identifier == "email":
                cases.append((f"NOT regexp_full_match({text}, {literal(EMAIL)})", "Datatype-Mismatch", f.name))
            if f.enum:
                cases.append((f"{text} NOT IN ({', '.join(map(literal, f.enum))})", wrong, f.name))
            if f.max_length is not None:
                cases.append((f"length({text}) > {f.max_length}", "Datatype-Mismatch", f.name))
            for bound, sign in ((f.minimum, "<"), (f.maximum, ">")):
                if bound is not None:
                    cases.append((f"{raw.typed(f)} {sign} {bound!r}", "Datatype-Mismatch", f.name))
        if self.contract.record == "event" and self.kinds:
            none = " AND ".join(f"{name('_id_' + k)} IS NULL" for k in self.kinds)
            cases.append((none, "Required-Missing", "userId or anonymousId"))
        if not cases:
            return "NULL::VARCHAR"
        when = " ".join(f"WHEN {c} THEN {literal(f'{reason}|{field}')}" for c, reason, field in cases)
        return f"CASE {when} END"

    def _typed(self, raw: _Raw, f: Field) -> str | None:
        """The field in the type that its contract, or else its column, asks for; None where any text will do."""
        if f.logical_type != "string":
            return raw.typed(f)
        known = f.maps_to in self.table.names and not f.sealed
        column = self.table.column(str(f.maps_to)) if known else None
        if column is None or column.sealed or column.type == "VARCHAR":
            return f"TRY_CAST({raw.text(f)} AS DOUBLE)" if f.maps_to == "unit_price" else None
        return raw.as_type(f, "DOUBLE" if column.name == "amount_cents" else column.type)

    def _number_leaks(self, text: str) -> str:
        """Whether the text of a number is a phone number, or an identifier of the row."""
        own = [f"(length({i}) >= 8 AND {text} = {i})" for i in (name("_id_" + k) for k in self.kinds)]
        own += [f"(length(_tail) = {TAIL} AND ends_with({text}, _tail))"] if "phone" in self.kinds else []
        return " OR ".join([f"({text} LIKE '+%' AND length({text}) >= {TAIL})", *own])

    def _identifier(self, raw: _Raw, kind: str) -> str:
        fields = [f for f in self.contract.fields if f.identifier == kind]
        parts = [normalised(kind, raw.text(f)) for f in fields]
        if len(parts) > 1 and kind in self.loose:
            parts = [f"CASE WHEN {self._verified(raw, f)} THEN {normalised(kind, raw.text(f))} END" for f in fields] + parts
        return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"

    def _loose(self, raw: _Raw, kind: str) -> str:
        fields = [f for f in self.contract.fields if f.identifier == kind]
        firm = (f"({normalised(kind, raw.text(f))} IS NOT NULL AND {self._verified(raw, f)})" for f in fields)
        return f"NOT ({' OR '.join(firm)})"

    def _verified(self, raw: _Raw, f: Field) -> str:
        """Whether the row's identifier in that field may join records."""
        if f.joins_if is None:
            return "TRUE" if f.joins else "FALSE"
        condition = next(c for c in self.contract.fields if c.name == f.joins_if)
        return f"coalesce({raw.as_type(condition, 'BOOLEAN')}, FALSE)"

    def _targets(self, raw: _Raw) -> dict[str, str]:
        mapped: dict[str, list[Field]] = {}
        for f in self.contract.fields:
            if f.maps_to and not f.sealed:
                mapped.setdefault(f.maps_to, []).append(f)
        targets: dict[str, str] = {}
        for column in self.table.columns:
            if column.name in LANDING or column.sealed or column.name.endswith("_key"):
                continue
            fields = mapped.get(column.name, [])
            if column.name == "amount_cents":
                targets[column.name] = self._amount(raw, fields, mapped)
            elif column.name == "currency" and not fields and self.contract.currency:
                targets[column.name] = literal(self.contract.currency)
            elif column.name == "url" and fields:
                url = raw.text(fields[0])
                bare = f"split_part(split_part({url}, '?', 1), '#', 1)"
                tailed = f"contains({url}, '?') OR contains({url}, '#')"
                targets[column.name] = f"CASE WHEN {tailed} THEN {bare} ELSE {url} END"
            elif not fields:
                targets[column.name] = f"NULL::{column.type}"
            elif len(fields) == 1 or column.type != "VARCHAR":
                targets[column.name] = raw.as_type(fields[0], column.type)
            else:
                targets[column.name] = f"nullif(concat_ws(' ', {', '.join(raw.text(f) for f in fields)}), '')"
        return targets

    def _amount(self, raw: _Raw, fields: list[Field], mapped: Mapping[str, list[Field]]) -> str:
        price = mapped.get("unit_price")
        if not fields and not price:
            return "NULL::BIGINT"
        exact = f"TRY_CAST({raw.text((price or fields)[0])} AS DECIMAL(18, 6))"
        if price:
            quantity = mapped.get("quantity")
            exact = f"{exact} * {raw.as_type(quantity[0], 'INTEGER')}" if quantity else exact
        elif self.contract.amounts == "cents":
            return raw.as_type(fields[0], "BIGINT")
        factor = 1 if self.contract.amounts == "cents" else 100
        return f"round({exact} * {factor})::BIGINT"

    def _sealed(self, raw: _Raw) -> dict[str, str]:
        """Sealed texts: by the table's sealed column where one is mapped, by the field's name otherwise."""
        grouped: dict[str, list[str]] = {}
        for f in self.contract.fields:
            if f.sealed or self._hidden(f):
                grouped.setdefault(str(f.maps_to) if self._column_hides(f) else f.name, []).append(raw.text(f))
            elif f.identifier and _loosely(f) and not f.maps_to:
                # The row may keep no key of it, so its value is kept as any personal value is.
                grouped.setdefault(f.name, []).append(f"CASE WHEN {name('_loose_' + f.identifier)} THEN {raw.text(f)} END")
        return {k: v[0] if len(v) == 1 else f"nullif(concat_ws(' ', {', '.join(v)}), '')" for k, v in grouped.items()}

    def _hidden(self, f: Field) -> bool:
        """Whether a field's values lie in the vault although its contract does not ask for it."""
        return self._column_hides(f) or (not f.maps_to and not f.identifier and not f.consent and _personal(f))

    def _column_hides(self, f: Field) -> bool:
        return f.maps_to in self.table.names and self.table.column(str(f.maps_to)).sealed

    def _properties(self, raw: _Raw) -> str:
        if not self._plain():
            return "NULL::VARCHAR"
        cells = ((f.name, raw.text(f)) for f in self._plain())
        cell = "{0}, CASE WHEN CASE WHEN _leaky THEN {1} ELSE FALSE END THEN NULL ELSE {2} END"
        pairs = ", ".join(cell.format(literal(n), self._leak(t), t) for n, t in cells)
        return f"json_object({pairs})::VARCHAR"

    def _leaky(self, raw: _Raw, texts: list[str]) -> str:
        """Whether any clear text of the row may leak: asked once over all of them, before each is asked."""
        listed = {f.maps_to for f in self.contract.fields if f.enum}
        mapped = {f.maps_to for f in self.contract.fields}
        asked = [self._whole(raw, c) for c in texts if c in mapped - listed] + [raw.text(f) for f in self._plain()]
        own = " OR ".join(self._own(c).removeprefix(" OR ") for c in texts if self._own(c))
        leak = self._leak(f"concat_ws(' ', {', '.join(asked)})") if asked else "FALSE"
        return f"({leak} OR {own})" if own else leak

    def _own(self, column: str) -> str:
        """A clear column that a contract fills from an identifier always leaks, however short it is."""
        own = any(f.identifier and f.maps_to == column for f in self.contract.fields)
        return f" OR {name('_t_' + column)} IS NOT NULL" if own else ""

    def _whole(self, raw: _Raw, column: str) -> str:
        """The text in which a leak is looked for: of a url also the part that is cut off."""
        if column == "url":
            whole = (raw.text(f) for f in self.contract.fields if f.maps_to == "url" and not f.sealed)
            return next(whole, "NULL::VARCHAR")
        return name("_t_" + column)

    def _plain(self) -> list[Field]:
        """Fields that are kept in `properties`."""
        return [
            f for f in self.contract.fields if not (f.maps_to or f.sealed or f.identifier or f.consent or _personal(f))
        ]

    def _leak(self, text: str) -> str:
        """Whether a clear text holds an identifier: an e-mail, an international phone number, or one of the row's own
        (its phone number in any spelling)."""
        mail = f"contains({text}, '@') OR contains({text}, '%40') OR contains({text}, '＠')"
        some = f"(contains({text}, '+') OR contains({text}, '00') OR contains({text}, '%2'))"
        # CASE, since an AND evaluates both of its sides for every row.
        phone = f"CASE WHEN {some} THEN regexp_matches({text}, {literal(PHONE)}) ELSE FALSE END"
        own = "".join(
            f" OR (length({i}) >= 8 AND contains({text}, {i}))" for i in (name("_id_" + k) for k in self.kinds)
        )
        if "phone" in self.kinds:
            bare = f"contains(translate({text}, ' ()-./', ''), _tail)"
            own += f" OR CASE WHEN length(_tail) = {TAIL} AND contains({text}, right(_tail, 2)) THEN {bare} END"
        return f"coalesce({mail} OR {phone}{own}, FALSE)"

    def _blob(self, raw: _Raw, sealed: Mapping[str, str], texts: list[str], extra: bool) -> str:
        """JSON of what is sealed: the named, `extra` (what no contract names) and `moved` (clear texts that leaked, and
        what else of a row has no place)."""
        cells = [f"{literal(c)}, {name('_s_' + c)}" for c in sealed]
        present = [f"{name('_s_' + c)} IS NOT NULL" for c in sealed]
        if extra:
            cells.append("'extra', _extra")
            present.append("coalesce(_extra, '{}') <> '{}'")
        moved = {c: (name("_l_" + c), self._whole(raw, c)) for c in texts}
        plain = {f.name: raw.text(f) for f in self._plain()}
        moved |= {n: (f"CASE WHEN _leaky THEN {self._leak(t)} ELSE FALSE END", t) for n, t in plain.items()}
        lost = {f.name: (f"({self._lost(raw, f)})", raw.text(f)) for f in self.contract.fields if self._lost(raw, f)}
        if moved or lost:
            pairs = ", ".join(f"{literal(c)}, CASE WHEN {w} THEN {t} END" for c, (w, t) in (moved | lost).items())
            when = " OR ".join(w for w, _ in (moved | lost).values())
            cells.append(f"'moved', CASE WHEN {when} THEN json_object({pairs}) END")
            present.append(f"({when})")
        if not cells:
            return "NULL::VARCHAR"
        return f"CASE WHEN {' OR '.join(present)} THEN json_object({', '.join(cells)})::VARCHAR END"

    def _any_lost(self, raw: _Raw) -> str:
        lost = [f"coalesce({self._lost(raw, f)}, FALSE)" for f in self.contract.fields if self._lost(raw, f)]
        return f"({' OR '.join(lost)})" if lost else "FALSE"

    def _lost(self, raw: _Raw, f: Field) -> str:
        """When a field's text would be kept nowhere: no identifier, although it stands in the place of one; or an
        answer that nobody understands."""
        text, known = raw.text(f), f.maps_to in self.table.names and self.table.column(str(f.maps_to)).sealed
        if f.consent:
            return f"{text} IS NOT NULL AND lower({text}) NOT IN ({', '.join(map(literal, ANSWERS))})"
        if f.identifier and not known and not f.sealed:
            chosen = name("_id_" + f.identifier)
            if sum(g.identifier == f.identifier for g in self.contract.fields) > 1:
                return f"{text} IS NOT NULL AND {normalised(f.identifier, text)} IS DISTINCT FROM {chosen}"
            return f"{text} IS NOT NULL AND {chosen} IS NULL" if f.identifier == "phone" else ""
        return ""

    def _uniq(self, raw: _Raw, clear: Mapping[str, str]) -> str:
        """The row's own name; NULL where a part of it is missing."""
        columns = [c for c in self.table.unique if c != "source"]
        parts = [self._row_key(raw) if c == "row_key" else f"{clear[c]}::VARCHAR" for c in columns]
        return " || chr(31) || ".join(parts) if parts else "NULL::VARCHAR"

    def _row_key(self, raw: _Raw) -> str:
        keys = [f for f in self.contract.fields if f.primary_key] or [
            f for f in self.contract.fields if f.identifier == "user_id"
        ]
        if not keys:
            return "NULL::VARCHAR"
        return self._hashed(" || chr(31) || ".join(raw.text(f) for f in keys))

    def _consent(self, raw: _Raw) -> str:
        answers = [f for f in self.contract.fields if f.consent]
        cells = (f"struct_pack(p := {literal(str(f.consent))}, a := lower({raw.text(f)}))" for f in answers)
        return f"[{', '.join(cells)}]" if answers else "NULL::STRUCT(p VARCHAR, a VARCHAR)[]"

    def _name(self, expr: str) -> str:
        """The keyed name that stands for a row's name with an identifier in it: the same in every source."""
        return f"'h' || md5({literal(self.salt)} || {expr})"

    def _hashed(self, expr: str) -> str:
        return f"'h' || md5({literal(self.salt + self.contract.name)} || {expr})"


class _Raw:
    """How to take a field out of a raw row, for each shape of chunk."""

    def __init__(self, intake: Intake, chunk: Chunk, types: Mapping[str, str]) -> None:
        self.contract, self.json, self.relation = intake.contract, chunk.shape == "json", chunk.relation
        self.columns, self.types = chunk.columns, dict(types)
        self.place = {f.name: i for i, f in enumerate(self.contract.fields)}

    def layer(self) -> str:
        """The raw rows with each field's text as _f<n>; JSON is parsed once for all of them."""
        if not self.json:
            texts = {f"_f{i}": self._bare(f) for f, i in zip(self.contract.fields, self.place.values(), strict=True)}
            return f"SELECT *, {_items(texts)} FROM {self.relation}"
        paths = ", ".join(literal(_path(f.where)) for f in self.contract.fields)
        texts = {f"_f{i}": _trimmed(f"_v[{i + 1}]") for i in self.place.values()}
        valid = f"SELECT rn, line AS _line, CASE WHEN json_valid(line) THEN line END AS line FROM {self.relation}"
        return f"SELECT *, {_items(texts)} FROM (SELECT *, json_extract_string(line, [{paths}]) AS _v FROM ({valid}))"

    def text(self, f: Field) -> str:
        """The field as trimmed text, NULL when empty."""
        return f"_f{self.place[f.name]}"

    def bare(self, f: Field) -> str:
        """The field as its column has it."""
        return name(f.where) if f.where in self.columns else "NULL::VARCHAR"

    def _bare(self, f: Field) -> str:
        if f.where not in self.columns:
            return "NULL::VARCHAR"
        plain = name(f.where)
        return _trimmed(plain) if self.types.get(f.where) == "VARCHAR" else f"{plain}::VARCHAR"

    def native(self, f: Field) -> bool:
        """Whether the source's own type is already what the contract asks for."""
        kind = self.types.get(f.where, "VARCHAR").partition("(")[0]
        return not self.json and kind in _NATIVE.get(f.logical_type, ())

    def typed(self, f: Field) -> str:
        """The field in its logical type, NULL when it does not fit."""
        kind = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE"}.get(f.logical_type)
        return self.as_type(f, kind or ("TIMESTAMPTZ" if f.logical_type == "timestamp" else "VARCHAR"))

    def as_type(self, f: Field, kind: str) -> str:
        """The field as a DuckDB type, NULL when it does not fit."""
        own = self.types.get(f.where, "VARCHAR")
        if not self.json and own.partition("(")[0] != "VARCHAR" and f.where in self.columns:
            if own == "TIMESTAMP" and kind == "TIMESTAMPTZ":
                # A cast asks the calendar of the time zone for each row: ten times as long.
                own = name(f.where)
                quick = f"make_timestamptz(epoch_us({own}))"
                return f"CASE WHEN isfinite({own}) THEN {quick} ELSE TRY_CAST({own} AS {kind}) END"
            return name(f.where) if own == kind else f"TRY_CAST({name(f.where)} AS {kind})"
        text = self.text(f)
        if kind == "VARCHAR":
            return text
        if kind == "BOOLEAN":
            return (
                f"CASE WHEN lower({text}) IN ('true','yes','y','1','t') THEN TRUE "
                f"WHEN lower({text}) IN ('false','no','n','0','f') THEN FALSE END"
            )
        if f.date_format and kind in ("TIMESTAMPTZ", "DATE"):
            return f"try_strptime({text}, {literal(f.date_format)})::{kind}"
        return f"TRY_CAST({text} AS {kind})"

    def whole(self) -> str:
        """The row as it came."""
        if self.json:
            return "_line"
        return _object({c: f"{name(c)}::VARCHAR" for c in self.columns}) or "'{}'"

    def extra(self) -> str | None:
        """What no contract names, as JSON text; None when there can be nothing."""
        named = [f.where for f in self.contract.fields]
        if self.json:
            return f"json_merge_patch(line, {literal(_holes(named))})::VARCHAR"
        rest = [c for c in self.columns if c not in named]
        if not rest:
            return None
        return f"json_merge_patch('{{}}', {_object({c: f'{name(c)}::VARCHAR' for c in rest})})::VARCHAR"


_NATIVE = {
    "integer": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UINTEGER", "UBIGINT", "HUGEINT", "USMALLINT", "UTINYINT"),
    "number": ("DOUBLE", "FLOAT", "DECIMAL", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UINTEGER", "UBIGINT"),
    "timestamp": ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S", "DATE"),
    "date": ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
    "boolean": ("BOOLEAN",),
}


def _items(named: Mapping[str, str]) -> str:
    return ", ".join(f"{expr} AS {alias}" for alias, expr in named.items())


def _trimmed(text: str) -> str:
    """Trimmed, NULL when empty; most texts need no copy (measured: half of the cost of a row's check)."""
    return f"CASE WHEN {text} < '!' OR ends_with({text}, ' ') THEN nullif(trim({text}), '') ELSE {text} END"


def normalised(kind: str, text: str) -> str:
    """SQL for the one spelling of an identifier: e-mails in lower case, phones as + and digits."""
    if kind == "email":
        return f"lower({text})"
    if kind == "phone":
        digits = f"regexp_replace(regexp_replace({text}, '[^0-9+]', '', 'g'), '^00', '+')"
        return f"CASE WHEN length({digits}) >= {SHORTEST_PHONE} AND NOT contains({text}, '@') THEN {digits} END"
    return text


def _loosely(f: Field) -> bool:
    return not f.joins or f.joins_if is not None


def _personal(f: Field) -> bool:
    return f.category.startswith("user")


def _path(dotted: str) -> str:
    return "$" + "".join('."' + part.replace('"', '\\"') + '"' for part in dotted.split("."))


def _object(pairs: Mapping[str, str]) -> str:
    return f"json_object({', '.join(f'{literal(k)}, {v}' for k, v in pairs.items())})" if pairs else ""


def _holes(paths: list[str]) -> str:
    """A merge patch (RFC 7396) that removes the named paths and keeps the rest."""
    patch: dict[str, object] = {}
    for path in sorted(paths, key=lambda p: p.count(".")):
        *parents, leaf = path.split(".")
        at = patch
        for part in parents:
            below = at.setdefault(part, {})
            if not isinstance(below, dict):
                break
            at = below
        else:
            at[leaf] = None
    return json.dumps(patch)
