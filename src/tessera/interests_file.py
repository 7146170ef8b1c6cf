"""interests.yaml: the topics that people may be interested in: names and keywords in two languages, and products."""

from __future__ import annotations

from tessera.config import Topic
from tessera.yamlmarks import Piece
from tessera.yamlread import entries, label, many, section, text

MOST = 200
KEYS = ("en", "zh", "words_en", "words_zh", "products")


def topics(piece: Piece) -> tuple[Topic, ...]:
    """What the file says; each mistake is noted with its line."""
    top = section(piece, ("topics",), ("topics",))
    if top is None:
        return ()
    found = []
    for key, value in entries(top.parts["topics"]):
        name, spec = label(key), section(value, KEYS, ("en", "zh"))
        if name is None or spec is None:
            continue
        words = {k: spec.get(k, many(text(r"\S(?s:.*)", "a word")), ()) for k in ("words_en", "words_zh", "products")}
        found.append(Topic(
            name=name, en=spec.get("en", text(), name), zh=spec.get("zh", text(), name), words_en=words["words_en"],
            words_zh=words["words_zh"], products=words["products"],
        ))  # fmt: skip
    if len(found) > MOST:
        piece.say(f"{len(found)} topics: at most {MOST} can be told apart.")
    return tuple(found[:MOST])
