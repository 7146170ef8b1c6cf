"""segments.yaml: how many segments, figures of one's own, and segments by rule; each mistake named by file and line."""

from __future__ import annotations

from collections.abc import Callable, Collection

from tessera.config import SegmentRule, SegmentsConfig
from tessera.yamlmarks import Piece
from tessera.yamlread import Section, choice, items, section, text, whole

_NAME = text(r"[a-z][a-z0-9_]{0,40}", "a name of small letters, digits and _, such as frequent_buyers")
KEYS = ("k", "seed", "purpose", "features", "rules")

Judge = Callable[[str, dict[str, str], bool], str | None]
"""Says of an expression over FEATURES and figures of one's own why it may not be used, or nothing. True: it is a condition."""


def segments(piece: Piece, purposes: Collection[str] | None, judge: Judge | None) -> SegmentsConfig:
    """What the file says. purposes, judge: None leaves those parts unchecked."""
    top = section(piece, KEYS)
    if top is None:
        return SegmentsConfig()
    features = _features(top, judge)
    return SegmentsConfig(
        k=top.get("k", whole(2, 50), None),
        seed=top.get("seed", whole(0, 2**31 - 1), SegmentsConfig.seed),
        purpose=top.get("purpose", text() if purposes is None else choice(purposes), SegmentsConfig.purpose),
        features=features,
        rules=_rules(top, features, judge),
    )


def _features(top: Section, judge: Judge | None) -> dict[str, str]:
    """Figures of one's own; each may use those before it."""
    made: dict[str, str] = {}
    for piece in items(top.parts["features"]) if "features" in top else ():
        if (one := section(piece, ("name", "sql"), ("name", "sql"))) is None:
            continue
        name, sql = one.get("name", _NAME, ""), one.get("sql", text(), "")
        if name in made:
            one.at("name").wrong("a name that no other figure has")
        elif name and sql and judge and (why := judge(sql, made, False)):
            one.at("sql").say(why)
        elif name and sql:
            made[name] = sql
    return made


def _rules(top: Section, features: dict[str, str], judge: Judge | None) -> tuple[SegmentRule, ...]:
    made: dict[str, SegmentRule] = {}
    for piece in items(top.parts["rules"]) if "rules" in top else ():
        if (one := section(piece, ("name", "label", "when"), ("name", "label", "when"))) is None:
            continue
        name, when = one.get("name", _NAME, ""), one.get("when", text(), "")
        label = section(one.parts["label"], ("en", "zh"), ("en", "zh")) if "label" in one else None
        if name in made:
            one.at("name").wrong("a name that no other rule has")
        elif when and judge and (why := judge(when, features, True)):
            one.at("when").say(why)
        elif name and when and label and "en" in label and "zh" in label:
            made[name] = SegmentRule(name=name, en=label.get("en", text(), ""), zh=label.get("zh", text(), ""), when=when)
    return tuple(made.values())
