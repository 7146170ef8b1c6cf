"""What the pages of decisions say: rules and reasons in words, pictures of what came of them, the newest as they were made."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tessera.action import decision_words as words
from tessera.action.decide import Decision, Dropped, Scored
from tessera.decided import Arm
from tessera.decision_points import FALLBACK, Candidate, Point
from tessera.doors.pages.pictures.against import Dot, against
from tessera.doors.pages.pictures.spark import hours as hours_of
from tessera.doors.pages.room import Room
from tessera.doors.pages.tongue import N_, Language, Tongue
from tessera.errors import BadInput
from tessera.insight.segments import telling
from tessera.lake.engine import literal

HOURS, NEWEST = 72, 10
BY = {
    "learned": N_("most promising"), "explored": N_("drawn, to learn"), "control": N_("control group"),
    "nothing_left": N_("nothing was left"), "no_consent": N_("not agreed"),
}  # fmt: skip
"""How it was chosen, in a word or two."""
HUE = {"learned": "lapis", "explored": "plum", "control": "", "nothing_left": "gold", "no_consent": "terra"}


def rule(text: str, language: Language) -> str:
    """A rule as a sentence; as it is written where there are no words for it.

    >>> rule("days_since(last_order_at) > 180", "en")
    'the last order was more than 180 days ago'
    """
    try:
        return telling.read(text).sentence(language)
    except BadInput:
        return text


def candidate(tongue: Tongue, one: Candidate) -> dict[str, Any]:
    """A candidate in words."""
    return {
        "id": one.id, "shown": shown(one.show, tongue.language), "when": one.when, "product": one.product,
        "rule": rule(one.when, tongue.language) if one.when else "", "recommend": one.recommend, "most": one.most,
        "weight": one.weight,
    }  # fmt: skip


def shown(what: Any, language: str) -> str:
    """What a caller is given, as a reader of this language would see it.

    >>> shown({"title": {"en": "Welcome", "zh": "欢迎"}}, "zh")
    '欢迎'
    """
    if isinstance(what, Mapping):
        hers = [text for name, text in what.items() if str(name).partition("-")[0] == language]
        return shown(hers[0], language) if hers else ", ".join(filter(None, (shown(part, language) for part in what.values())))
    if isinstance(what, list):
        return ", ".join(filter(None, (shown(part, language) for part in what)))
    return "" if what is None else str(what)


def outcome(tongue: Tongue, point: Point) -> str:
    """What counts as a success."""
    if point.outcome is None:
        return ""
    said = N_("{event} within {time}, of the same product") if point.outcome.same_product else N_("{event} within {time}")
    return tongue(said, event=point.outcome.event, time=tongue.lasting(point.outcome.within_s))


def decision(tongue: Tongue, made: Decision, point: Point) -> dict[str, Any]:
    """A decision with its reasons: what is shown, why, and of every other candidate why not."""
    return {
        "candidate": words.named(made.candidate, made.product, tongue.language), "by": made.by,
        "shown": shown(made.show, tongue.language), "why": words.chosen(made, point.purpose, tongue.language),
        **_reasons(tongue, made.scored, made.dropped, made.candidate, made.product),
    }  # fmt: skip


def newest(room: Room, name: str = "") -> dict[str, Any]:
    """The decisions that were landed last, as far as the viewer may see them."""
    if not room.has("decisions"):
        return {"rows": [], "named": False}
    wanted = ("occurred_at", "decision", "purpose", "person_id", "candidate", "product_id", "chosen_by", "reason")
    columns = [c for c in wanted if room.sees("decisions", c)]
    if "occurred_at" not in columns:
        return {"rows": [], "named": False}
    where = f" WHERE decision = {literal(name)}" if name and "decision" in columns else ""
    answer = room.ask(f"SELECT {', '.join(columns)} FROM decisions{where} ORDER BY occurred_at DESC LIMIT {NEWEST}")
    named = "person_id" in columns and "person_id" not in answer.veiled
    return {"rows": [_row(room.tongue, row) for row in answer], "named": named}


def _row(tongue: Tongue, row: Mapping[str, Any]) -> dict[str, Any]:
    by, chosen = str(row.get("chosen_by") or ""), row.get("candidate")
    said = words.BY[tongue.language].get(by, "").format(purpose=row.get("purpose", ""))
    made: dict[str, Any] = {"scored": [], "dropped": []}
    try:
        made |= json.loads(row.get("reason") or "{}")
        scored, dropped = [Scored(**s) for s in made["scored"]], [Dropped(**d) for d in made["dropped"]]
    except (ValueError, TypeError):
        scored, dropped = [], []
    product = str(row.get("product_id") or "")
    return {
        "at": row["occurred_at"], "decision": row.get("decision"), "person": row.get("person_id"), "by": by,
        "candidate": words.named(str(chosen), product, tongue.language) if chosen else "", "why": said,
        **_reasons(tongue, scored, dropped, str(chosen), product),
    }  # fmt: skip


def _reasons(
    tongue: Tongue, scored: Sequence[Scored], dropped: Sequence[Dropped], chosen: str, product: str
) -> dict[str, list[dict[str, Any]]]:
    language = tongue.language
    best = [
        {
            "name": words.named(s.candidate, s.product, language), "said": words.scored(s, language),
            "is": (s.candidate, s.product) == (chosen, product),
        }
        for s in sorted(scored, key=lambda s: -s.score)
    ]  # fmt: skip
    out = []
    for d in dropped:
        said = rule(d.said, language) if d.why in ("rule", "unknown") and d.said else d.said
        again = Dropped(candidate=d.candidate, product=d.product, why=d.why, said=said)
        out.append({"name": words.named(d.candidate, d.product, language), "said": words.dropped(again, language)})
    return {"scored": best, "dropped": out}


def hours(room: Room, name: str = "") -> dict[str, Any] | None:
    """How many decisions of each hour of the last three days were landed: chosen, and fallen back. None without any."""
    if not room.has("decisions") or not room.sees("decisions", "occurred_at", "chosen_by"):
        return None
    now = room.now
    since = (now - timedelta(hours=HOURS - 1)).replace(minute=0, second=0, microsecond=0)
    only = f" AND decision = {literal(name)}" if name else ""
    answer = room.ask(
        "SELECT date_trunc('hour', occurred_at) AS hour, count(*) AS many, "
        "count(*) FILTER (WHERE chosen_by IN ('learned', 'explored')) AS chosen FROM decisions "
        f"WHERE occurred_at >= TIMESTAMPTZ {literal(since.isoformat())}{only} GROUP BY hour"
    )
    found = {row["hour"].timestamp(): (row["chosen"], row["many"] - row["chosen"]) for row in answer}
    if not found:
        return None
    tongue, counts, ticks = room.tongue, list[tuple[str, int, int]](), list[tuple[int, str]]()
    for i in range(HOURS):
        at: datetime = since + timedelta(hours=i)
        chosen, fell = found.get(at.timestamp(), (0, 0))
        said = tongue(
            "{hour}: {chosen} chosen, {fell} fell back", hour=tongue.moment(at), chosen=tongue.number(chosen),
            fell=tongue.number(fell),
        )  # fmt: skip
        counts.append((said, chosen, fell))
        if tongue.clock(at) == "00:00":
            ticks.append((i, tongue.day(at, "M月d日" if tongue.language == "zh" else "d MMM")))
    total, fallen = sum(c for _, c, _ in counts), sum(f for _, _, f in counts)
    label = tongue(
        "Decisions by hour, the last three days: {chosen} chosen, {fell} fell back.", chosen=tongue.number(total),
        fell=tongue.number(fallen),
    )  # fmt: skip
    rows = [said for said, chosen, fell in counts if chosen + fell]
    return {"picture": hours_of(counts, label, ticks), "chosen": total, "fell": fallen, "rows": rows}


def picture(tongue: Tongue, arms: Sequence[Arm]) -> Markup | None:
    """The share of outcomes of each candidate with its interval, beside the control group's."""
    control = next((a for a in arms if a.candidate == FALLBACK), None)
    dots = [_dot(tongue, a) for a in arms if a.share is not None]
    if not any(a.candidate != FALLBACK for a in arms) or not dots:
        return None
    label = tongue("Share of outcomes by candidate, with the interval of 95 %, beside the control group.")
    return against(dots, control.share if control else None, label, tongue.percent)


