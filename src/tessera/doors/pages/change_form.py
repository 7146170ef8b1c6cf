"""A file of the workspace as a form: what a control is, and what the file says once they were filled in.

A form reaches the parts that people change; the rest stays in the text beside it. It is made from what the text says, so the
same text always gives the same form, and a name that is not in the form changes nothing.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tessera.doors.pages import change_tree
from tessera.doors.pages.change_tree import Fact, numeric
from tessera.errors import NotFound

Kind = Literal["text", "long", "number", "choice", "many", "words", "tree"]
Path = tuple[str | int, ...]
Fields = Mapping[str, Sequence[str]]
Option = tuple[str, str]
ALL = "*"


@dataclass(frozen=True, kw_only=True)
class Control:
    """One control of the form. path: where its value stands in what the file says. needed: it may not be empty; an empty one
    that need not be there is taken out of the file. options: value and words, of a choice. facts: what conditions may ask."""

    kind: Kind
    path: Path
    label: str
    value: Any = None
    options: tuple[Option, ...] = ()
    needed: bool = False
    hint: str = ""
    facts: tuple[Fact, ...] = ()

    @property
    def name(self) -> str:
        """Its name in the form."""
        return "f:" + ".".join(map(str, self.path))

    @property
    def id(self) -> str:
        """Its id on the page."""
        return re.sub(r"[^A-Za-z0-9_-]", "-", self.name)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing of a list: a segment, a candidate, a line of access. path: where it stands. about: more of it, while it is
    shut; mark: a word of ours on it. named: whether its title is its name."""

    title: str
    path: Path
    controls: tuple[Control, ...]
    about: str = ""
    mark: str = ""
    named: bool = True


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the form. adds: what one more is called; by_name: it is asked for the name of one more."""

    title: str
    about: str = ""
    controls: tuple[Control, ...] = ()
    items: tuple[Item, ...] = ()
    path: Path = ()
    adds: str = ""
    by_name: bool = False
    new: Any = None


Form = tuple[Section, ...]

KEPT: tuple[Path, ...] = (("grants",), ("actors",), ("candidates",))
"""Lists that have to be there, also when they are empty."""


def filled(form: Form, said: Any, fields: Fields) -> Any:
    """What the file says with what was filled in; what was not touched stays as it is, also in how it is written."""
    wanted = copy.deepcopy(said)
    for control in controls(form):
        if control.kind == "tree":
            text = change_tree.filled(control.name, control.value, control.facts, fields)
            if text is not None:
                _set(wanted, control.path, text or ("" if control.needed else None))
        elif control.name in fields:
            value = _read(control, fields[control.name])
            if value != _shown(control):
                _set(wanted, control.path, _typed(control, value))
    return wanted


def acted(form: Form, said: Any, act: str, fields: Fields) -> Any:
    """What the file says after one press of a button that adds or takes away. Raises NotFound for another act."""
    wanted = copy.deepcopy(said)
    verb, _, rest = act.partition(":")
    for section in form:
        named = ".".join(map(str, section.path))
        if verb == "add" and section.adds and rest == named:
            _add(wanted, section, " ".join(fields.get(f"name:{named}", [""])[:1]).strip())
            return wanted
        for item in section.items:
            if verb == "drop" and rest == ".".join(map(str, item.path)):
                held = at(wanted, item.path[:-1])
                del held[item.path[-1]]
                if not held and isinstance(held, list) and section.path not in KEPT:
                    del at(wanted, section.path[:-1])[section.path[-1]]
                return wanted
    for control in controls(form):
        if control.kind == "tree" and rest.startswith(control.name + ":"):
            text = change_tree.pressed(at(wanted, control.path), control.facts, verb, rest[len(control.name) + 1 :])
            _set(wanted, control.path, text or ("" if control.needed else None))
            return wanted
    raise NotFound("Button", act[:60])


def controls(form: Form) -> Iterable[Control]:
    """All controls of a form."""
    for section in form:
        yield from section.controls
        for item in section.items:
            yield from item.controls


# from what was filled in to what the file says


def _shown(control: Control) -> Any:
    """The value as the form shows it, which comes back when nobody touched it."""
    value = control.value
    if control.kind == "many":
        return sorted(value)
    if control.kind == "words":
        return [value] if isinstance(value, str) else [str(v) for v in value or ()]
    return "" if value is None else _spelt(value)


def _spelt(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _read(control: Control, values: Sequence[str]) -> Any:
    if control.kind == "many":
        return sorted(v for v in values if v in {o[0] for o in control.options})
    text = values[0].strip()
    if control.kind == "words":
        return [w for w in re.split(r"[\s,，、]+", text) if w]
    return re.sub(r"\s*\n\s*", " ", text) if control.kind == "long" else text


def _typed(control: Control, value: Any) -> Any:
    """The value as YAML has it; None takes it out."""
    if control.kind == "many":
        chosen = [ALL] if ALL in value else [o for o, _ in control.options if o in value]
        kept = [v for v in control.value if v in chosen]
        return ALL if chosen == [ALL] else [*kept, *(c for c in chosen if c not in kept)]
    if control.kind == "words":
        return ALL if value == [ALL] else value
    if control.kind == "number" and value:
        return numeric(value)
    return value if value or control.needed else None


def at(of: Any, path: Sequence[str | int]) -> Any:
    """What stands at the end of a path; None where it leads nowhere."""
    for step in path:
        try:
            of = of[step]
        except (KeyError, IndexError, TypeError):
            return None
    return of


def _set(of: Any, path: Path, value: Any) -> None:
    """Puts a value where the path leads, or (None) takes it out; a mapping that is left empty goes too."""
    if value is not None:
        for step in path[:-1]:
            if isinstance(of, dict) and not isinstance(of.get(step), dict | list):
                of[step] = {}
            of = of[step]
        of[path[-1]] = value
        return
    holders = [of]
    for step in path[:-1]:
        if (inner := at(holders[-1], (step,))) is None:
            return
        holders.append(inner)
    holders[-1].pop(path[-1], None)
    for step, holder, inner in reversed(list(zip(path[:-1], holders, holders[1:], strict=False))):
        if inner or not isinstance(holder, dict):
            return
        del holder[step]


def _add(wanted: Any, section: Section, name: str) -> None:
    holder, last = at(wanted, section.path[:-1]), section.path[-1]
    if section.by_name:
        named = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "new"
        holder[last] = {**(holder.get(last) or {}), named: copy.deepcopy(section.new)}
        return
    held = holder.get(last) or []
    new = copy.deepcopy(section.new)
    for key in ("name", "id"):
        taken = {str(h.get(key)) for h in held if isinstance(h, Mapping)}
        if key in new:
            stem, n = new[key], 2
            while new[key] in taken:
                new[key], n = f"{stem}_{n}", n + 1
    holder[last] = [*held, new]
