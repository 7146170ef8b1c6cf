"""A file of the workspace as a form: which controls it has, and what the file says once they were filled in.

A form reaches the parts that people change; the rest stays in the text beside it. It is made from what the text says, so the
same text always gives the same form, and a name that is not in the form changes nothing.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tessera.action.facts import CATEGORIES as FACTS
from tessera.action.facts import EVENT, NOW, SEGMENT
from tessera.config import FUNCTIONS, Basis, Config, Verdict
from tessera.data.conditions import AGE, ALL_OPS, BETWEEN, IN, NONE, NOT_IN, SOME, Constant, Group, Part, Test, Written, tree, written
from tessera.data.profiles import PROFILES
from tessera.data.raw import EVENTS
from tessera.doors.pages.tongue import N_
from tessera.errors import NotFound
from tessera.fideslang import USES
from tessera.insight.features import FEATURES
from tessera.insight.segments.rules import READ

Kind = Literal["text", "long", "number", "choice", "many", "words", "flag", "tree"]
Path = tuple[str | int, ...]
Fields = Mapping[str, Sequence[str]]
Option = tuple[str, str]
ALL = "*"


@dataclass(frozen=True, kw_only=True)
class Control:
    """One control of the form. path: where its value stands in what the file says. needed: it may not be empty; an empty one
    that need not be there is taken out of the file. options: value and words, of a choice. said: whether its words are ours."""

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
class Fact:
    """What a condition may ask for. kind: of its values."""

    value: str
    label: str
    kind: Literal["number", "text", "moment", "days"]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing of a list: a segment, a candidate, a line of access. path: where it stands."""

    title: str
    path: Path
    controls: tuple[Control, ...]


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
    new: Any = field(default=None)


Form = tuple[Section, ...]

LABELS: dict[str, str] = {
    "customer_since": N_("Customer since"), "orders": N_("Orders"), "revenue_cents": N_("Spent so far, in cents"),
    "first_order_at": N_("First order"), "last_order_at": N_("Last order"), "events": N_("Events on the site"),
    "page_views": N_("Pages viewed"), "products_viewed": N_("Products viewed"), "cart_additions": N_("Times put into the cart"),
    "first_seen_at": N_("First seen"), "last_seen_at": N_("Last seen"), "touches": N_("Touches by campaigns"),
    "posts": N_("Posts"), "last_post_at": N_("Last post"), "readings": N_("Readings of her devices"),
    "device_errors": N_("Errors of her devices"), "last_reading_at": N_("Last reading"),
    "r_score": N_("How recently, 1 to 5"), "f_score": N_("How often, 1 to 5"), "m_score": N_("For how much, 1 to 5"),
    "rfm": N_("The three scores, as in 545"), "as_of": N_("Day of the turn"), "city": N_("City"), "country": N_("Country"),
    "region": N_("Region"), "language": N_("Language"), "tier": N_("Tier"), "records": N_("Records of her"),
    "first_channel": N_("First channel"), "last_channel": N_("Last channel"), "last_product_id": N_("Last product"),
    "segment": N_("Segment"),
}  # fmt: skip
"""Facts in words; others go by their names."""

OPS: dict[str, str] = {
    "=": N_("is"), "<>": N_("is not"), ">": N_("is more than"), ">=": N_("is at least"), "<": N_("is less than"),
    "<=": N_("is at most"), BETWEEN: N_("is between"), IN: N_("is one of"), NOT_IN: N_("is none of"),
    NONE: N_("is not known"), SOME: N_("is known"),
}  # fmt: skip
assert tuple(OPS) == ALL_OPS


def form(file: str, said: Any, config: Config) -> Form:
    """The form of a file; empty for one that is changed as text alone, and for a text that is no mapping.

    said: what its text says (yamledit.data). config: of the workspace, for what may be chosen.
    """
    kind = file.partition("/")[0]
    made = MADE.get(kind)
    return made(said, config) if made is not None and isinstance(said, Mapping) else ()


