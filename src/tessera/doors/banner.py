"""The consent banner of a source: one script (static/banner.js) with the source's purposes in it, for the pages of its owner.

A purpose is asked about if the source's contract reads its answer where the banner puts it: a property with `consent: PURPOSE`
whose physicalName is `context.consent.categoryPreferences.NAME`; NAME is what pages and scripts call it. Its words are the
purpose's own sentence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from tessera.config import Config, Contract
from tessera.doors.limits import Meter, Rate, origin

PATH = "/banner.js"
PLACE = "context.consent.categoryPreferences."
KEEP_S = 300
RATE = Rate(burst=300, every_s=0.01)
MOST_FIELDS = 8
FLEETING = [(b"cache-control", b"no-store")]

WORDS = {
    "en": {
        "head": "May we use your data?",
        "about": "Nothing is sent before you choose. You can change your choice at any time.",
        "gpc": "(Off: your browser asks us not to sell or share your data.)",
        "all": "Accept all", "none": "Refuse all", "save": "Save my choice",
    },
    "zh": {
        "head": "我们可以使用您的数据吗？",
        "about": "在您选择之前，我们不会发送任何数据。您可以随时更改选择。",
        "gpc": "（已关闭：您的浏览器要求不出售或共享您的数据。）",
        "all": "全部同意", "none": "全部拒绝", "save": "保存我的选择",
    },
}  # fmt: skip


def settings(config: Config, contract: Contract, write_key: str) -> dict[str, Any] | None:
    """What the banner of a source asks; None where its contract reads no answer of a banner.

    A purpose whose answer Sec-GPC gives too (`signal: gpc`), or that hands data to others (`recipients`), keeps to Global
    Privacy Control. version: changes when a purpose or its sentence does, and then she is asked again.
    """
    signalled = {f.consent for f in contract.fields if f.signal == "gpc"}
    asked = []
    for f in contract.fields:
        if f.consent is None or f.signal is not None or not f.where.startswith(PLACE):
            continue
        purpose = config.purposes[f.consent]
        english = purpose.sentence.get("en") or next(iter(purpose.sentence.values()))
        chinese = next((said for language, said in purpose.sentence.items() if language.partition("-")[0] == "zh"), english)
        gpc = f.consent in signalled or bool(purpose.recipients)
        asked.append(
            {"id": f.where.removeprefix(PLACE), "en": english, "zh": chinese, "gpc": gpc, "version": purpose.version}
        )
    if not asked:
        return None
    version = hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:12]
    for one in asked:
        del one["version"]
    return {"writeKey": write_key, "version": version, "purposes": asked, "words": WORDS}


@cache
def _code() -> bytes:
    """The script without its indents and comments, each of which is a line of its own."""
    text = (files("tessera") / "doors" / "static" / "banner.js").read_text("utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("/*")).encode()


def script(told: Mapping[str, Any]) -> bytes:
    """The whole script of a source."""
    return _code() + b"(window, document, " + msgspec.json.encode(told) + b");\n"


class Banner:
    """Serves the scripts. sources: settings by write key."""

    def __init__(self) -> None:
        self.sources: Mapping[str, dict[str, Any]] = {}
        self._addresses = Meter(RATE)

    @staticmethod
    def takes(scope: Scope) -> bool:
        """Whether a request is for a banner."""
        return bool(scope["path"] == PATH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET /banner.js?writeKey=KEY: a page of any site may load it; there is nothing secret in it, and no cookie is read."""
        status, body, more = self._answer(scope)
        told = [
            (b"content-type", b"text/javascript; charset=utf-8"), (b"content-length", b"%d" % len(body)),
            (b"x-content-type-options", b"nosniff"), (b"cross-origin-resource-policy", b"cross-origin"), *more,
        ]  # fmt: skip
        await send({"type": "http.response.start", "status": status, "headers": told})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, scope: Scope) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        if scope["method"] not in ("GET", "HEAD"):
            return 405, b"", [(b"allow", b"GET, HEAD")]
        client = scope.get("client")
        if self._addresses.take(origin(client[0]) if client else "?"):
            return 429, b"", [(b"retry-after", b"1")]
        try:
            query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=MOST_FIELDS)
        except ValueError:
            return 400, b'console.warn("The address of the banner has too many parameters.");\n', FLEETING
        found = self.sources.get(query.get("writeKey", [""])[0])
        if found is None:
            return 404, b'console.warn("No banner for this write key.");\n', FLEETING
        return 200, script(found), [(b"cache-control", b"public, max-age=%d" % KEEP_S)]
