"""What was decided and has landed: its entries of the ledger, and what came of it; what would be decided for one person now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pyroaring import BitMap

from tessera import liveroom
from tessera.action import outcomes
from tessera.action.decide import Decision
from tessera.action.facts import CATEGORIES, EVENT
from tessera.action.learned import Cell
from tessera.action.points import Points
from tessera.action.stock import Stocks
from tessera.data.live_folds import micros
from tessera.data.raw import BEHAVIOUR, DECISIONS
from tessera.data.rules import columns
from tessera.decision_points import FALLBACK
from tessera.errors import NotAllowed, NotFound
from tessera.house import MACHINE, House
from tessera.lake.engine import rows
from tessera.trust import access
from tessera.trust.access import Reader
from tessera.trust.consent_rates import Compared, Share, compared
from tessera.trust.entries import Use

SPACE = "decided"
"""In State: the last batch of decisions that the ledger tells of."""


def tell(house: House) -> None:
    """Each landed decision is a use of her data: one entry of the ledger for each purpose, with exactly whom it concerned.

    Whoever lands them may be killed before this; the next turn tells of them then.
    """
    table, state = DECISIONS.name, house.state
    version, until = house.lake.version(table), int(state.get("landed", "last", 0))
    since = int(state.get(SPACE, "batch", 0))
    if version is None or until <= since:
        return
    landed = f"{house.lake.relation(table)} WHERE batch > {since} AND batch <= {until}"
    with house.con.cursor() as con:
        found = rows(con, f"SELECT purpose, key_id, count(*) FROM {landed} GROUP BY ALL")
    told: dict[str, tuple[BitMap, int]] = {}
    for purpose, key, many in found:
        keys, before = told.setdefault(str(purpose), (BitMap(), 0))
        if key is not None:
            keys.add(int(key))
        told[str(purpose)] = (keys, before + int(many))
    for purpose, (keys, many) in sorted(told.items()):
        house.ledger.append(
            Use(
                actor=MACHINE, role="machine", act="decide", purpose=purpose, tables=((table, version),), rows=many,
                categories=tuple(sorted({c.category for c in DECISIONS.columns if c.category.startswith("user")})),
                keys=house.ledger.keep(keys, "key"), note="what to show was decided live",
            )
        )  # fmt: skip
    state.put(SPACE, "batch", until)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one decision's point. share: of outcomes where something was chosen; control: the same of the control group;
    None where nobody was. uplift: their difference; low, high: its interval of 95 %."""

    decision: str
    purpose: str
    shown: int
    outcomes: int
    share: float | None
    control_shown: int
    control: float | None
    uplift: float | None
    low: float | None
    high: float | None
    candidates: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One candidate beside the control group. low, high: the interval of its share (95 %); uplift, from, to: how much more
    often something came of it than of the control group's fallback, and that difference's interval. None where nobody was."""

    candidate: str
    shown: int
    outcomes: int
    share: float | None
    low: float | None
    high: float | None
    uplift: float | None = None
    uplift_low: float | None = None
    uplift_high: float | None = None


def arms(result: Result) -> list[Arm]:
    """The candidates of a point, with all products that one stood for as one; the control group's fallback last."""
    counts: dict[str, Share] = {}
    for one in result.candidates:
        before = counts.get(one["candidate"], Share(answered=0, given=0))
        counts[one["candidate"]] = Share(answered=before.answered + one["shown"], given=before.given + one["outcomes"])
    control = Share(answered=result.control_shown, given=round((result.control or 0.0) * result.control_shown))
    return [*(_arm(name, share, control) for name, share in counts.items()), _arm(FALLBACK, control, None)]


def _arm(name: str, share: Share, control: Share | None) -> Arm:
    found = compared(control, share) if control is not None and control.answered and share.answered else None
    rate, interval = share.rate, share.interval
    return Arm(
        candidate=name, shown=share.answered, outcomes=share.given, share=None if rate is None else rate / 100,
        low=interval[0] / 100 if interval else None, high=interval[1] / 100 if interval else None,
        uplift=found.points / 100 if found else None, uplift_low=found.low / 100 if found else None,
        uplift_high=found.high / 100 if found else None,
    )  # fmt: skip


