"""A rule's conditions as controls: from what was filled in, and which button was pressed, to the rule's text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tessera.data.conditions import (
    ALL_OPS,
    BETWEEN,
    IN,
    NONE,
    NOT_IN,
    SOME,
    Condition,
    Constant,
    Group,
    Part,
    Written,
    tree,
    written,
)  # fmt: skip
from tessera.doors.pages.tongue import N_

OPS: dict[str, str] = {
    "=": N_("is"), "<>": N_("is not"), ">": N_("is more than"), ">=": N_("is at least"), "<": N_("is less than"),
    "<=": N_("is at most"), BETWEEN: N_("is between"), IN: N_("is one of"), NOT_IN: N_("is none of"),
    NONE: N_("is not known"), SOME: N_("is known"),
}  # fmt: skip
"""How a fact compares, in words."""
assert tuple(OPS) == ALL_OPS


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What a condition may ask for. kind: of its values."""

    value: str
    label: str
    kind: Literal["number", "text", "moment", "days"]


Nodes = dict[tuple[int, ...], dict[str, str]]
"""Fields of a rule's controls, by where they stand in its tree."""


def group(text: Any) -> Group:
    """The conditions of a rule; none where there is no rule."""
    return tree(str(text)) if text else Group()


def filled(name: str, text: Any, facts: Sequence[Fact], fields: Mapping[str, Sequence[str]]) -> str | None:
    """The rule's text after its controls were filled in; None where they say what it says already."""
    mark = name + ":"
    nodes: Nodes = {}
    for field, values in fields.items():
        if field.startswith(mark) and values:
            at, _, what = field[len(mark) :].partition(":")
            if re.fullmatch(r"(\d{1,2}(\.\d{1,2}){0,8})?", at):
                nodes.setdefault(tuple(int(p) for p in at.split(".") if p), {})[what] = values[0]
    made = _built(nodes, (), {f.value: f.kind for f in facts}) if () in nodes else None
    return written(made) if isinstance(made, Group) and made != group(text) else None


def pressed(text: Any, facts: Sequence[Fact], verb: str, at: str) -> str:
    """The rule's text after a button was pressed that adds a condition or a group to a group, or takes a part out."""
    path = tuple(int(p) for p in at.split(".") if p.isdecimal())
    known = [f.value for f in facts]
    one, two = (Condition(what=w if w in known else known[0], op=">=", values=(1,)) for w in ("orders", "events"))
    # Of one part alone a group would be no group any more once it is text.
    added: dict[str, Part] = {"test": one, "group": Group(how="any", parts=(one, two))}
    if verb in added:
        return written(_changed(group(text), path, added[verb]))
    return written(_without(group(text), path)) if verb == "cut" else written(group(text))


def numeric(text: str) -> Constant:
    """A number, or the text that is none: the file's own check says so, at its line."""
    if re.fullmatch(r"-?\d{1,15}", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d{1,12}\.\d{1,9}", text) else text


def _built(nodes: Nodes, at: tuple[int, ...], kinds: Mapping[str, str]) -> Part:
    node = nodes[at]
    if "how" in node:
        below = sorted(k for k in nodes if len(k) == len(at) + 1 and k[: len(at)] == at)
        parts = tuple(_built(nodes, k, kinds) for k in below)
        return Group(how="any" if node["how"].startswith("any") else "all", negated=node["how"].endswith("-not"), parts=parts)
    if "sql" in node:
        return Written(text=node["sql"].strip()[:2_000])
    what, op = node.get("what", ""), node.get("op", "=")
    number = kinds.get(what, "text") in ("number", "days")
    value, more = node.get("v", "").strip(), node.get("w", "").strip()
    if op not in ALL_OPS or not re.fullmatch(r"(days_since:)?[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?", what):
        return Written(text="")
    values: tuple[Constant, ...] = ()
    if op == BETWEEN:
        values = (_value(value, number), _value(more, number))
    elif op in (IN, NOT_IN):
        values = tuple(_value(v.strip(), number) for v in re.split(r"[,，]", value) if v.strip()) or (_value("", number),)
    elif op not in (NONE, SOME):
        values = (_value(value, number),)
    return Condition(what=what, op=op, values=values)


def _value(text: str, number: bool) -> Constant:
    if number:
        return numeric(text) if text else 0
    return text


def _changed(node: Group, path: tuple[int, ...], new: Part) -> Group:
    if not path:
        parts: tuple[Part, ...] = (*node.parts, new)
    else:
        below = node.parts[path[0]] if path[0] < len(node.parts) else None
        if not isinstance(below, Group):
            return node
        parts = (*node.parts[: path[0]], _changed(below, path[1:], new), *node.parts[path[0] + 1 :])
    return Group(how=node.how, negated=node.negated, parts=parts)


def _without(node: Group, path: tuple[int, ...]) -> Group:
    if not path or path[0] >= len(node.parts):
        return node
    below = node.parts[path[0]]
    kept = () if len(path) == 1 else (_without(below, path[1:]),) if isinstance(below, Group) else (below,)
    return Group(how=node.how, negated=node.negated, parts=(*node.parts[: path[0]], *kept, *node.parts[path[0] + 1 :]))