def _dot(tongue: Tongue, arm: Arm) -> Dot:
    name = tongue("Control group") if arm.candidate == FALLBACK else arm.candidate
    sentence = tongue(
        "{name}: {share}, between {low} and {high}; {outcomes} of {shown}", name=name, share=tongue.percent(arm.share, 1),
        low=tongue.percent(arm.low, 1), high=tongue.percent(arm.high, 1), outcomes=tongue.number(arm.outcomes),
        shown=tongue.number(arm.shown),
    )  # fmt: skip
    return Dot(
        name=name, share=arm.share or 0.0, low=arm.low or 0.0, high=arm.high or 0.0, sentence=sentence,
        cls="slate" if arm.candidate == FALLBACK else "lapis",
    )  # fmt: skip


def here(text: str, most: int) -> dict[str, str | float | bool]:
    """What is said of the place, `name=value` in each line.

    >>> here("page=home\\nwrong\\nurgent = true", 16)
    {'page': 'home', 'urgent': True}
    """
    pairs = (line.partition("=") for line in text.splitlines())
    return dict([(name.strip(), _plain(value.strip())) for name, sign, value in pairs if sign and name.strip()][:most])


def _plain(text: str) -> str | float | bool:
    """A fact as a program would send it: yes or no, a number, else the text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return float(text) if re.fullmatch(r"-?\d{1,15}(\.\d+)?", text) else text


def file(root: Path, name: str) -> dict[str, str] | None:
    """The file of a point, as it is written."""
    said = re.compile(rf"^decision:\s*['\"]?{re.escape(name)}['\"]?\s*(#.*)?$", re.MULTILINE)
    for path in sorted((root / "decisions").glob("*.y*ml")):
        text = path.read_text("utf-8")
        if said.search(text):
            return {"name": f"decisions/{path.name}", "text": text}
    return None