def results(house: House, role: str | None, actor: str | None = None, name: str = "") -> list[Result]:
    """What came of what was decided, for each point; counts alone. actor: who asks (by default the user of this machine). name:
    of one point alone. Raises NotAllowed for a role that may not see behaviour."""
    points, told = Points(p for p in house.config.decisions if name in ("", p.name)), list[Result]()
    for name in sorted(points.purposes):
        reader = asking(house, role, name, actor=actor)
        views = {t: house.gate.for_step(t, reader.purpose) for t in outcomes.READS}
        house.gate.load(house.con, views.values())
        learned = outcomes.learned(house.con, views, points.of(name))
        for point in points.of(name):
            arms = learned.counts.get(point.name)
            told.append(_result(point.name, name, arms.all if arms else Cell(), arms.fell.get("control") if arms else None, [
                {"candidate": c, "product": p or None, "shown": arm.all.trials, "outcomes": arm.all.outcomes}
                for c, some in sorted(arms.arms.items()) for p, arm in sorted(some.items())
            ] if arms else []))  # fmt: skip
        house.ledger.append(
            Use(
                actor=reader.actor.name, role=reader.role, act="results", purpose=name, categories=(BEHAVIOUR,),
                tables=tuple((v.table, v.version) for v in views.values() if v.version is not None),
                keys=house.ledger.keep(house.permits.ids(reader.purpose, "key"), "key", "at most"),
            )
        )  # fmt: skip
    return told


def _result(decision: str, purpose: str, chosen: Cell, control: Cell | None, candidates: list[dict[str, Any]]) -> Result:
    held = control or Cell()
    share = chosen.outcomes / chosen.trials if chosen.trials else None
    base = held.outcomes / held.trials if held.trials else None
    found: Compared | None = None
    if held.trials and chosen.trials:
        shares = (Share(answered=cell.trials, given=cell.outcomes) for cell in (held, chosen))
        found = compared(*shares)
    return Result(
        decision=decision, purpose=purpose, shown=chosen.trials, outcomes=chosen.outcomes, share=share,
        control_shown=held.trials, control=base, candidates=candidates,
        uplift=found.points / 100 if found else None, low=found.low / 100 if found else None,
        high=found.high / 100 if found else None,
    )  # fmt: skip


def explained(
    house: House, person: int, names: Iterable[str], here: Mapping[str, Any], role: str | None
) -> list[tuple[Decision, str]]:
    """What would be decided for a person now at these points (none named: all), each with its purpose; nothing is shown to her,
    and nothing is learned of it. Raises NotFound for a person or a point, NotAllowed for a role that may not see what the rules
    go by."""
    points = Points(house.config.decisions)
    wanted = list(names) or list(points.deciders)
    for name in wanted:
        if name not in points.deciders:
            raise NotFound("Decision", name, points.deciders)
    keys = asked_of(house, person, wanted, role, points=points)
    told = list[tuple[Decision, str]]()
    live = liveroom.made(house)
    liveroom.renew(house, live)
    liveroom.replay(house, live)
    state, stocks = live.state, Stocks()
    assert state is not None
    stocks.open(house.config.root, house.config.decisions)
    stocks.into(state.models, state.points)
    for name in wanted:
        decider, at = state.points.deciders[name], micros(house.clock())
        decision = state.decide(decider, keys[0], "", event={}, here=here, event_id=f"explain {person} {at}", at=at)
        told.append((decision, decider.point.purpose))
    return told


def asked_of(
    house: House, person: int, names: Iterable[str], role: str | None, *, points: Points, actor: str | None = None
) -> list[int]:
    """The keys of a person, for whoever may be told what would be decided for her at these points; that it is told is an entry.
    Raises NotFound for nobody, NotAllowed as `explained`."""
    keys = house.people.keys(person)
    if not keys:
        raise NotFound("Person", str(person))
    made: dict[str, Reader] = {}
    for name in names:
        purpose = points.deciders[name].point.purpose
        made[purpose] = asking(house, role, purpose, points, name, actor)
    for purpose, reader in made.items():
        house.ledger.append(
            Use(
                actor=reader.actor.name, role=reader.role, act="decide", purpose=purpose, rows=1,
                keys=house.ledger.keep(BitMap([person]), "person"), note="explained; nothing was shown",
            )
        )  # fmt: skip
    return keys


def asking(
    house: House, role: str | None, purpose: str, points: Points | None = None, name: str = "", actor: str | None = None
) -> Reader:
    """Who asks (by default the user of this machine), if she may see in clear what the answer tells of."""
    reader = access.who(house.config, role, purpose, actor or house.me)
    asked = {BEHAVIOUR}
    if points is not None:
        point = points.deciders[name].point
        texts = [*point.context, *(c.when for c in point.candidates if c.when)]
        facts = frozenset[str]().union(*map(columns, texts))
        asked |= {CATEGORIES[f] for f in facts if f in CATEGORIES and not f.startswith(EVENT)}
    for category in sorted(asked):
        seen = access.verdict(house.config.access, reader.role, reader.purpose, category)
        if category.startswith("user") and seen.verdict != "clear":
            raise NotAllowed(seen.reason, f"Ask {house.config.access.contact}.")
    return reader
