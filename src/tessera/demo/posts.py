"""Social posts in Chinese and English: what people like, how they feel, and sometimes whom they name."""

from __future__ import annotations

import numpy as np

from tessera.demo.names import COUNTRIES, full_name, plain
from tessera.demo.people import NEVER, VISITOR, Crowd
from tessera.demo.phrases import CHINESE, CLOSERS, ENGLISH, NAMED, OPENERS
from tessera.demo.shop import DAY_S, TOPICS, iso, moments
from tessera.demo.tally import MISSING, MISTYPED, Fault, Row, Tally

FAULTS = (Fault("text", None, MISSING), Fault("network", "carrier pigeon", MISTYPED), Fault("likes", "many", MISTYPED))
_NETWORKS = {"zh": ("weibo", "xiaohongshu"), "en": ("x", "instagram")}


def posts(who: Crowd, block: int, tally: Tally) -> tuple[list[Row], list[Row]]:
    """(the rows of posts.jsonl, their truth: who wrote about what in which mood)."""
    rng = who.rng
    writes = rng.random(len(who)) < np.where(np.array([c.code == "CN" for c in COUNTRIES])[who.country], 0.3, 0.12)
    writes &= who.until > who.since
    person = np.repeat(np.arange(len(who)), np.where(writes, 1 + rng.poisson(rng.gamma(0.8, 4.0, len(who))), 0))
    at = moments(rng, who.since[person], who.until[person])
    times = iso(at)
    choice = rng.random((len(person), 9)).tolist()
    likes = rng.negative_binomial(0.4, 0.02, len(person)).tolist()
    rows: list[Row] = []
    truth: list[Row] = []
    for n, (i, u) in enumerate(zip(person.tolist(), choice, strict=True)):
        chinese = COUNTRIES[who.country[i]].code == "CN"
        language = "zh" if (chinese and u[0] < 0.9) or u[0] > 0.985 else "en"
        topic = TOPICS[who.likes[i, 0] if u[1] < 0.55 else who.likes[i, 1] if u[1] < 0.85 else int(u[2] * len(TOPICS))]
        mood = "bad" if u[3] < _gloom(who, i, int(at[n])) else "good"
        post_id = f"S{block:05d}{n:05d}"
        handle, email, user_id = _author(who, i)
        rows.append({
            "author_email": email, "author_handle": handle, "author_user_id": user_id, "likes": likes[n],
            "network": _NETWORKS[language][int(u[4] * 2)], "post_id": post_id, "posted_at": times[n],
            "language": language, "text": _text(who, i, language, topic, mood, u[5:]),
        })  # fmt: skip
        truth.append(
            {"post_id": post_id, "human_id": who.first + i, "topic": topic, "mood": mood, "language": language}
        )
    _, doubles = tally.dirty("posts", rows, rng, faults=FAULTS, broken=0.002, doubled=0.002)
    return rows + doubles, truth


def _gloom(who: Crowd, person: int, at: int) -> float:
    """The chance of a bad mood: high in the last two months before she leaves."""
    leaves = who.left[person] < NEVER and at > (who.left[person] - 60) * DAY_S
    return 0.75 if leaves else 0.12


def _author(who: Crowd, person: int) -> tuple[str, str | None, str | None]:
    """(handle, e-mail, customer number): for some of the writers the shop knows only the handle."""
    handle = f"@{plain(who.first_name[person])}_{(who.first + person) * 7 % 100_003}"
    known = (who.first + person) * 31 % 10
    ids = who.customer_ids[person]
    if who.kind[person] == VISITOR or known < 2:
        return handle, None, None
    if ids and known < 5:
        return handle, None, ids[0]
    return handle, who.email[person], None


def _text(who: Crowd, person: int, language: str, topic: str, mood: str, u: list[float]) -> str:
    said = (CHINESE if language == "zh" else ENGLISH)[topic]
    body = said[int(u[0] * len(said))]
    opener = OPENERS[language][int(u[1] * len(OPENERS[language]))]
    closers = CLOSERS[language, mood]
    text = opener + body + ("。" if language == "zh" else ".") + closers[int(u[2] * len(closers))]
    if u[3] < 0.06:
        friend = (person + 17) % len(who)
        name = full_name(who.first_name[friend], who.last_name[friend], COUNTRIES[who.country[friend]].code)
        text += NAMED[language][int(u[3] / 0.06 * 3)].format(name=name, phone=who.phone[person])
    return text
