"""One property of a data contract -> a Field: its type, its data category, the column or identifier that it fills."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import cast, get_args

from tessera import odcs
from tessera.config import ConsentPart, Field, Purpose, Signal
from tessera.dateformat import strptime_of
from tessera.fideslang import CATEGORIES, covers
from tessera.words import KINDS
from tessera.yamlmarks import Piece, one_of
from tessera.yamlread import Section, choice, custom_section, flag, items, label, many, number, section, text, whole

IDENTIFIER_CATEGORY = {
    "user_id": "user.unique_id",
    "email": "user.contact.email",
    "phone": "user.contact.phone_number",
    "device_id": "user.device.device_id",
    "anonymous_id": "user.unique_id.pseudonymous",
}
"""What an identifier says of a person, unless its contract names a category."""

VERIFIED = ("email", "phone")
"""Identifiers that people type in, so that a row may say whether somebody has verified them."""

TCF_PURPOSES = 24
"""The purposes that a TCF string has room for."""

DATED = ("date", "timestamp", "time")
UNNAMED = "user"
"""The category of a property that nobody described: personal, until somebody says otherwise."""

a_category = choice(CATEGORIES, "a data category of fideslang, such as user.contact.email or system.operations")


@dataclass(frozen=True)
class Known:
    """What a property may refer to; purposes None: purposes.yaml could not be read, so they go unchecked.

    columns: of the record's table. Given as a mapping, it says each column's data category too. types: the contract's own
    properties by name, with their logical types. expressions: says of an expression why it may not be used (None: unchecked).
    """

    record: str
    columns: Collection[str]
    purposes: Mapping[str, Purpose] | None
    types: Mapping[str, str]
    expressions: Callable[[str], str | None] | None = None


def field(prop: Section, known: Known) -> Field:
    """The Field that a property declares; what it says wrongly is noted, and left at its default."""
    name = prop.get("name", text(), "")
    logical_type = prop.get("logicalType", choice(odcs.TYPES), "string")
    ours = custom_section(prop, odcs.OUR_PROPERTY)
    maps_to = ours.get("mapsTo", choice(known.columns, f"a column of {known.record!r}: {one_of(known.columns)}"), None)
    identifier = ours.get("identifier", choice(KINDS), None)
    consent, part = _consent(ours, known), ours.get("consentPart", choice(get_args(ConsentPart)), None)
    signal, tcf_purposes = _signal(ours)
    _check_part(ours, part, logical_type)
    category = ours.get("category", a_category, None) or _category(maps_to, identifier, consent or part, known)
    if "joins" in ours and "identifier" not in ours:
        ours.at("joins").wrong("it beside an identifier", found="joins without identifier")
    joins_if = _joins_if(ours, known)
    _check_sealed(ours, category, kept=not (maps_to or identifier or consent or part))
    options = _options(prop, logical_type)
    return Field(
        name=name,
        physical=prop.get("physicalName", text(), ""),
        expression=_expression(prop, ours, known),
        logical_type=logical_type,
        required=prop.get("required", flag, False),
        unique=prop.get("unique", flag, False),
        primary_key=prop.get("primaryKey", flag, False),
        category=category,
        maps_to=maps_to,
        identifier=identifier,
        joins=ours.get("joins", flag, True),
        joins_if=joins_if,
        sealed=ours.get("sealed", flag, not (maps_to or identifier or consent or part) and covers("user", category)),
        consent=consent,
        signal=cast(Signal | None, signal),
        tcf_purposes=tcf_purposes,
        consent_part=cast(ConsentPart | None, part),
        date_format=options.get("format", _date_format, None) if logical_type in DATED else None,
        pattern=options.get("pattern", _pattern, None),
        enum=_enum(prop) or ours.get("enum", many(label), ()),
        minimum=options.get("minimum", number(), None),
        maximum=options.get("maximum", number(), None),
        max_length=options.get("maxLength", whole(0, 1_000_000), None),
        line=prop.piece.line,
    )


def _category(maps_to: str | None, identifier: str | None, consent: str | None, known: Known) -> str:
    if identifier:
        return IDENTIFIER_CATEGORY[identifier]
    if consent:
        return "user.privacy_preferences"
    if maps_to and isinstance(known.columns, Mapping):
        return str(known.columns[maps_to])
    return Field.category if known.record == "rate" else UNNAMED


def _consent(ours: Section, known: Known) -> str | None:
    purposes = known.purposes
    if purposes is None:
        return ours.get("consent", text(), None)
    consent = ours.get("consent", choice(list(purposes)), None)
    if consent and not purposes[consent].needs_consent:
        ours.at("consent").wrong("a purpose whose basis is consent", found=f"{consent!r}, which asks for none")
    return consent


def _signal(ours: Section) -> tuple[str | None, tuple[int, ...]]:
    """How the answer is read: from a TCF string by its purposes, or from Sec-GPC; a plain answer has neither."""
    signal = ours.get("signal", choice(get_args(Signal)), None)
    purposes = ours.get("tcfPurposes", many(whole(1, TCF_PURPOSES)), ())
    if signal and "consent" not in ours:
        ours.at("signal").wrong("it beside consent, the purpose that it answers", found="signal without consent")
    if (signal == "tcf") != ("tcfPurposes" in ours):
        ours.at("tcfPurposes").say("`signal: tcf` and `tcfPurposes` need each other; give both or neither.")
    return signal, tuple(int(p) for p in purposes)


def _check_part(ours: Section, part: str | None, logical_type: str) -> None:
    if part and (taken := [key for key in ("mapsTo", "identifier", "consent") if key in ours]):
        ours.at("consentPart").wrong("it alone", found=f"both consentPart and {taken[0]}")
    if part == "until" and logical_type not in ("date", "timestamp"):
        ours.at("consentPart").wrong("a property with logicalType date or timestamp", found=f"until, a {logical_type}")


def _joins_if(ours: Section, known: Known) -> str | None:
    """The boolean property that says whether the row's identifier is verified."""
    condition = ours.get("joinsIf", choice(known.types, f"a property of this contract: {one_of(known.types)}"), None)
    if "joinsIf" not in ours:
        return None
    piece, identifier = ours.at("joinsIf"), ours.parts.get("identifier")
    if identifier is None or identifier.raw not in VERIFIED:
        found = f"joinsIf on {identifier.raw!r}" if identifier else "joinsIf without identifier"
        piece.wrong("it beside the identifier email or phone", found=found)
    if "joins" in ours:
        piece.wrong("only one of them", found="both joins and joinsIf")
    if condition and known.types[condition] != "boolean":
        flags = [name for name, kind in known.types.items() if kind == "boolean"]
        some = f": {one_of(flags)}" if flags else ""
        piece.wrong(f"a property with logicalType boolean{some}", flags, f"{condition!r}, a {known.types[condition]}")
    return condition