def filled(form: Form, said: Any, fields: Fields) -> Any:
    """What the file says with what was filled in; what was not touched stays as it is, also in how it is written."""
    wanted = copy.deepcopy(said)
    for control in controls(form):
        if control.kind == "tree":
            _fill_tree(control, wanted, fields)
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
                held = _at(wanted, item.path[:-1])
                del held[item.path[-1]]
                if not held and isinstance(held, list) and section.path not in KEPT:
                    del _at(wanted, section.path[:-1])[section.path[-1]]
                return wanted
    for control in controls(form):
        if control.kind == "tree" and rest.startswith(control.name + ":"):
            _grow(control, wanted, verb, rest[len(control.name) + 1 :])
            return wanted
    raise NotFound("Button", act[:60])


def controls(form: Form) -> Iterable[Control]:
    """All controls of a form."""
    for section in form:
        yield from section.controls
        for item in section.items:
            yield from item.controls


def group(control: Control) -> Group:
    """The conditions of a tree's rule; none where it is empty."""
    return tree(str(control.value)) if control.value else Group()


# the files


def _segments(said: Mapping[str, Any], config: Config) -> Form:
    own = [str(f.get("name", "")) for f in _items(said.get("features"))]
    kinds = {c.name: _kind(c.lake_type) for c in FEATURES.columns}
    facts = _facts([*((c, kinds[c]) for c in READ), *((o, "number") for o in own if o)])
    rules = [
        Item(
            title=str(r.get("name", "")), path=("rules", n),
            controls=(
                _text(r, ("rules", n, "name"), N_("Name"), needed=True),
                _text(r, ("rules", n, "label", "en"), N_("Words in English"), needed=True),
                _text(r, ("rules", n, "label", "zh"), N_("Words in Chinese"), needed=True),
                Control(kind="tree", path=("rules", n, "when"), label=N_("Who is in it"), value=r.get("when"), facts=facts,
                        needed=True),
            ),
        )
        for n, r in _listed(said.get("rules"))
    ]  # fmt: skip
    figures = [
        Item(
            title=str(f.get("name", "")), path=("features", n),
            controls=(
                _text(f, ("features", n, "name"), N_("Name"), needed=True),
                _text(f, ("features", n, "sql"), N_("Reckoned as"), needed=True, hint=N_("such as revenue_cents / orders")),
            ),
        )
        for n, f in _listed(said.get("features"))
    ]  # fmt: skip
    return (
        Section(
            title=N_("Segments by rule"), about=N_("Who meets the conditions is in it, from the next turn on."), path=("rules",),
            items=tuple(rules), adds=N_("Add a segment"),
            new={"name": "new_segment", "label": {"en": "New segment", "zh": "新细分"}, "when": "orders >= 1"},
        ),
        Section(
            title=N_("Figures of your own"), about=N_("Reckoned from what is known of each person; rules may use them."),
            path=("features",), items=tuple(figures), adds=N_("Add a figure"),
            new={"name": "new_figure", "sql": "revenue_cents / orders"},
        ),
        Section(
            title=N_("Groups that are learned"),
            controls=(
                _number(said, ("k",), N_("How many"), hint=N_("empty: chosen from the data")),
                _number(said, ("seed",), N_("Seed")),
                _choice(said, ("purpose",), N_("For which purpose"), _same(config.purposes), needed=False),
            ),
        ),
    )  # fmt: skip


