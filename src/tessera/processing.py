"""The record of processing activities: what the law wants written down, made from what the workspace does.

GDPR, Art. 30(1), and PIPL, Art. 55 and 56: for each purpose its basis, whose data and which, where it comes from, who sees and
receives it, how long it is kept, how it is secured, and whether an impact assessment is due. Nothing is kept by hand: it reads
purposes, contracts, steps, roles and the lineage between them, and no row of anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from tessera.ancestry import SOURCE, Graph
from tessera.category_words import category
from tessera.config import Config, Purpose
from tessera.copy_words import BASES, TABLES, columns, sentence
from tessera.fideslang import covers
from tessera.insight.steps import STEPS as INSIGHT_STEPS
from tessera.lake.table import Table
from tessera.loop import STEPS, tables
from tessera.receipt import STYLE
from tessera.trust import access

SENSITIVE = (
    "user.health_and_medical", "user.biometric", "user.financial", "user.location", "user.demographic.race_ethnicity",
    "user.demographic.religious_belief", "user.demographic.sexual_orientation", "user.demographic.political_opinion",
    "user.behavior.beliefs", "user.government_id", "user.unique_id.government",
)  # fmt: skip
"""Categories that the law takes for sensitive (GDPR, Art. 9; PIPL, Art. 28: also finances and whereabouts)."""

SHARING = "third_party_sharing"

WORDS = {
    "en": {
        "title": "Record of processing activities", "controller": "Controller", "contact": "Contact",
        "purpose": "Purpose", "basis": "Lawful basis", "data_use": "Kind of use", "subjects": "Whose data",
        "customers": "customers, visitors and users of devices", "categories": "Categories of data", "sources": "Where from",
        "tables": "Where it lies", "roles": "Who may see it", "recipients": "Recipients outside", "none": "none",
        "keep": "Kept for", "days": "{n} days", "open": "until it is no longer needed; no limit is set",
        "holds": "Kept after an erasure", "assessment": "Impact assessment", "not_due": "not due by these rules",
        "automated": "conclusions about people are made by computation", "sensitive": "sensitive data: {what}",
        "shared": "data is given to others", "measures": "Security measures",
    },
    "zh": {
        "title": "个人信息处理活动记录", "controller": "处理者", "contact": "联系方式", "purpose": "处理目的",
        "basis": "合法性基础",
        "data_use": "使用类型", "subjects": "涉及人员", "customers": "客户、访客及设备用户", "categories": "数据类别",
        "sources": "来源", "tables": "存放位置", "roles": "可查看角色", "recipients": "外部接收方", "none": "无",
        "keep": "保存期限",
        "days": "{n} 天", "open": "直至不再需要；未设期限", "holds": "删除后依法保留", "assessment": "影响评估",
        "not_due": "依此规则无需进行", "automated": "通过计算对个人作出推断", "sensitive": "敏感个人信息：{what}",
        "shared": "向他人提供个人信息", "measures": "安全措施",
    },
}  # fmt: skip

MEASURES = {
    "en": (
        "Identifiers and personal values are sealed in a vault (AES-256-GCM); tables hold numbers.",
        "Every read passes purpose, role and the customer's own choice; what no line allows is refused.",
        "Every use is an entry of a signed ledger that nobody can change unseen.",
        "An erasure reaches every table, version and store; backups are encrypted and replay it.",
    ),
    "zh": (
        "标识与个人数据封存于保险库（AES-256-GCM）；数据表中仅有编号。",
        "每次读取均须通过目的、角色及客户本人选择的检查；未获允许即予拒绝。",
        "每次使用均记入带签名的账本，任何人无法悄然更改。",
        "删除覆盖所有表、版本与存储；备份经加密，恢复时重新执行删除。",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What is done for one purpose. tables: read or written by a step for it, or open to a role for it. assessment: why an
    assessment of its impact is due (PIPL, Art. 55; GDPR, Art. 35), as keys of WORDS; empty if by none of these rules."""

    purpose: str
    data_use: str
    basis: str
    sentence: dict[str, str]
    categories: tuple[str, ...]
    sensitive: tuple[str, ...]
    sources: tuple[str, ...]
    tables: tuple[str, ...]
    steps: tuple[str, ...]
    roles: tuple[str, ...]
    recipients: tuple[str, ...]
    keep_days: int | None
    source_keep_days: dict[str, int | None]
    holds: dict[str, tuple[str, ...]]
    assessment: tuple[str, ...]


def record(config: Config) -> dict[str, Any]:
    """The record of a workspace."""
    graph = Graph(config)
    activities = [_activity(config, graph, p) for p in config.purposes.values()]
    return {
        "controller": config.name,
        "contact": config.access.contact,
        "activities": [asdict(a) for a in activities],
        "measures": list(MEASURES["en"]),
    }


