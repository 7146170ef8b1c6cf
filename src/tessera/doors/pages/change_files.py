"""Which controls a file of the workspace has: segments, decisions, purposes, access. Others are changed as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from tessera.action.facts import CATEGORIES as FACTS
from tessera.action.facts import EVENT, SEGMENT
from tessera.config import FUNCTIONS, Basis, Config, Verdict
from tessera.data.conditions import AGE
from tessera.data.profiles import PROFILES
from tessera.data.raw import EVENTS
from tessera.data.rules import NOW
from tessera.doors.pages.change_form import ALL, Control, Form, Item, Option, Path, Section, at
from tessera.doors.pages.change_tree import Fact
from tessera.doors.pages.tongue import N_
from tessera.fideslang import USES
from tessera.insight.features import FEATURES
from tessera.insight.segments.rules import READ

LABELS: dict[str, str] = {
    "customer_since": N_("Customer since"), "orders": N_("Orders"), "revenue_cents": N_("Spent so far, in cents"),
    "first_order_at": N_("First order"), "last_order_at": N_("Last order"), "events": N_("Events on the site"),
    "page_views": N_("Pages viewed"), "products_viewed": N_("Products viewed"), "cart_additions": N_("Times put into the cart"),
    "first_seen_at": N_("First seen"), "last_seen_at": N_("Last seen"), "touches": N_("Touches by campaigns"),
    "posts": N_("Posts written"), "last_post_at": N_("Last post"), "readings": N_("Readings of her devices"),
    "device_errors": N_("Errors of her devices"), "last_reading_at": N_("Last reading"),
    "r_score": N_("How recently, 1 to 5"), "f_score": N_("How often, 1 to 5"), "m_score": N_("For how much, 1 to 5"),
    "rfm": N_("The three scores, as in 545"), "as_of": N_("Day of the turn"), "city": N_("City"), "country": N_("Country"),
    "region": N_("Region"), "language": N_("Language"), "tier": N_("Tier"), "records": N_("Records of her"),
    "first_channel": N_("First channel"), "last_channel": N_("Last channel"), "last_product_id": N_("Last product"),
    "segment": N_("Segment"),
}  # fmt: skip
"""Facts in words; others go by their names."""


def form(file: str, said: Any, config: Config) -> Form:
    """The form of a file; empty for one that is changed as text alone, and for a text that is no mapping.

    said: what its text says (yamledit.data). config: of the workspace, for what may be chosen.
    """
    kind = file.partition("/")[0]
    made = MADE.get(kind)
    return made(said, config) if made is not None and isinstance(said, Mapping) else ()


# the files


def _segments(said: Mapping[str, Any], config: Config) -> Form:
    own = [str(f.get("name", "")) for f in _items(said.get("features"))]
    kinds = {c.name: _kind(c.lake_type) for c in FEATURES.columns}
    facts = _facts([*((c, kinds[c]) for c in READ), *((o, "number") for o in own if o)])
    rules = [
        Item(
            title=str(r.get("name", "")), path=("rules", n), about=str(r.get("when", "")),
            controls=(
                _text(r, ("rules", n, "name"), N_("Its name"), needed=True),
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
            title=str(f.get("name", "")), path=("features", n), about=str(f.get("sql", "")),
            controls=(
                _text(f, ("features", n, "name"), N_("Its name"), needed=True),
                _text(f, ("features", n, "sql"), N_("Reckoned as"), needed=True, hint=N_("such as revenue_cents / orders")),
            ),
        )
        for n, f in _listed(said.get("features"))
    ]  # fmt: skip
    return (
        Section(
            title=N_("Segments by rule"), path=("rules",),
            about=N_("Who meets the conditions is in it, from the next turn on."), items=tuple(rules), adds=N_("Add a segment"),
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
        own: Path = ("candidates", n)
        some = [
            _text(c, (*own, "id"), N_("Its name"), needed=True),
            Control(kind="tree", path=(*own, "when"), label=N_("For whom"), value=c.get("when"), facts=facts,
                    hint=N_("Without a condition it is for everybody.")),
            _number(c, (*own, "weight"), N_("Weight"), hint=N_("empty: 1")),
        ]  # fmt: skip
        if c.get("recommend") is True:
            some.append(_number(c, (*own, "most"), N_("Products at most"), hint=N_("empty: 10")))
        else:
            some.append(_text(c, (*own, "product"), N_("Product")))
        title = c.get("show", {}).get("title") if isinstance(c.get("show"), Mapping) else None
        if isinstance(title, Mapping):
            some += [
                _text(c, (*own, "show", "title", "en"), N_("Title in English")),
                _text(c, (*own, "show", "title", "zh"), N_("Title in Chinese")),
            ]
        candidates.append(Item(title=str(c.get("id", "")), path=own, controls=tuple(some), about=str(c.get("when", ""))))
    share = N_("a share from 0 to 1")
    return (
        Section(
            title=N_("The decision"),
            controls=(
                _text(said, ("decision",), N_("Its name"), needed=True),
                _choice(said, ("purpose",), N_("For which purpose"), _same(config.purposes)),
                _number(said, ("control",), N_("Control group"), hint=share),
                _number(said, ("explore",), N_("Tried at random"), hint=share),
            ),
        ),
        Section(
            title=N_("Candidates"), path=("candidates",),
            about=N_("What may be shown, and to whom; what works best is learned."),
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
        own: Path = ("purposes", name)
        said_in = p.get("sentence")
        languages = dict.fromkeys([*config.languages, *(said_in if isinstance(said_in, Mapping) else ())])
        words = {"en": N_("The sentence in English"), "zh": N_("The sentence in Chinese")}
        items.append(
            Item(
                title=name, path=own, about=str(p.get("basis", "")),
                controls=(
                    *(
                        Control(kind="long", path=(*own, "sentence", one), label=words.get(one, one), needed=True,
                                value=at(p, ("sentence", one)))
                        for one in languages
                    ),
                    _text(p, (*own, "version"), N_("Version of the wording"), hint=N_("change it when you change a sentence")),
                    _choice(p, (*own, "basis"), N_("Legal basis"), tuple((b, b) for b in get_args(Basis))),
                    _choice(p, (*own, "data_use"), N_("Data use"), _same(USES)),
                    _number(p, (*own, "keep_days"), N_("Days that data is kept"), hint=N_("empty: no end of its own")),
                    _words(p, (*own, "categories"), N_("Categories of data"), hint=N_("of fideslang, each with all below it")),
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
            title=_several(g.get("roles")), path=("grants", n), named=False,
            about=f"{_several(g.get('purposes'))}: {_several(g.get('categories'))}",
            mark=dict(VERDICTS).get(str(g.get("verdict")), ""),
            controls=(
                _many(g, ("grants", n, "roles"), N_("Roles"), who),
                _many(g, ("grants", n, "purposes"), N_("For these purposes"), why),
                _words(g, ("grants", n, "categories"), N_("See these categories"),
                       hint=N_("of fideslang, each with all below it; * for all")),
                _choice(g, ("grants", n, "verdict"), N_("In this way"), VERDICTS),
            ),
        )
        for n, g in _listed(said.get("grants"))
    ]  # fmt: skip
    allowed = [
        Item(
            title=_several(f.get("roles")), path=("functions", n), named=False, about=_several(f.get("may")),
            controls=(
                _many(f, ("functions", n, "roles"), N_("Roles"), who),
                _many(f, ("functions", n, "may"), N_("May use"), may),
            ),
        )
        for n, f in _listed(said.get("functions"))
    ]  # fmt: skip
    actors = [
        Item(
            title=str(a.get("name", "")), path=("actors", n), about=_several(a.get("roles")),
            controls=(
                _text(a, ("actors", n, "name"), N_("Its name"), needed=True,
                      hint=N_("user:NAME, account:NAME, oidc:SUBJECT or key:NAME")),
                _many(a, ("actors", n, "roles"), N_("Roles"), who),
            ),
        )
        for n, a in _listed(said.get("actors"))
    ]  # fmt: skip
    first = roles[0] if roles else "owner"
    return (
        Section(
            title=N_("Who sees what, for what"), about=N_("What no line gives is hidden."), path=("grants",),
            items=tuple(grants), adds=N_("Add a line"),
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
            found = at(of, path[start:])
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


def _several(value: Any) -> str:
    return value if isinstance(value, str) else ", ".join(map(str, value)) if isinstance(value, list) else ""


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def _listed(value: Any) -> list[tuple[int, Mapping[str, Any]]]:
    return [(n, v) for n, v in enumerate(value) if isinstance(v, Mapping)] if isinstance(value, list) else []