def _decisions(said: Mapping[str, Any], config: Config) -> Form:
    moving = {c.name: _kind(c.lake_type) for c in PROFILES.columns}
    events = {EVENT + c.name: _kind(c.lake_type) for c in EVENTS.columns}
    known = [(f, moving.get(f) or events.get(f, "text")) for f in sorted(FACTS) if f not in (NOW, SEGMENT)]
    facts = _facts([*sorted(known, key=lambda k: k[0].startswith(EVENT)), (SEGMENT, "text")])
    candidates = []
    for n, c in _listed(said.get("candidates")):
        at: Path = ("candidates", n)
        some = [
            _text(c, (*at, "id"), N_("Name"), needed=True),
            Control(kind="tree", path=(*at, "when"), label=N_("For whom"), value=c.get("when"), facts=facts,
                    hint=N_("Without a condition it is for everybody.")),
            _number(c, (*at, "weight"), N_("Weight"), hint=N_("empty: 1")),
        ]  # fmt: skip
        if c.get("recommend") is True:
            some.append(_number(c, (*at, "most"), N_("Products at most"), hint=N_("empty: 10")))
        else:
            some.append(_text(c, (*at, "product"), N_("Product")))
        title = c.get("show", {}).get("title") if isinstance(c.get("show"), Mapping) else None
        if isinstance(title, Mapping):
            some += [
                _text(c, (*at, "show", "title", "en"), N_("Title in English")),
                _text(c, (*at, "show", "title", "zh"), N_("Title in Chinese")),
            ]
        candidates.append(Item(title=str(c.get("id", "")), path=at, controls=tuple(some)))
    share = N_("a share from 0 to 1")
    return (
        Section(
            title=N_("The decision"),
            controls=(
                _text(said, ("decision",), N_("Name"), needed=True),
                _choice(said, ("purpose",), N_("For which purpose"), _same(config.purposes)),
                _number(said, ("control",), N_("Control group"), hint=share),
                _number(said, ("explore",), N_("Tried at random"), hint=share),
            ),
        ),
        Section(
            title=N_("Candidates"), about=N_("What may be shown, and to whom; what works best is learned."), path=("candidates",),
            items=tuple(candidates), adds=N_("Add a candidate"),
            new={"id": "new_candidate", "when": "orders > 0", "show": {"title": {"en": "New", "zh": "新"}}},
        ),
        Section(
            title=N_("Limits and success"),
            controls=(
                _number(said, ("cap", "times"), N_("Shown at most so many times")),
                _text(said, ("cap", "within"), N_("Within"), hint=N_("such as 30m, 12h or 7d")),
                _text(said, ("outcome", "event"), N_("It worked if this event comes")),
                _text(said, ("outcome", "within"), N_("Within"), hint=N_("such as 30m, 12h or 7d")),
            ),
        ),
    )  # fmt: skip


def _purposes(said: Mapping[str, Any], config: Config) -> Form:
    spec = said.get("purposes")
    items = []
    for name, p in spec.items() if isinstance(spec, Mapping) else ():
        if not isinstance(p, Mapping):
            continue
        at: Path = ("purposes", name)
        languages = list(dict.fromkeys([*config.languages, *(p.get("sentence") if isinstance(p.get("sentence"), Mapping) else ())]))
        words = {"en": N_("The sentence in English"), "zh": N_("The sentence in Chinese")}
        items.append(
            Item(
                title=name, path=at,
                controls=(
                    *(
                        Control(kind="long", path=(*at, "sentence", one), label=words.get(one, one), needed=True,
                                value=_at(p, ("sentence", one)))
                        for one in languages
                    ),
                    _text(p, (*at, "version"), N_("Version of the wording"), hint=N_("change it when you change a sentence")),
                    _choice(p, (*at, "basis"), N_("Legal basis"), tuple((b, b) for b in get_args(Basis))),
                    _choice(p, (*at, "data_use"), N_("Data use"), _same(USES)),
                    _number(p, (*at, "keep_days"), N_("Days that data is kept"), hint=N_("empty: for as long as nothing else ends it")),
                    _words(p, (*at, "categories"), N_("Categories of data"), hint=N_("of fideslang, each with all below it")),
                ),
            )
        )  # fmt: skip
    return (
        Section(
            title=N_("Purposes"), about=N_("Why data is used. Customers read the sentences."), path=("purposes",),
            items=tuple(items), adds=N_("Add a purpose"), by_name=True,
            new={
                "data_use": "analytics.reporting", "basis": "consent", "version": "1",
                "sentence": {"en": "We use your data to …", "zh": "我们使用您的数据来……"}, "categories": ["user.behavior"],
                "keep_days": 365,
            },
        ),
    )  # fmt: skip