def _activity(config: Config, graph: Graph, purpose: Purpose) -> Activity:
    steps = [s for s in STEPS if s.purpose == purpose.name]
    roles = {r: _seen(config, r, purpose) for r in config.access.roles}
    used = {t for s in steps for t in (*s.reads, s.writes.name)} | {t for seen in roles.values() for t in seen}
    held = [t for t in tables() if t.name in used and t.reason != "nobody"]
    allowed = tuple(sorted({c.category for t in held for c in t.columns if _may(purpose, c.category)}))
    sources = _sources(graph, held)
    sensitive = tuple(c for c in allowed if any(covers(s, c) for s in SENSITIVE))
    concluded = any(s in INSIGHT_STEPS for s in steps) or any(t.name in CONCLUSIONS for t in held)
    why = {"automated": concluded, "sensitive": bool(sensitive), "shared": _shared(purpose)}
    return Activity(
        purpose=purpose.name,
        data_use=purpose.data_use,
        basis=purpose.basis,
        sentence=purpose.sentence,
        categories=allowed,
        sensitive=sensitive,
        sources=sources,
        tables=tuple(t.name for t in held),
        steps=tuple(s.name for s in steps),
        roles=tuple(r for r, seen in roles.items() if seen),
        recipients=purpose.recipients,
        keep_days=purpose.keep_days,
        source_keep_days={c.name: c.keep_days for c in config.sources if c.name in sources},
        holds=purpose.holds,
        assessment=tuple(reason for reason, due in why.items() if due),
    )


CONCLUSIONS = frozenset(s.writes.name for s in INSIGHT_STEPS)


def _may(purpose: Purpose, category: str) -> bool:
    return category.startswith("user") and (not purpose.categories or any(covers(c, category) for c in purpose.categories))


def _seen(config: Config, role: str, purpose: Purpose) -> set[str]:
    """The tables of which a role may see anything personal for a purpose."""
    return {t.name for t in tables() if t.visible and any(_shows(config, role, purpose, t, c.category) for c in t.columns)}


def _shows(config: Config, role: str, purpose: Purpose, table: Table, category: str) -> bool:
    opens = table.compartment is None or bool(purpose.holds)
    return opens and category.startswith("user") and access.verdict(config.access, role, purpose, category).verdict != "hidden"


def _sources(graph: Graph, held: Sequence[Table]) -> tuple[str, ...]:
    """The sources from which any value of these tables comes, by the lineage."""
    found = {name for t in held for c in t.columns for name, _ in graph.upstream(t.name, c.name) if name.startswith(SOURCE)}
    return tuple(sorted(name.removeprefix(SOURCE) for name in found))


def _shared(purpose: Purpose) -> bool:
    return bool(purpose.recipients) or covers(SHARING, purpose.data_use)


def lines(made: Mapping[str, Any], language: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """The record in words: of each activity its sentence, and names with their values."""
    return [(_sentence(a, language), _lines(a, language)) for a in made["activities"]]


def markdown(made: Mapping[str, Any], language: str) -> str:
    """The record as a page of Markdown."""
    words = WORDS[language]
    who = f"{words['controller']}: {made['controller']} · {words['contact']}: {made['contact']}"
    out = [f"# {words['title']}", "", who, ""]
    for (says, facts), activity in zip(lines(made, language), made["activities"], strict=True):
        out += [f"## {activity['purpose']}", "", says, "", "| | |", "|---|---|"]
        out += [f"| {name} | {value.replace('|', chr(92) + '|')} |" for name, value in facts] + [""]
    out += [f"## {words['measures']}", "", *(f"- {m}" for m in MEASURES[language]), ""]
    return "\n".join(out)


def page(made: Mapping[str, Any], language: str) -> str:
    """The record as a page."""
    words = WORDS[language]
    parts = []
    for (says, facts), activity in zip(lines(made, language), made["activities"], strict=True):
        rows = "".join(f"<dt>{escape(n)}</dt><dd>{escape(v)}</dd>" for n, v in facts)
        parts.append(f"<section><b>{escape(activity['purpose'])}</b><p>{escape(says)}</p><dl>{rows}</dl></section>\n")
    measures = "".join(f"<li>{escape(m)}</li>" for m in MEASURES[language])
    return f"""<!doctype html>
<html lang="{'zh-CN' if language == 'zh' else 'en'}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>{words["title"]}</title><style>{STYLE}</style>
<h1>{words["title"]}</h1>
<p>{words["controller"]}: {escape(made["controller"])} · {words["contact"]}: {escape(made["contact"])}</p>
{"".join(parts)}<section><b>{words["measures"]}</b><ul>{measures}</ul></section>
</html>
"""


def _sentence(activity: Mapping[str, Any], language: str) -> str:
    return sentence(activity["sentence"], language, activity["purpose"])


def _lines(activity: Mapping[str, Any], language: str) -> list[tuple[str, str]]:
    words, none = WORDS[language], WORDS[language]["none"]
    kept = words["open"] if activity["keep_days"] is None else words["days"].format(n=activity["keep_days"])
    due = "; ".join(words[r].format(what=_named(activity["sensitive"], language)) for r in activity["assessment"])
    held = "; ".join(f"{TABLES[language].get(t, t)} ({columns(c, language, t)})" for t, c in activity["holds"].items())
    facts = [
        ("basis", BASES[language][activity["basis"]]),
        ("data_use", activity["data_use"]),
        ("subjects", words["customers"]),
        ("categories", _named(activity["categories"], language) or none),
        ("sources", ", ".join(activity["sources"]) or none),
        ("tables", ", ".join(TABLES[language].get(t, t) for t in activity["tables"]) or none),
        ("roles", ", ".join(activity["roles"]) or none),
        ("recipients", ", ".join(activity["recipients"]) or none),
        ("keep", kept),
        *([("holds", held)] if held else []),
        ("assessment", due or words["not_due"]),
    ]
    return [(words[name], value) for name, value in facts]


def _named(categories: Sequence[str], language: str) -> str:
    """Categories as people read them, each name once."""
    stop = "；" if language == "zh" else "; "  # names have commas
    return stop.join(dict.fromkeys(category(c, language) for c in categories))
