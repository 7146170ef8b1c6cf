"""Who may see what for what: the matrix of access.yaml as verdicts with their reason, and masks as SQL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tessera.account import account
from tessera.config import Access, Actor, Config, Purpose, RowRule, Verdict
from tessera.errors import NotAllowed, NotFound
from tessera.fideslang import covers
from tessera.lake.engine import literal, name
from tessera.lake.table import Column, Table

STRICTNESS: dict[Verdict, int] = {"clear": 0, "generalised": 1, "masked": 2, "hidden": 3}
VEIL = "•••"
PLACE, COUNTRY, LANGUAGE = "user.location", "country", "language"
LONGEST_PLAIN = 6
"""A text of more letters shows its ends when it is masked; of a shorter one they would be too much of it."""


SUBJECT = "customer"
"""The role of the person whose data they are, at her own door; no role of access.yaml."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The person whose data they are: her number and all her keys."""

    person: int
    keys: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Someone reading now: an actor in one of her roles, for one purpose. subject: set where she reads her own data: all
    of hers in clear, and nobody else's. about: the one person whose page it is: no other's row is read for it."""

    actor: Actor
    role: str
    purpose: Purpose
    subject: Subject | None = None
    about: Subject | None = None

    @property
    def one(self) -> Subject | None:
        """The only person whose rows are read; None where it may be anybody's."""
        return self.subject or self.about


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A verdict, the sentence that says why, and the line of a file that decided it (empty if none did)."""

    verdict: Verdict
    reason: str
    where: str = ""


def who(config: Config, role: str | None, purpose: str, actor: str | None = None) -> Reader:
    """The reader that a door has before it; NotAllowed for a role that is not hers, NotFound for a purpose unknown.

    Without a role she reads in her first; without an actor she is the user of the machine.
    """
    access = config.access
    wanted = actor or f"user:{account()}"
    found = next((a for a in access.actors if a.name == wanted), None)
    if found is None:
        raise NotAllowed(f"{wanted} has no role in this workspace.", f"Ask {access.contact} (access.yaml, actors).")
    if purpose not in config.purposes:
        raise NotFound("Purpose", purpose, config.purposes)
    chosen = role or found.roles[0]
    if chosen not in access.roles:
        raise NotFound("Role", chosen, access.roles)
    if chosen not in found.roles:
        raise NotAllowed(
            f"{wanted} may not act as {chosen!r}; hers are {', '.join(found.roles)}.",
            f"Ask {access.contact} (access.yaml, actors).",
        )
    return Reader(actor=found, role=chosen, purpose=config.purposes[purpose])


def herself(config: Config, person: int, keys: Iterable[int]) -> Reader:
    """The reader that a customer is to us at her own door, under `operate`. keys: all of hers."""
    subject = Subject(person=person, keys=frozenset(keys))
    actor = Actor(name=SUBJECT, roles=(SUBJECT,))
    return Reader(actor=actor, role=SUBJECT, purpose=config.purposes["operate"], subject=subject)


def verdict(access: Access, role: str, purpose: Purpose, category: str) -> Seen:
    """What this role may see of a category for a purpose: the line with the longest matching category decides, of
    equally long ones the strictest; without a line, or beyond what the purpose may use at all, hidden."""
    if purpose.categories and category.startswith("user") and not any(covers(c, category) for c in purpose.categories):
        reason = f"The purpose {purpose.name} may not use {category} (purposes.yaml)."
        return Seen(verdict="hidden", reason=reason, where=f"purposes.yaml:{purpose.line}")
    best: tuple[int, int, Verdict, int] | None = None
    for grant in access.grants:
        if not (_in(role, grant.roles) and _in(purpose.name, grant.purposes)):
            continue
        for prefix in grant.categories:
            if prefix == "*" or covers(prefix, category):
                length = 0 if prefix == "*" else len(prefix)
                rank = (length, STRICTNESS[grant.verdict], grant.verdict, grant.line)
                if best is None or rank[:2] > best[:2]:
                    best = rank
    if best is None:
        return Seen(verdict="hidden", reason=f"No line of access.yaml lets {role} see {category} for {purpose.name}.")
    where = f"access.yaml:{best[3]}"
    return Seen(verdict=best[2], reason=f"{where} gives {role} {category} for {purpose.name}: {best[2]}.", where=where)


def row_rules(access: Access, reader: Reader, table: Table) -> list[RowRule]:
    """The rules that cut this table's rows for the reader."""
    return [r for r in access.row_rules if _in(reader.role, r.roles) and _in(table.name, r.tables)]


def row_condition(rule: RowRule, reader: Reader, table: Table) -> str:
    """A rule as SQL; a table without the rule's column, or a reader without its attribute, sees no row."""
    if rule.column not in table.names:
        return "FALSE"
    named = (reader.actor.attributes.get(v[1:]) if v.startswith("$") else v for v in rule.values)
    values = [v for v in named if v is not None]
    # As text: a rule on a number or a sealed column shows no row, and is no error that tells of one.
    return f"coalesce({name(rule.column)}::VARCHAR IN ({', '.join(map(literal, values))}), FALSE)" if values else "FALSE"


def masked(column: Column, seen: Verdict, table: Table | None = None) -> str:
    """A clear column as the verdict lets it out; sealed ones stay sealed and are veiled on the answer's rows.

    table: the column's; of a place it may know the country, which stands for the place.
    """
    plain = name(column.name)
    if seen == "clear" or column.sealed:
        return plain
    if seen == "generalised":
        if covers(PLACE, column.category) and table is not None and COUNTRY in table.names:
            return COUNTRY
        if column.name == LANGUAGE:
            return f"split_part(replace({plain}, '_', '-'), '-', 1)"
        if column.type.startswith("TIMESTAMP") or column.type == "DATE":
            return f"date_trunc('year', {plain})::{column.type}"
        if column.type in ("INTEGER", "BIGINT"):
            return f"({plain} // 100 * 100)::{column.type}"
        if column.type == "DOUBLE":
            return f"round({plain}, -1)"
        return f"NULL::{column.type}"
    if column.type == "VARCHAR":
        return f"CASE WHEN length({plain}) > 2 THEN left({plain}, 1) ELSE left({plain}, 0) END || {literal(VEIL)}"
    return f"NULL::{column.type}"


def veiled(column: str, text: str, seen: Verdict) -> str:
    """A sealed value as the verdict lets it out: masked, she who knows it will recognise it; generalised, it is what many
    people have in common."""
    if seen == "clear":
        return text
    name, at, domain = text.rpartition("@")
    if seen == "masked":
        if column == "email" and at:
            return f"{name[:1] if len(name) > 2 else ''}{VEIL}@{VEIL}"
        if column == "phone":
            return VEIL + (text[-2:] if len(text) > LONGEST_PLAIN else "")
        return (text[:1] if len(text) > 2 else "") + VEIL
    if column == "email" and at:
        return f"{VEIL}@{domain}"
    if column == "born":
        return text[:4] if text[:4].isdigit() and text[4:5] in ("-", "/", ".", "") else VEIL
    if column == "phone":
        return text[:3] + VEIL if text.startswith("+") and len(text) > LONGEST_PLAIN else VEIL
    return (text[:1] if len(text) > 2 else "") + VEIL


def _in(word: str, words: tuple[str, ...]) -> bool:
    return "*" in words or word in words