def _check_sealed(ours: Section, category: str, kept: bool) -> None:
    """What is kept among the open properties may say what a person did, never who she is."""
    open_here = not covers("user", category) or covers("user.behavior", category)
    if kept and not open_here and ours.get("sealed", flag, True) is False:
        ours.at("sealed").wrong("true, or a column in mapsTo", found=f"sealed: false on {category}")


def _expression(prop: Section, ours: Section, known: Known) -> str:
    """SQL over places in the row, in the place of a name at the source."""
    written = ours.get("expression", text(), "")
    if written and "physicalName" in prop:
        ours.at("expression").wrong("only one of them", found="both physicalName and expression")
    if written and known.expressions and (reason := known.expressions(written)):
        ours.at("expression").say(f"the expression cannot be used. {reason}")
    return written


def _options(prop: Section, logical_type: str) -> Section:
    piece = prop.parts.get("logicalTypeOptions")
    checked = odcs.OPTIONS.get(logical_type, ())
    if piece is None:
        return Section(prop.piece, {})
    if not checked:
        piece.wrong(f"no options on the type {logical_type}")
        return Section(piece, {})
    options = section(piece, checked) or Section(piece, {})
    low, high = options.parts.get("minimum"), options.parts.get("maximum")
    if low and high and options.get("minimum", _quiet_number, 0.0) > options.get("maximum", _quiet_number, 0.0):
        low.wrong(f"at most the maximum {high.raw}")
    return options


def _quiet_number(piece: Piece) -> float:
    try:
        return float(piece.raw)
    except ValueError:
        return 0.0


def _date_format(piece: Piece) -> str | None:
    pattern = text()(piece)
    converted = strptime_of(pattern) if pattern else None
    if pattern and converted is None:
        piece.wrong("a date format such as yyyy-MM-dd or dd/MM/yyyy HH:mm:ss")
    return converted


def _pattern(piece: Piece) -> str | None:
    """A regular expression that DuckDB (RE2) can run too: no look-around, no back-reference."""
    pattern = text()(piece)
    if pattern is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as e:
        piece.wrong(f"a regular expression ({e})")
        return None
    bare = re.sub(r"\[\^?\]?[^\]]*\]", "x", re.sub(r"\\[^1-9]", "x", pattern))
    if re.search(r"\(\?(?:[=!>(]|<[=!]|P=)|\\[1-9]|[*+?}]\+", bare):
        piece.wrong("a regular expression without look-around and back-references")
        return None
    return pattern


def _enum(prop: Section) -> tuple[str, ...]:
    """ODCS v3.2's list of {value, label, ...}."""
    values = []
    for item in items(prop.parts["enum"]) if "enum" in prop else ():
        entry = section(item, ("value", "label", "id", "description", "customProperties", "tags",
                               "authoritativeDefinitions"), ("value",))  # fmt: skip
        if entry and (value := entry.get("value", label, None)) is not None:
            values.append(value)
    return tuple(values)
