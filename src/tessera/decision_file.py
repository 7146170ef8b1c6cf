"""decisions/*.yaml -> the points at which is decided, every mistake named by file and line."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from tessera.config import Contract, Door, Field, Purpose
from tessera.decision_points import FALLBACK, Candidate, Cap, Outcome, Point, Stock
from tessera.words import KINDS
from tessera.yamlmarks import Faults, Piece, read
from tessera.yamlread import Section, choice, flag, items, many, number, section, text, whole

_KEYS = (
    "decision", "purpose", "on", "control", "explore", "context", "candidates", "fallback", "outcome", "cap", "stock", "push",
)  # fmt: skip
SOURCE = "decisions"
"""The name of the source of what is decided here, and of the folder."""

_PSEUDONYM, _BEHAVIOUR = "user.unique_id.pseudonymous", "user.behavior"
_CATEGORY = {"email": "user.contact.email", "phone": "user.contact.phone_number"}
_COLUMNS = (
    ("id", "decision_id", _PSEUDONYM), ("at", "occurred_at", _BEHAVIOUR), ("decision", "decision", "system.operations"),
    ("purpose", "purpose", "system.operations"),
    ("candidate", "candidate", _BEHAVIOUR), ("product", "product_id", f"{_BEHAVIOUR}.browsing_history"),
    ("by", "chosen_by", _BEHAVIOUR), ("context", "context", _BEHAVIOUR), ("reason", "reason", _BEHAVIOUR),
)  # fmt: skip
"""Of a line: the name, the column of our table, the data category."""

_NAME = text(r"[a-z][a-z0-9_]{0,62}", "a name of small letters, digits and _, such as home_banner")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SHARE = number(0, 1)
_SECRET = text(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", "its name, such as ${CAMPAIGN_URL}: where decisions go is no public matter")

Judge = Callable[[str, Purpose | None], str | None]
"""Says of a rule why it may not be used for a purpose, or nothing."""

RECOMMENDING = ""
"""The rule that stands, before the judge, for recommending products."""


def points(
    folder: Path, faults: Faults, purposes: Mapping[str, Purpose] | None, judge: Judge | None
) -> tuple[Point, ...]:
    """The points of a folder, in the order of their files. judge: None leaves rules unchecked; mistakes go to `faults`."""
    made: dict[str, Point] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix not in (".yaml", ".yml") or path.name.startswith("."):
            continue
        root = read(path, f"{folder.name}/{path.name}", faults)
        top = section(root, _KEYS, ("decision", "purpose", "candidates")) if root else None
        if top is None:
            continue
        point = _point(top, purposes, judge or (lambda *_: None))
        if point.name in made:
            top.at("decision").wrong("a name that no other decision has")
        made[point.name] = point
    return tuple(made.values())


def contract(faults: Faults, taken: Collection[str]) -> Contract:
    """The source of what is decided here: it lies in a journal of its own, and lands as any other. taken: names of sources."""
    if SOURCE in taken:
        faults.add(f"{SOURCE}/", None, f"a source has the name {SOURCE!r}, which what is decided here lands under. Rename it.")
    plain = [
        Field(name=name, maps_to=column, required=name in ("id", "at", "decision", "purpose"), category=category,
              logical_type="timestamp" if name == "at" else "string", unique=name == "id")
        for name, column, category in _COLUMNS
    ]  # fmt: skip
    named = [Field(name=kind, identifier=kind, category=_CATEGORY.get(kind, _PSEUDONYM)) for kind in KINDS]
    return Contract(
        name=SOURCE, file=Path(SOURCE), kind="decisions", record="decision", fields=(*plain, *named), department="tessera",
        door=Door(dedupe_hours=0),
    )  # fmt: skip


def _point(top: Section, purposes: Mapping[str, Purpose] | None, judge: Judge) -> Point:
    purpose = top.get("purpose", choice(purposes) if purposes is not None else text(), "")
    rule = _ruled(judge, (purposes or {}).get(purpose))
    push = section(top.parts["push"], ("webhook",), ("webhook",)) if "push" in top else None
    if push and "on" not in top:
        top.at("push").say("nothing is pushed without `on`: name the events after which is decided.")
    candidates = _candidates(top, rule)
    outcome, stock = _outcome(top), _stock(top)
    if outcome and outcome.same_product and not any(c.product or c.recommend for c in candidates):
        top.at("outcome").say("same_product is asked for, and no candidate offers a product. Leave it out, or name a product.")
    return Point(
        name=top.get("decision", _NAME, ""),
        purpose=purpose,
        candidates=candidates,
        on=top.get("on", many(text()), ()),
        control=top.get("control", _SHARE, 0.1),
        explore=top.get("explore", _SHARE, 0.05),
        context=top.get("context", many(rule), ()),
        fallback=_plain(top.parts["fallback"]) if "fallback" in top else None,
        outcome=outcome,
        cap=_cap(top),
        stock=stock,
        webhook=push.get("webhook", _SECRET, "") if push else "",
    )


def _candidates(top: Section, rule: Callable[[Piece], str | None]) -> tuple[Candidate, ...]:
    made: list[Candidate] = []
    for piece in items(top.parts["candidates"]) if "candidates" in top else ():
        keys = ("id", "when", "show", "product", "recommend", "most", "weight")
        if (one := section(piece, keys, ("id",))) is None:
            continue
        name = one.get("id", _NAME, "")
        if name == FALLBACK or name in (c.id for c in made):
            one.at("id").wrong(f"an id that no other candidate has, and not {FALLBACK!r}")
        recommend = one.get("recommend", flag, False)
        if recommend and "product" in one:
            one.at("product").say("a candidate offers one product, or those that are recommended. Leave one of them out.")
        if recommend:
            rule(one.at("recommend"))
        if "most" in one and not recommend:
            one.at("most").say("most is for `recommend: true`: how many products it may stand for.")
        made.append(
            Candidate(
                id=name, when=one.get("when", rule, ""), show=_plain(one.parts["show"]) if "show" in one else None,
                product=one.get("product", text(), ""), recommend=recommend, most=one.get("most", whole(1, 100), 10),
                weight=one.get("weight", number(0.001, 1_000_000), 1.0),
            )
        )  # fmt: skip
    if not made and "candidates" in top:
        top.at("candidates").wrong("at least one candidate", found="none")
    return tuple(made)


def _outcome(top: Section) -> Outcome | None:
    spec = section(top.parts["outcome"], ("event", "within", "same_product"), ("event", "within")) if "outcome" in top else None
    if spec is None:
        return None
    return Outcome(
        event=spec.get("event", text(), ""), within_s=spec.get("within", _time, 1),
        same_product=spec.get("same_product", flag, False),
    )  # fmt: skip


def _cap(top: Section) -> Cap | None:
    spec = section(top.parts["cap"], ("times", "within"), ("times", "within")) if "cap" in top else None
    return Cap(times=spec.get("times", whole(1, 10_000), 1), within_s=spec.get("within", _time, 1)) if spec else None


def _stock(top: Section) -> Stock | None:
    spec = section(top.parts["stock"], ("file", "product", "left"), ("file", "product", "left")) if "stock" in top else None
    if spec is None:
        return None
    return Stock(file=spec.get("file", _below, ""), product=spec.get("product", text(), ""), left=spec.get("left", text(), ""))


def _below(piece: Piece) -> str | None:
    found = text()(piece)
    if found is None or found.startswith(("/", "~")) or ".." in Path(found).parts:
        piece.wrong("a file below the workspace, such as decisions/stock.csv")
        return None
    return found


def _time(piece: Piece) -> int | None:
    if re.fullmatch(r"[1-9]\d{0,4}[smhd]", piece.raw):
        return int(piece.raw[:-1]) * _SECONDS[piece.raw[-1]]
    piece.wrong("a time with its unit, such as 30m, 12h or 7d")
    return None


def _ruled(judge: Judge, purpose: Purpose | None) -> Callable[[Piece], str | None]:
    """A reader of rules; of `recommend: true` it asks whether anything may be recommended."""

    def read_(piece: Piece) -> str | None:
        found = RECOMMENDING if piece.kind == "bool" else text()(piece)
        if found is not None and (why := judge(found, purpose)):
            piece.say(why)
            return None
        return found

    return read_


def _plain(piece: Piece) -> Any:
    """Any YAML value as JSON has it; a date stays the text that it is."""
    node = piece.node
    if isinstance(node, yaml.MappingNode):
        return {key.value: _plain(Piece(value, piece.file, piece.faults)) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(Piece(value, piece.file, piece.faults)) for value in node.value]
    if piece.kind in ("null", "bool", "int", "float"):
        return yaml.safe_load(piece.raw) if piece.plain else piece.raw
    return piece.raw
