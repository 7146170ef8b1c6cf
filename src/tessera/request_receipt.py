"""The signed receipt of a request: what was asked, who was checked how, what came of it, and where the ledger says so.

Signed with the ledger's key over its canonical JSON: whoever has the public key can check it anywhere, without us.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tessera import copy_words
from tessera.config import Config
from tessera.copy_words import TABLES, sentence
from tessera.errors import BadInput, BrokenTrail
from tessera.receipt import STYLE
from tessera.trust.checkpoint import fingerprint
from tessera.trust.requests import Request

FORMAT: Final = "tessera request receipt 1"
TEXTS = ("refusal", "extension", "end")
"""What was written about a request that its receipt repeats: why it takes longer, why the answer is no."""


def receipt(
    config: Config, request: Request, texts: Mapping[str, str], at: str, checkpoint: str, key: Ed25519PrivateKey
) -> dict[str, Any]:
    """The receipt of a request as it stands, with its signature. texts: what was written to it, in clear."""
    made = {
        "format": FORMAT,
        "controller": config.name,
        "request": request.id,
        "kind": request.kind,
        "opened_at": request.opened_at,
        "channel": request.channel,
        "due": request.due,
        "extended": request.extended,
        "identity": {"state": request.check.state, "how": request.check.how, "at": request.check.at},
        "status": request.status,
        "purpose": request.purpose,
        "outcome": request.outcome,
        "sentences": _sentences(config, request),
        "reasons": {name: texts[name] for name in TEXTS if name in texts},
        "history": [{"at": e.at, "act": e.act, "entry": e.entry} for e in request.history],
        "made_at": at,
        "checkpoint": checkpoint,
        "key": fingerprint(key.public_key()),
    }
    return {**made, "signature": key.sign(_said(made)).hex()}


def _sentences(config: Config, request: Request) -> dict[str, dict[str, str]]:
    """What the purposes that a receipt names are for, in the customers' words."""
    named = {request.purpose, *(duty["purpose"] for duty in request.outcome.get("held", ()))}
    return {p.name: p.sentence for p in config.purposes.values() if p.name in named}


def check(made: Mapping[str, Any], key: Ed25519PublicKey) -> None:
    """Returns if the receipt was signed by this key as it is; BrokenTrail if not, BadInput for another document."""
    if made.get("format") != FORMAT:
        raise BadInput("This is no receipt of a request. Make one: tessera request receipt ID")
    body = {k: v for k, v in made.items() if k != "signature"}
    try:
        key.verify(bytes.fromhex(str(made.get("signature", ""))), _said(body))
    except (InvalidSignature, ValueError):
        raise BrokenTrail("the receipt was altered, or signed with another key") from None