def _access(said: Mapping[str, Any], config: Config) -> Form:
    roles = [r for r in said.get("roles") or [] if isinstance(r, str)]
    who, why = _some(roles, N_("all roles")), _some(config.purposes, N_("all purposes"))
    may = _some(FUNCTIONS, N_("everything"))
    grants = [
        Item(
            title="", path=("grants", n),
            controls=(
                _many(g, ("grants", n, "roles"), N_("Roles"), who),
                _many(g, ("grants", n, "purposes"), N_("For these purposes"), why),
                _words(g, ("grants", n, "categories"), N_("See these categories"), hint=N_("of fideslang, each with all below it; * for all")),
                _choice(g, ("grants", n, "verdict"), N_("In this way"), VERDICTS),
            ),
        )
        for n, g in _listed(said.get("grants"))
    ]  # fmt: skip
    allowed = [
        Item(
            title="", path=("functions", n),
            controls=(
                _many(f, ("functions", n, "roles"), N_("Roles"), who),
                _many(f, ("functions", n, "may"), N_("May use"), may),
            ),
        )
        for n, f in _listed(said.get("functions"))
    ]  # fmt: skip
    actors = [
        Item(
            title=str(a.get("name", "")), path=("actors", n),
            controls=(
                _text(a, ("actors", n, "name"), N_("Name"), needed=True, hint=N_("user:NAME, account:NAME, oidc:SUBJECT or key:NAME")),
                _many(a, ("actors", n, "roles"), N_("Roles"), who),
            ),
        )
        for n, a in _listed(said.get("actors"))
    ]  # fmt: skip
    first = roles[0] if roles else "owner"
    return (
        Section(
            title=N_("Who sees what, for what"), about=N_("What no line gives is hidden."), path=("grants",), items=tuple(grants),
            adds=N_("Add a line"),
            new={"roles": [first], "purposes": ["operate"], "categories": ["system"], "verdict": "masked"},
        ),
        Section(
            title=N_("What roles may do"), path=("functions",), items=tuple(allowed), adds=N_("Add a line"),
            new={"roles": [first], "may": ["tables"]},
        ),
        Section(
            title=N_("People and programs"), path=("actors",), items=tuple(actors), adds=N_("Add somebody"),
            new={"name": "user:new", "roles": [first]},
        ),
        Section(
            title=N_("Roles"),
            controls=(
                _words(said, ("roles",), N_("Roles"), hint=N_("names of small letters")),
                _text(said, ("contact",), N_("Whom to ask when something is refused")),
            ),
        ),
    )  # fmt: skip


MADE: dict[str, Callable[[Mapping[str, Any], Config], Form]] = {
    "segments.yaml": _segments, "decisions": _decisions, "purposes.yaml": _purposes, "access.yaml": _access,
}  # fmt: skip
KEPT: tuple[Path, ...] = (("grants",), ("actors",), ("candidates",))
"""Lists that have to be there, also when they are empty."""

VERDICTS: tuple[Option, ...] = tuple(
    (v, {"clear": N_("as it is"), "masked": N_("masked"), "generalised": N_("coarser"), "hidden": N_("not at all")}[v])
    for v in get_args(Verdict)
)

# making controls


def _text(of: Any, path: Path, label: str, *, needed: bool = False, hint: str = "") -> Control:
    return Control(kind="text", path=path, label=label, value=_own(of, path), needed=needed, hint=hint)


def _number(of: Any, path: Path, label: str, *, hint: str = "") -> Control:
    return Control(kind="number", path=path, label=label, value=_own(of, path), hint=hint)


def _choice(of: Any, path: Path, label: str, options: tuple[Option, ...], *, needed: bool = True) -> Control:
    value = _own(of, path)
    known = [o[0] for o in options]
    if value is not None and value not in known:
        options = (*options, (str(value), str(value)))
    if not needed or value is None:
        options = (("", "–"), *options)
    return Control(kind="choice", path=path, label=label, value=value, options=options, needed=needed)


def _words(of: Any, path: Path, label: str, *, hint: str = "") -> Control:
    return Control(kind="words", path=path, label=label, value=_own(of, path), needed=True, hint=hint)


def _many(of: Any, path: Path, label: str, options: tuple[Option, ...]) -> Control:
    value = _own(of, path)
    chosen = [value] if isinstance(value, str) else [v for v in value or () if isinstance(v, str)]
    options = (*options, *((c, c) for c in chosen if c not in {o[0] for o in options}))
    return Control(kind="many", path=path, label=label, value=chosen, options=options, needed=True)


def _same(names: Iterable[str]) -> tuple[Option, ...]:
    return tuple((n, n) for n in names)


def _some(names: Iterable[str], all_of_them: str) -> tuple[Option, ...]:
    return ((ALL, all_of_them), *((n, n) for n in names))


def _own(of: Any, path: Path) -> Any:
    """The value at the end of a path of which an item knows its own part."""
    for start in range(len(path)):
        if isinstance(path[start], str) and isinstance(of, Mapping) and path[start] in of:
            found = _at(of, path[start:])
            if found is not None:
                return found
    return None


