"""purposes.yaml and access.yaml -> why data may be used, and who may see what for what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast, get_args

from tessera.config import FUNCTIONS, Access, Actor, Allow, Approval, Basis, Grant, Purpose, RowRule, Verdict
from tessera.contract_field import a_category
from tessera.fideslang import CATEGORIES, USES
from tessera.yamlmarks import Piece, one_of, quoted
from tessera.yamlread import Reader, Section, choice, entries, items, label, many, section, text, whole

MOST_PURPOSES = 30
"""A person's consent is one bit for each purpose in a 32-bit mask."""

_WORD = r"[a-z][a-z0-9_]{0,39}"
_A_WORD = "a name of small letters, digits and '_'"
_ACTOR = "user:NAME of this machine, account:NAME, oidc:SUBJECT or key:NAME"
_PURPOSE = ("data_use", "basis", "sentence", "version", "categories", "keep_days", "recipients", "holds")


def purposes(
    root: Piece, languages: Collection[str], tables: Mapping[str, Collection[str]] | None = None
) -> dict[str, Purpose]:
    """The purposes of purposes.yaml in its order, which gives each the bit that it has in a new workspace.

    tables: those (with their columns) that a legal duty may hold; None leaves it unchecked.
    """
    top = section(root, ("purposes",), ("purposes",))
    found: dict[str, Purpose] = {}
    for key, value in entries(top.parts["purposes"]) if top and "purposes" in top else ():
        name = text(_WORD, _A_WORD)(key)
        spec = section(value, _PURPOSE, ("data_use", "basis", "sentence", "categories"))
        if name is None or spec is None:
            continue
        if name == "any":
            key.wrong("another name: this one means everybody")
        if len(found) == MOST_PURPOSES:
            key.wrong(f"at most {MOST_PURPOSES} purposes", found=f"purpose number {MOST_PURPOSES + 1}")
            break
        found[name] = Purpose(
            name=name,
            data_use=spec.get("data_use", choice(USES, "a data use of fideslang, such as analytics.reporting"), ""),
            basis=cast(Basis, spec.get("basis", choice(get_args(Basis)), "consent")),
            sentence=_sentences(spec, languages),
            version=spec.get("version", label, "1"),
            categories=spec.get("categories", many(a_category), ()),
            keep_days=spec.get("keep_days", whole(1, 36500), None),
            bit=len(found),
            line=key.line,
            recipients=spec.get("recipients", many(label), ()),
            holds=_holds(spec, tables),
        )
        if name == "operate" and found[name].needs_consent and "basis" in spec:
            spec.at("basis").wrong("another basis, such as contract: landing and rights run under operate")
    if top and "purposes" in top and "operate" not in found:
        top.at("purposes").say("the purpose 'operate' is missing; landing, identity and consent run under it.")
    return found


def _holds(spec: Section, tables: Mapping[str, Collection[str]] | None) -> dict[str, tuple[str, ...]]:
    """What a legal duty keeps after an erasure: of each table the columns that it names, and no other."""
    if "holds" not in spec:
        return {}
    if spec.parts.get("basis") is None or spec.at("basis").raw != "legal_obligation":
        spec.at("holds").wrong("it on a purpose whose basis is legal_obligation", found="holds on another basis")
    if "keep_days" not in spec:
        spec.at("holds").say("a purpose that holds rows after an erasure needs keep_days: until when.")
    found = {}
    for key, value in entries(spec.parts["holds"]):
        table = text()(key) if tables is None else choice(tables, f"a table: {one_of(tables)}")(key)
        if table is not None:
            known = tables[table] if tables else ()
            columns = many(choice(known, f"a column of {table!r}: {one_of(known)}") if tables else label)(value)
            found[table] = columns or ()
    return found


def _sentences(spec: Section, languages: Collection[str]) -> dict[str, str]:
    piece = spec.parts.get("sentence")
    if piece is None:
        return {}
    found = {}
    for key, value in entries(piece):
        if key.raw not in languages:
            key.wrong(f"a language of tessera.yaml: {one_of(languages)}", languages, found=quoted(key.raw))
        elif (sentence := text(expected="a sentence that a customer understands")(value)) is not None:
            found[key.raw] = sentence
    for language in languages:
        if piece.kind == "map" and language not in {key.raw for key, _ in entries(piece)}:
            piece.say(f"the sentence in {language!r} is missing; tessera.yaml names this language.")
    return found


def access(root: Piece, purposes: Collection[str] | None, tables: Mapping[str, Collection[str]] | None) -> Access:
    """The roles, actors, grants and row rules of access.yaml.

    purposes, tables (with their columns): what a line may name; None leaves it unchecked. "*" for roles or purposes is
    written out here, so a Grant names each; "*" for categories stays.
    """
    known = ("roles", "actors", "grants", "rows", "contact", "changes", "functions")
    top = section(root, known, ("roles", "actors", "grants"))
    if top is None:
        return Access(roles=(), actors=(), grants=())
    roles = top.get("roles", many(text(_WORD, _A_WORD)), ())
    some_roles = many(choice(roles, f"a role of this file: {one_of(roles)}"))
    actors = tuple(_actors(top, some_roles))
    return Access(
        roles=roles,
        actors=actors,
        grants=tuple(_grants(top, _or_all(roles, some_roles), purposes)),
        row_rules=tuple(_row_rules(top, _or_all(roles, some_roles), tables, actors)),
        contact=top.get("contact", text(), Access.contact),
        changes=_changes(top, _or_all(roles, some_roles), actors),
        functions=tuple(_functions(top, _or_all(roles, some_roles))),
    )