def _said(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return b"tessera request receipt\n" + text.encode()


WORDS = {
    "en": {
        "title": "Your request", "kind": "You asked for", "opened": "Received", "due": "To be answered by", "status": "Status",
        "identity": "How we made sure it was you", "outcome": "What came of it", "reasons": "Why", "history": "What we did",
        "held": "Kept by law until {until}, {rows} of “{table}”, for this alone: {purpose}",
        "sweep": "The last traces leave our disks by {day}.", "unverified": "not yet",
        "signed": "Signed with key {key}. Entries are those of our ledger.", "entry": "entry {n}",
        "access": "a copy of your data", "portability": "your data to take with you", "correction": "a correction",
        "restriction": "a restriction", "objection": "no more use of your data for this: {purpose}", "erasure": "erasure",
        "received": "received", "verifying": "we check who you are", "in progress": "in progress", "done": "done",
        "refused": "refused",
    },
    "zh": {
        "title": "您的请求", "kind": "您的请求内容", "opened": "收到时间", "due": "答复期限", "status": "状态",
        "identity": "我们如何核实您的身份", "outcome": "处理结果", "reasons": "理由", "history": "处理过程",
        "held": "法律要求我们将“{table}”中的 {rows}保留至 {until}，且仅用于：{purpose}",
        "sweep": "最后的痕迹将于 {day} 前从磁盘中清除。", "unverified": "尚未核实",
        "signed": "以密钥 {key} 签名。条目编号对应我们的账本。", "entry": "条目 {n}",
        "access": "获取您的数据副本", "portability": "转移您的数据", "correction": "更正", "restriction": "限制处理",
        "objection": "不再将您的数据用于：{purpose}", "erasure": "删除", "received": "已收到", "verifying": "正在核实身份",
        "in progress": "处理中", "done": "已完成", "refused": "已拒绝",
    },
}  # fmt: skip

HOW = {
    "en": {
        "signed link": "by a link to your mailbox", "owner's token": "by your account with us", "account": "by your account",
        "document": "by a document", "in person": "in person", "call back": "by calling you back", "court order": "by a court",
    },
    "zh": {
        "signed link": "通过发送至您邮箱的链接", "owner's token": "通过您在本店的账户", "account": "通过您的账户",
        "document": "通过证件", "in person": "当面核实", "call back": "通过回电", "court order": "依据法院命令",
    },
}  # fmt: skip

ACTS = {
    "en": {
        "received": "we received it", "identity asked for by": "we asked who you are, {rest}",
        "identity verified by": "we made sure who you are, {rest}", "begun": "we began",
        "texts read": "a colleague read what you wrote",
        "done": "done", "done again": "done again", "extended to": "we need longer, until {rest}", "refused": "we refused",
        "lifted": "it ended", "her records were joined or split": "your records changed, so we ask again who you are",
    },
    "zh": {
        "received": "我们已收到", "identity asked for by": "我们请您证明身份：{rest}",
        "identity verified by": "我们已核实您的身份：{rest}", "begun": "我们已开始处理", "texts read": "同事已阅读您的留言",
        "done": "已完成", "done again": "已再次完成", "extended to": "我们需要更多时间，至 {rest}", "refused": "我们已拒绝",
        "lifted": "已结束", "her records were joined or split": "您的记录有变化，我们需重新核实您的身份",
    },
}  # fmt: skip
"""What was done about a request, as the customer reads it; by the words that the desk notes, a kind before them left out."""


def told(act: str, kind: str, language: str) -> str:
    """An act of a request's history in the customer's words; one that has none stays as it is."""
    plain = act.removeprefix(f"{kind} ")
    for start, text in ACTS[language].items():
        if plain == start or plain.startswith((f"{start} ", f"{start}:")):
            rest = plain[len(start) :].strip()
            if plain == start or "{rest}" in text or plain.startswith(f"{start}:"):
                return text.format(rest=HOW[language].get(rest, rest))
    return act


def _held(duty: Mapping[str, Any], sentences: Mapping[str, Mapping[str, str]], language: str) -> str:
    """What a duty keeps, in her words."""
    many = copy_words.WORDS[language]["row" if duty["rows"] == 1 else "rows"].format(n=f"{duty['rows']:,}")
    return WORDS[language]["held"].format(
        rows=many,
        table=TABLES[language].get(duty["table"], duty["table"]),
        until=duty["until"],
        purpose=sentence(sentences.get(duty["purpose"], {}), language, duty["purpose"]),
    )


def page(made: Mapping[str, Any], language: str) -> str:
    """The receipt as a page that a customer can read. language: "en" or "zh"."""
    words, outcome = WORDS[language], made["outcome"]
    sentences = made.get("sentences", {})  # a receipt of an older Tessera has none
    purpose = made["purpose"] or ""
    lines = [_held(duty, sentences, language) for duty in outcome.get("held", ())]
    lines += [words["sweep"].format(day=outcome["sweep"])] if outcome.get("sweep") else []
    facts = [
        (words["kind"], words[made["kind"]].format(purpose=sentence(sentences.get(purpose, {}), language, purpose))),
        (words["opened"], made["opened_at"][:10]),
        (words["due"], made["due"]),
        (words["identity"], HOW[language].get(made["identity"]["how"], words["unverified"])),
        (words["status"], words[made["status"]]),
        *((words["reasons"], reason) for reason in made["reasons"].values()),
        *((words["outcome"], line) for line in lines),
    ]
    shown = "".join(f"<p><small>{escape(name)}</small><br>{escape(value)}</p>" for name, value in facts)
    history = [
        (e["at"][:16].replace("T", " "), told(e["act"], made["kind"], language), words["entry"].format(n=e["entry"]))
        for e in made["history"]
    ]
    events = "".join(f"<li>{escape(' · '.join(event))}</li>" for event in history)
    return f"""<!doctype html>
<html lang="{'zh-CN' if language == 'zh' else 'en'}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>{words["title"]}</title><style>{STYLE}</style>
<h1>{words["title"]} {made["request"]}</h1><p>{escape(made["controller"])}</p>
{shown}
<section><small>{words["history"]}</small><ul>{events}</ul></section>
<section><small>{escape(words["signed"].format(key=made["key"]))}</small><br><code>{escape(made["signature"])}</code></section>
</html>
"""
