"""What the customer's own door says where it cannot do what she asks: her words, in English and Simplified Chinese.

Errors word their sentences for whoever runs Tessera: they name commands, keys and tables. At her door nobody has those. Each
sentence there is one of this table, by what the error says or else by the status of the answer.
"""

from __future__ import annotations

import re
from typing import Literal

from starlette.datastructures import Headers
from starlette.types import Scope

Language = Literal["en", "zh"]
DOOR = "/v1/me"
PROGRAMS = frozenset({f"{DOOR}/token", f"{DOOR}/return"})
"""Addresses below her door that a program of the owner's asks, and she never."""

BY_STATUS: dict[int, tuple[str, str]] = {
    400: (
        "We cannot do this as it was asked. Look at what you entered, and try again.",
        "我们无法按此要求办理。请检查您填写的内容后重试。",
    ),
    401: (
        "You are not signed in. A link opens once and for a short time only: ask for a new one.",
        "您尚未登录。每个链接仅可使用一次，且很快失效：请重新获取链接。",
    ),
    403: ("We cannot do this for you here. Please write to us.", "我们无法在此为您办理。请与我们联系。"),
    404: ("There is nothing of yours at this address.", "此处没有与您有关的内容。"),
    405: ("This address does not take that.", "此地址不支持该操作。"),
    410: ("This is no longer kept.", "该内容已不再保存。"),
    413: ("This is more than we can take at once.", "内容过大，无法接收。"),
    415: ("This form of data cannot be read here.", "无法读取此格式的数据。"),
    421: ("This server is not called that.", "服务器名称不正确。"),
    422: ("Something is missing, or is not as we expected it: {fact}.", "有内容缺失或不符合要求：{fact}。"),
    429: ("You asked too often. Try again in {fact} seconds.", "您的请求过于频繁。请在 {fact} 秒后重试。"),
    431: ("The headers of this request are too large.", "请求头过大。"),
    500: (
        "Something went wrong on our side, and we have to look into it. Reference: {fact}",
        "我们这边出现了问题，需要进一步查明。参考编号：{fact}",
    ),
    503: ("We are busy just now. Try again in a moment.", "系统正忙，请稍后重试。"),
}
OTHER = ("We could not do this.", "我们未能完成您的请求。")

BY_SENTENCE: tuple[tuple[re.Pattern[str], tuple[str, str]], ...] = tuple(
    (re.compile(start), words)
    for start, words in (
        (
            r"This request (does not come from our own pages|comes from another site's page)",
            ("This did not come from our own pages. Open our page, and try again there.",
             "该请求并非来自我们的页面。请打开我们的页面后重试。"),
        ),
        (
            r"This address takes ",
            ("This address has a part that we do not know.", "此地址含有我们无法识别的部分。"),
        ),
        (
            r"\S+ rests on another basis than consent",
            ("This needs no consent of yours, so there is nothing to choose. You may object to it, or ask us to restrict "
             "it.", "此用途无需您的同意，因此没有可供选择的内容。您可以提出反对，或要求限制处理。"),
        ),
        (
            r"Only a yes ends",
            ("Only a yes can have an end: leave the end out, or agree.", "只有同意才能设定期限：请去掉期限，或选择同意。"),
        ),
        (
            r"A yes ends at a moment to come",
            ("A yes ends either at a moment to come, or with its first use: choose one of the two.",
             "同意可在将来的某一时刻终止，或在首次使用后终止：请二者择一。"),
        ),
        (
            r"A purpose belongs to an objection|New values belong to a correction",
            ("This holds something that does not belong to what you ask for.", "您填写的内容与所提请求的类型不符。"),
        ),
        (
            r"An objection is to a purpose",
            ("Say what you object to.", "请说明您反对的是哪一项用途。"),
        ),
        (
            r"The purpose \S+ rests on consent",
            ("This rests on your consent: withdraw it, and we stop.", "此用途以您的同意为依据：撤回同意后我们即停止。"),
        ),
        (
            r"The purpose \S+ rests on",
            ("To this use the law knows no objection. You may ask us to restrict or to erase your data.",
             "对此用途法律未规定反对权。您可以要求我们限制处理或删除您的数据。"),
        ),
        (
            r"A correction needs a new value",
            ("Say what is wrong, and what is right.", "请说明哪一项有误，以及正确的内容。"),
        ),
        (
            r".{0,100} cannot be corrected\. Fields: ",
            ("This cannot be corrected here. Please write to us.", "此项无法在此更正。请与我们联系。"),
        ),
        (
            r"The new \S+ is empty, too long, or none",
            ("The new value is empty, too long, or not of the right form.", "新的内容为空、过长或格式不正确。"),
        ),
        (
            r"The new \S+ was erased here",
            ("This was erased here at somebody's request. It comes back when you sign in with it yourself.",
             "该内容已应请求删除。您以其本人身份登录后方可恢复。"),
        ),
        (
            r"Request \d+ was refused",
            ("We answered this request with a no; its receipt says why. You may ask anew.",
             "我们已拒绝此请求，理由见其凭证。您可以重新提出请求。"),
        ),
        (
            r"Nobody has made sure who asks|The records behind request",
            ("We have to make sure again that it is you. Please ask anew from here.",
             "我们需要重新核实您的身份。请从此处重新提出请求。"),
        ),
    )
)  # fmt: skip
"""How an error's own sentence begins -> hers. Tests raise each of them at the real door."""

SAID: dict[str, tuple[str, str]] = {"welcome": ("Welcome.", "欢迎。"), "goodbye": ("Goodbye.", "再见。")}
"""What it says where all went well."""

TAG = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]{1,40})?\s*(?:;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?\s*")


def at(scope: Scope) -> Language | None:
    """The language of an answer to her: Chinese where her browser prefers it to English. None where it is not her door."""
    path = str(scope["path"]).rstrip("/")
    if path in PROGRAMS or not (path == DOOR or path.startswith(f"{DOOR}/")):
        return None
    return preferred(Headers(scope=scope).get("accept-language", ""))


def preferred(accept: str) -> Language:
    """Of English and Chinese the one that an Accept-Language header prefers; English where it says nothing of them.

    >>> preferred("zh-CN,zh;q=0.9,en;q=0.8"), preferred("de, en;q=0.5, zh;q=0.2"), preferred("zh;q=0")
    ('zh', 'en', 'en')
    """
    weights = {"en": 0.0, "zh": 0.0}
    first = ""
    for part in accept.split(","):
        found = TAG.fullmatch(part)
        tag = found[1].lower() if found else ""
        if found and tag in weights:
            first = first or tag
            weights[tag] = max(weights[tag], float(found[2] or 1))
    if weights["zh"] == weights["en"]:
        return "zh" if first == "zh" and weights["zh"] else "en"
    return "zh" if weights["zh"] > weights["en"] else "en"


def sentence(status: int, language: Language, message: str = "", fact: str = "") -> str:
    """What she is told. message: what the error says itself. fact: of 422 the fields, of 429 the seconds, of 500 the
    reference."""
    said = next((words for start, words in BY_SENTENCE if start.match(message)), None) or BY_STATUS.get(status, OTHER)
    return said[language == "zh"].format(fact=fact)


def greeting(name: str, scope: Scope) -> str:
    """A word of SAID in her language."""
    return SAID[name][at(scope) == "zh"]