def _facts(known: Iterable[tuple[str, str]]) -> tuple[Fact, ...]:
    made: list[Fact] = []
    for name, kind in known:
        label = LABELS.get(name, name)
        if kind == "moment":
            made.append(Fact(value=AGE + name, label=label, kind="days"))
        made.append(Fact(value=name, label=label, kind=kind))  # type: ignore[arg-type]
    return tuple(made)


def _kind(lake_type: str) -> str:
    if lake_type in ("DATE", "TIMESTAMPTZ"):
        return "moment"
    return "text" if lake_type == "VARCHAR" else "number"


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def _listed(value: Any) -> list[tuple[int, Mapping[str, Any]]]:
    return [(n, v) for n, v in enumerate(value) if isinstance(v, Mapping)] if isinstance(value, list) else []


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
        return ALL if chosen == [ALL] else [*(v for v in control.value if v in chosen), *(c for c in chosen if c not in control.value)]
    if control.kind == "words":
        return ALL if value == [ALL] else value
    if control.kind == "number" and value:
        return _numeric(value)
    return value if value or control.needed else None


def _numeric(text: str) -> Constant:
    """A number, or the text that is none: the file's own check says so, at its line."""
    if re.fullmatch(r"-?\d{1,15}", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d{1,12}\.\d{1,9}", text) else text


def _at(of: Any, path: Sequence[str | int]) -> Any:
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
        if (inner := _at(holders[-1], (step,))) is None:
            return
        holders.append(inner)
    holders[-1].pop(path[-1], None)
    for step, holder, inner in reversed(list(zip(path[:-1], holders, holders[1:], strict=False))):
        if inner or not isinstance(holder, dict):
            return
        del holder[step]


def _add(wanted: Any, section: Section, name: str) -> None:
    at, last = section.path[:-1], section.path[-1]
    holder = _at(wanted, at)
    if section.by_name:
        named = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "new"
        holder[last] = {**(holder.get(last) or {}), named: copy.deepcopy(section.new)}
        return
    held = holder.get(last) or []
    new = copy.deepcopy(section.new)
    for key in ("name", "id"):
        taken = {str(h.get(key)) for h in _items(held)}
        if key in new:
            stem, n = new[key], 2
            while new[key] in taken:
                new[key], n = f"{stem}_{n}", n + 1
    holder[last] = [*held, new]


# rules as trees

Nodes = dict[tuple[int, ...], dict[str, str]]


def _fill_tree(control: Control, wanted: Any, fields: Fields) -> None:
    mark = control.name + ":"
    nodes: Nodes = {}
    for name, values in fields.items():
        if name.startswith(mark) and values:
            at, _, what = name[len(mark) :].partition(":")
            if re.fullmatch(r"(\d{1,2}(\.\d{1,2}){0,8})?", at):
                nodes.setdefault(tuple(int(p) for p in at.split(".") if p), {})[what] = values[0]
    if () not in nodes:
        return
    made = _built(nodes, (), {f.value: f.kind for f in control.facts})
    assert isinstance(made, Group)
    if made != group(control):
        _set(wanted, control.path, written(made) or (None if not control.needed else ""))


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
    return Test(what=what, op=op, values=values)


def _value(text: str, number: bool) -> Constant:
    if number:
        return _numeric(text) if text else 0
    return text


def _grow(control: Control, wanted: Any, verb: str, at: str) -> None:
    """Adds a condition or a group to a group, or takes a part out."""
    path = tuple(int(p) for p in at.split(".") if p.isdecimal())
    first = control.facts[0].value if control.facts else "orders"
    first = "orders" if any(f.value == "orders" for f in control.facts) else first
    one = Test(what=first, op=">=", values=(1,))
    # Of one part alone a group would be no group any more once it is text.
    added: dict[str, Part] = {"test": one, "group": Group(how="any", parts=(one, Test(what="events", op=">=", values=(1,))))}
    root = tree(str(_at(wanted, control.path))) if _at(wanted, control.path) else Group()
    made = _changed(root, path, added[verb]) if verb in added else _without(root, path) if verb == "cut" else root
    _set(wanted, control.path, written(made) or (None if not control.needed else ""))


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
