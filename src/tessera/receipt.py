"""A consent receipt: what a customer has said to each purpose, as a record after ISO/IEC TS 27560, and as a page.

The record's field names are those of the technical specification. Its events carry the state of each answer (requested,
given, refused, withdrawn, expired); only "given" permits use. The receipt's digest stands in the ledger, so whoever shows
one later can be answered whether it was ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from html import escape
from typing import Any

from tessera.config import Config, Purpose
from tessera.copy_words import BASES
from tessera.data.steps import acts
from tessera.errors import NotFound
from tessera.trust import consent
from tessera.trust.permits import Ending

SCHEMA = "ISO/IEC TS 27560:2023"
ASKED = """SELECT purpose, state, occurred_at, until, wording, language, source, key_id FROM consents
           WHERE person_id = {person} ORDER BY occurred_at, state"""
"""What a receipt reads of a person, through the gate."""

WORDS = {
    "en": {
        "title": "What you have agreed to", "whose": "Customer number", "made": "Made on", "from": "by",
        "purpose": "What for", "now": "Your answer", "since": "since", "until": "holds until", "history": "What you said",
        "once": "holds for one use",
        "none": "You have said nothing to this, so we do not do it.",
        "basis": "We may do this without your consent ({basis}).",
        "digest": "Number of this receipt. It stands in our ledger, so you can always prove that we gave it to you.",
        "requested": "asked", "given": "yes", "refused": "no", "withdrawn": "withdrawn", "expired": "run out",
    },
    "zh": {
        "title": "您的同意记录", "whose": "客户编号", "made": "生成时间", "from": "出具方",
        "purpose": "用途", "now": "您的选择", "since": "自", "until": "有效期至", "history": "您的历次选择",
        "once": "仅限使用一次",
        "none": "您未对此作出选择，因此我们不会这样使用您的数据。",
        "basis": "此用途无需您的同意（{basis}）。",
        "digest": "本凭证编号。它已写入我们的账本，您可随时证明此凭证由我们出具。",
        "requested": "已询问", "given": "同意", "refused": "拒绝", "withdrawn": "已撤回", "expired": "已过期",
    },
}  # fmt: skip
STYLE = """body{font:16px/1.6 system-ui,"Noto Sans SC",sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;
color-scheme:light dark}h1{font-size:1.5rem}section{border-top:1px solid #8884;padding:.75rem 0}small,dt{color:#777}
ul{margin:.25rem 0;padding-left:1.25rem}small{overflow-wrap:anywhere}code{overflow-wrap:anywhere;font-size:.8rem}"""


def receipt(
    config: Config,
    person: int,
    said: Iterable[Mapping[str, Any]],
    ends: Mapping[str, Ending],
    at: datetime,
    only: str | None = None,
) -> dict[str, Any]:
    """The receipt of a person. said: her rows of CONSENTS as ASKED reads them. ends: see `Permits.endings`. only: one
    purpose; NotFound if there is none of that name. at: when it is made; what has run out by then is expired."""
    if only is not None and only not in config.purposes:
        raise NotFound("Purpose", only, config.purposes)
    rows = list(said)
    deciding = consent.choices(rows, acts(config))
    purposes = [p for p in config.purposes.values() if only in (None, p.name)]
    standing = {p.name: _standing(deciding.get(p.name), ends.get(p.name), at) for p in purposes}
    made = {
        "schema_version": SCHEMA,
        "pii_principal_id": f"person:{person}",
        "created_at": at.isoformat(),
        "party": {"party_id": config.name, "party_name": config.name, "party_type": "PII controller"},
        "records": [
            _record(config, p, [r for r in rows if r["purpose"] == p.name], standing[p.name]) for p in purposes
        ],
    }
    return {"receipt_id": digest(made), **made}


def digest(made: Mapping[str, Any]) -> str:
    """The SHA-256 of a receipt (without its id), as hexadecimal."""
    body = {k: v for k, v in made.items() if k != "receipt_id"}
    return sha256(json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def _record(
    config: Config, purpose: Purpose, said: list[Mapping[str, Any]], standing: Mapping[str, Any]
) -> dict[str, Any]:
    kept = None if purpose.keep_days is None else f"P{purpose.keep_days}D"
    return {
        "processing": {
            "purpose": purpose.name,
            "purpose_type": purpose.data_use,
            "privacy_notice": {**purpose.sentence, "version": purpose.version},
            "lawful_basis": purpose.basis,
            "pii_information": list(purpose.categories),
            "pii_controllers": [config.name],
            "storage_locations": ["the controller's own machines"],
            "retention_period": kept,
            "withdrawal_method": "tell the controller; it holds from the next read on",
        },
        **standing,
        "events": [
            {
                "event_time": r["occurred_at"].isoformat(),
                "event_state": r["state"],
                "event_type": "explicit" if "/" not in r["source"] else "signal",
                "entity_id": r["source"],
                "validity_duration": r["until"].isoformat() if r["until"] else None,
                "notice_version": r["wording"],
                "language": r["language"],
            }
            for r in said
        ],
    }


def _standing(deciding: Mapping[str, Any] | None, end: Ending | None, at: datetime) -> dict[str, Any]:
    """What her answer comes to at that moment."""
    if deciding is None:
        return {"state": None, "since": None, "until": None, "one_use": False}
    state, given = str(deciding["state"]), deciding["state"] == "given"
    until = min((u for u in (deciding["until"], end.until if end and given else None) if u), default=None)
    over = given and ((until is not None and until <= at) or (end is not None and end.over))
    return {
        "state": "expired" if over else state,
        "since": deciding["occurred_at"].isoformat(),
        "until": until.isoformat() if until else None,
        "one_use": bool(given and end and end.once),
    }


def page(made: Mapping[str, Any], language: str) -> str:
    """The receipt as a page that a customer can read. language: "en" or "zh"."""
    words = WORDS[language]
    parts = [_section(record, words, language) for record in made["records"]]
    whose, by = made["pii_principal_id"].removeprefix("person:"), made["party"]["party_name"]
    when = made["created_at"][:16].replace("T", " ")
    return f"""<!doctype html>
<html lang="{'zh-CN' if language == 'zh' else 'en'}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>{words["title"]}</title><style>{STYLE}</style>
<h1>{words["title"]}</h1>
<p>{words["whose"]}: {escape(whose)} · {words["from"]} {escape(by)} · {words["made"]} {escape(when)} UTC</p>
{"".join(parts)}
<section><small>{words["digest"]}</small><br><code>{escape(made["receipt_id"])}</code></section>
</html>
"""


def _section(record: Mapping[str, Any], words: Mapping[str, str], language: str) -> str:
    processing = record["processing"]
    notice = processing["privacy_notice"]
    sentence = escape(notice.get(language) or notice["en"])
    if processing["lawful_basis"] != "consent":
        basis = BASES[language][processing["lawful_basis"]]
        return f"<section><b>{sentence}</b><br>{escape(words['basis'].format(basis=basis))}</section>\n"
    if record["state"] is None:
        return f"<section><b>{sentence}</b><br>{words['none']}</section>\n"
    now = f"{words['now']}: <b>{words[record['state']]}</b>, {words['since']} {record['since'][:10]}"
    now += f", {words['until']} {record['until'][:10]}" if record["until"] else ""
    now += f", {words['once']}" if record["one_use"] else ""
    events = "".join(
        f"<li>{e['event_time'][:16].replace('T', ' ')} · {words[e['event_state']]} · {escape(e['entity_id'])}</li>"
        for e in record["events"]
    )
    return f"<section><b>{sentence}</b><br>{now}<br><small>{words['history']}</small><ul>{events}</ul></section>\n"
