"""What a raw row breaks of its contract, as SQL; a layer of `intake_reading`."""

from __future__ import annotations

from tessera.config import Field
from tessera.data.intake import FILLED, TAIL, Intake
from tessera.data.intake_raw import Raw
from tessera.lake.engine import literal, name

EMAIL = r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+"

_SMALL = ("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT")
_HOLDS = {
    "INTEGER": _SMALL,
    "BIGINT": (*_SMALL, "BIGINT", "UINTEGER"),
    "DOUBLE": ("DOUBLE", "FLOAT", *_SMALL),
    "TIMESTAMPTZ": ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "TIMESTAMP_MS", "TIMESTAMP_S", "DATE"),
}
"""By our type, the source's types whose values it can all hold."""


def violation(intake: Intake, raw: Raw) -> str:
    """NULL, or "<RudderStack's violation type>|<field>" of the first rule that the row breaks."""
    cases = [("line IS NULL", "Unknown-Violation", "line")] if raw.json else []
    cases += [(condition, "Datatype-Mismatch", path) for condition, path in raw.misshapen()]
    for f in intake.contract.fields:
        text = raw.text(f)
        if f.required:
            there = raw.given(f) if raw.native(f) else text
            cases.append((f"{there} IS NULL", "Required-Missing", f.name))
        kind = _typed(intake, raw, f)
        if kind and not raw.native(f):
            cases.append((f"{text} IS NOT NULL AND {kind} IS NULL", "Datatype-Mismatch", f.name))
            if f.logical_type == "integer":
                cases.append((f"TRY_CAST({text} AS DOUBLE) <> {kind}", "Datatype-Mismatch", f.name))
            if f.logical_type in ("string", "integer", "number"):
                cases.append((_number_leaks(intake, text), "Datatype-Mismatch", f.name))
        if lost := _unheld(intake, raw, f):
            cases.append((lost, "Datatype-Mismatch", f.name))
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
    # Where the door takes the identity off some events, it is the door that asks the others for theirs.
    if intake.contract.record == "event" and intake.kinds and intake.contract.door.consent != "anonymous":
        none = " AND ".join(f"{name('_id_' + k)} IS NULL" for k in intake.kinds)
        cases.append((none, "Required-Missing", "userId or anonymousId"))
    if not cases:
        return "NULL::VARCHAR"
    when = " ".join(f"WHEN {c} THEN {literal(f'{reason}|{field}')}" for c, reason, field in cases)
    return f"CASE {when} END"


def _typed(intake: Intake, raw: Raw, f: Field) -> str | None:
    """The field in the type that its contract, or else its column, asks for; None where any text will do."""
    if f.logical_type != "string":
        return raw.typed(f)
    known = f.maps_to in intake.table.names and not f.sealed
    column = intake.table.column(str(f.maps_to)) if known else None
    if column is None or column.sealed or column.type == "VARCHAR":
        return f"TRY_CAST({raw.text(f)} AS DOUBLE)" if f.maps_to == "unit_price" else None
    return raw.as_type(f, "DOUBLE" if column.name == "amount_cents" else column.type)


def _unheld(intake: Intake, raw: Raw, f: Field) -> str:
    """Whether a value that is there has no place in the column it fills: it would be lost without a word; "" where any
    text has one. A number that is not one (NaN) in a source's own type is how some say that it is missing."""
    target = "amount_cents" if f.maps_to == "unit_price" else str(f.maps_to)
    if f.sealed or target not in intake.table.names or target in FILLED:
        return ""
    column = intake.table.column(target)
    if column.sealed or column.type == "VARCHAR":
        return ""
    if f.maps_to == target and _fits(raw, f, column.type) and (target != "amount_cents" or intake.contract.amounts == "cents"):
        return ""
    there = f"{raw.given(f)} IS NOT NULL" if raw.native(f) else f"{raw.text(f)} IS NOT NULL"
    if raw.native(f) and raw.types.get(f.where) in ("DOUBLE", "FLOAT"):
        there += f" AND NOT isnan({raw.given(f)})"
    if f.maps_to == "unit_price":
        counted = [raw.text(g) for g in intake.contract.fields if g.maps_to == "quantity"]
        there += "".join(f" AND {text} IS NOT NULL" for text in counted)
    return f"{there} AND {name('_t_' + target)} IS NULL"


def _fits(raw: Raw, f: Field, kind: str) -> bool:
    """Whether the source's own type has no value that ours has not: then none has to be looked at (measured on 20 M
    events: a sixth of what landing them costs)."""
    return raw.native(f) and raw.types.get(f.where) in _HOLDS.get(kind, (kind,))


def _number_leaks(intake: Intake, text: str) -> str:
    """Whether the text of a number is a phone number, or an identifier of the row."""
    own = [f"(length({i}) >= 8 AND {text} = {i})" for i in (name("_id_" + k) for k in intake.kinds)]
    own += [f"(length(_tail) = {TAIL} AND ends_with({text}, _tail))"] if "phone" in intake.kinds else []
    return " OR ".join([f"({text} LIKE '+%' AND length({text}) >= {TAIL})", *own])