def _or_all(known: Collection[str], some: Reader[tuple[str, ...]]) -> Reader[tuple[str, ...]]:
    """A list, or "*" (alone or in a list) for all that is known."""

    def read(piece: Piece) -> tuple[str, ...] | None:
        if piece.raw == "*" or (piece.kind == "seq" and [item.raw for item in items(piece)] == ["*"]):
            return tuple(known)
        return some(piece)

    return read


def _actors(top: Section, some_roles: Reader[tuple[str, ...]]) -> list[Actor]:
    actors: list[Actor] = []
    for piece in items(top.parts["actors"]) if "actors" in top else ():
        spec = section(piece, ("name", "roles", "attributes"), ("name", "roles"))
        if spec is None:
            continue
        name = spec.get(
            "name", text(r"(user|account|oidc|key):\S.*", _ACTOR), ""
        )
        if name and name in {actor.name for actor in actors}:
            spec.at("name").say(f"found the actor {name!r} again, expected it once.")
        attributes = {
            key.raw: value.raw
            for key, value in (entries(spec.parts["attributes"]) if "attributes" in spec else ())
            if label(value) is not None
        }
        actors.append(Actor(name=name, roles=spec.get("roles", some_roles, ()), attributes=attributes))
    return actors


def _changes(top: Section, roles: Reader[tuple[str, ...]], actors: Collection[Actor]) -> Approval | None:
    spec = section(top.parts["changes"], ("people", "roles"), ("people", "roles")) if "changes" in top else None
    if spec is None:
        return None
    asked = Approval(people=spec.get("people", whole(2, 9), 2), roles=spec.get("roles", roles, ()))
    able = sum(bool({*a.roles} & {*asked.roles}) for a in actors)
    if asked.roles and able < asked.people:
        some = "no actor has" if able == 0 else "one actor has" if able == 1 else f"{able} actors have"
        spec.at("people").wrong(f"at most as many as could approve; {some} one of these roles, so no change would pass")
    return asked


def _grants(top: Section, roles: Reader[tuple[str, ...]], purposes: Collection[str] | None) -> list[Grant]:
    a_purpose = text() if purposes is None else choice(purposes, f"a purpose of purposes.yaml: {one_of(purposes)}")
    known = choice({*CATEGORIES, "*"}, "a data category of fideslang, such as user.contact, or '*'")
    grants = []
    for piece in items(top.parts["grants"]) if "grants" in top else ():
        keys = ("roles", "purposes", "categories", "verdict")
        spec = section(piece, keys, keys)
        if spec is None:
            continue
        grants.append(
            Grant(
                roles=spec.get("roles", roles, ()),
                purposes=spec.get("purposes", _or_all(purposes or ("*",), many(a_purpose)), ()),
                categories=spec.get("categories", _or_all(("*",), many(known)), ()),
                verdict=cast(Verdict, spec.get("verdict", choice(get_args(Verdict)), "hidden")),
                line=piece.line,
            )
        )
    return grants


def _functions(top: Section, roles: Reader[tuple[str, ...]]) -> list[Allow]:
    found = []
    for piece in items(top.parts["functions"]) if "functions" in top else ():
        spec = section(piece, ("roles", "may"), ("roles", "may"))
        if spec is not None:
            may = spec.get("may", _or_all(FUNCTIONS, many(choice(FUNCTIONS))), ())
            found.append(Allow(roles=spec.get("roles", roles, ()), functions=may, line=piece.line))
    return found


def _row_rules(
    top: Section,
    roles: Reader[tuple[str, ...]],
    tables: Mapping[str, Collection[str]] | None,
    actors: Collection[Actor],
) -> list[RowRule]:
    rules = []
    for piece in items(top.parts["rows"]) if "rows" in top else ():
        keys = ("roles", "tables", "column", "values")
        spec = section(piece, keys, keys)
        if spec is None:
            continue
        named = spec.get("tables", many(text() if tables is None else choice(tables)), ())
        column = spec.get("column", text(), "")
        for table, known in ((t, tables[t]) for t in named if tables and column):
            if column not in known:
                spec.at("column").wrong(f"a column of {table!r}: {one_of(known)}", known)
        told = {attribute for actor in actors for attribute in actor.attributes}
        values = spec.get("values", many(label), ())
        for value in values:
            if value.startswith("$") and value[1:] not in told:
                spec.at("values").wrong(
                    f"an attribute that some actor has: {one_of(sorted(told)) if told else 'none has any'}",
                    sorted("$" + t for t in told),
                    f"{value!r}, so the rule would show nobody anything",
                )
        rules.append(
            RowRule(
                roles=spec.get("roles", roles, ()),
                tables=named,
                column=column,
                values=values,
                line=piece.line,
            )
        )
    return rules
