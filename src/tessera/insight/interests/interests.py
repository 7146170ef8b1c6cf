"""POST_TOPICS, EVENTS, ORDER_LINES, MEMBERSHIP -> INTERESTS: what each person is interested in, how much, and what says so.

A post counts as sure as it is about the topic, a product that she looked at a fifth, one that she bought as one; each counts
half after a half-life. Strength is 1 - exp(-count): one fresh post gives 0.63. Evidence stands beside it: how many of each, the
last day, and the taxonomy's words that her posts have most often.
"""

from __future__ import annotations

from datetime import date, timedelta

from tessera.config import Topic
from tessera.data import raw
from tessera.insight.interests.post_topics import POST_TOPICS
from tessera.lake.arrow import schema
from tessera.lake.engine import literal
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Delete, Table
from tessera.lake.view import over

LOOKED, BOUGHT = 0.2, 1.0
WORDS = 5

INTERESTS = Table(
    name="interests",
    whose="person:person_id",
    columns=(
        Column(name="person_id", type="INTEGER", category=raw.PSEUDONYM),
        Column(name="topic", type="VARCHAR", category=raw.BEHAVIOUR),
        Column(name="topic_en", type="VARCHAR", category=raw.BEHAVIOUR),
        Column(name="topic_zh", type="VARCHAR", category=raw.BEHAVIOUR),
        Column(name="strength", type="DOUBLE", category=raw.BEHAVIOUR, note="0 to 1; what is old counts less"),
        Column(name="posts", type="BIGINT", category=raw.SOCIAL, note="how many are about it"),
        Column(name="looked", type="BIGINT", category=raw.BROWSING, note="how often she looked at its products"),
        Column(name="bought", type="BIGINT", category=raw.PURCHASE, note="how many lines of orders are of its products"),
        Column(name="words", type="VARCHAR", category=raw.SOCIAL, note="the taxonomy's words that her posts have most often"),
        Column(name="last_at", type="TIMESTAMPTZ", category=raw.BEHAVIOUR, note="the last act that says so"),
        Column(name="as_of", type="DATE"),
    ),
    purposes=("personalise",),
    on_erase=Delete(),
    unique=("person_id", "topic"),
    whole=True,
    note="one row per person and topic that she is interested in, with what says so",
)


def sql(topics: tuple[Topic, ...], half_life_days: int, as_of: date) -> str:
    """SQL over the views: INTERESTS as of that day."""
    until = f"TIMESTAMPTZ {literal((as_of + timedelta(days=1)).isoformat())}"
    named = ", ".join(f"({literal(t.name)}, {literal(t.en)}, {literal(t.zh)})" for t in topics)
    of = " ".join(
        f"WHEN {' OR '.join(f'starts_with(product_id, {literal(p)})' for p in t.products)} THEN {literal(t.name)}"
        for t in topics
        if t.products
    )
    topic = f"CASE {of} END" if of else "CAST(NULL AS VARCHAR)"
    age = f"greatest(epoch({until}) - epoch(a.occurred_at), 0) / 86400.0"
    return f""", acts AS (
            SELECT key_id, topic, sure AS weight, occurred_at, 1 AS post, 0 AS look, 0 AS buy, words FROM post_topics
            UNION ALL SELECT key_id, {topic}, {LOOKED}, occurred_at, 0, 1, 0, NULL FROM events WHERE product_id IS NOT NULL
            UNION ALL SELECT key_id, {topic}, {BOUGHT}, occurred_at, 0, 0, 1, NULL FROM order_lines
            WHERE product_id IS NOT NULL AND quantity > 0),
        mine AS (SELECT m.person_id, a.*, pow(0.5, {age} / {half_life_days}) AS kept
            FROM acts a JOIN membership m USING (key_id)
            WHERE a.topic IS NOT NULL AND a.occurred_at IS NOT NULL AND a.occurred_at < {until}),
        said AS (SELECT person_id, topic, word, count(*) AS many FROM (
                SELECT person_id, topic, unnest(string_split(words, ', ')) AS word FROM mine WHERE words IS NOT NULL)
            GROUP BY ALL),
        best AS (SELECT person_id, topic, string_agg(word, ', ' ORDER BY many DESC, word) AS words FROM (
                SELECT *, row_number() OVER (PARTITION BY person_id, topic ORDER BY many DESC, word) AS place FROM said)
            WHERE place <= {WORDS} GROUP BY ALL),
        summed AS (SELECT person_id, topic, 1 - exp(-sum(weight * kept)) AS strength, sum(post) AS posts, sum(look) AS looked,
                   sum(buy) AS bought, max(occurred_at) AS last_at FROM mine GROUP BY ALL)
        SELECT s.person_id, s.topic, n.en AS topic_en, n.zh AS topic_zh, s.strength, CAST(s.posts AS BIGINT) AS posts,
               CAST(s.looked AS BIGINT) AS looked, CAST(s.bought AS BIGINT) AS bought, b.words, s.last_at,
               DATE {literal(as_of.isoformat())} AS as_of
        FROM summed s JOIN (VALUES {named}) AS n(topic, en, zh) USING (topic) LEFT JOIN best b USING (person_id, topic)
        ORDER BY s.person_id, s.topic"""


def _run(run: Run) -> Made:
    topics = run.config.topics
    if not topics:
        return Made(rows=schema(INTERESTS).empty_table())
    half_life = int(run.config.insight.of("interests").get("half_life_days", 90))
    return Made(select=over(run.views, sql(topics, half_life, run.as_of)))


_ACTS = (
    ("post_topics", "topic"), ("post_topics", "occurred_at"), ("events", "product_id"), ("events", "occurred_at"),
    ("order_lines", "product_id"), ("order_lines", "occurred_at"),
)  # fmt: skip
_POSTS = (("post_topics", "topic"), ("post_topics", "words"))

STEP = Step(
    name="interests",
    reads=(POST_TOPICS.name, "events", "order_lines", "membership"),
    writes=INTERESTS,
    purpose="personalise",
    daily=True,
    optional=True,
    settings=lambda config: config.topics,
    run=_run,
    aged=True,
    lineage={
        "person_id": (("membership", "person_id"),),
        **dict.fromkeys(("topic", "topic_en", "topic_zh"), _ACTS),
        "strength": (*_ACTS, ("post_topics", "sure")),
        "posts": _POSTS,
        "looked": (("events", "product_id"),),
        "bought": (("order_lines", "product_id"), ("order_lines", "quantity")),
        "words": _POSTS,
        "last_at": _ACTS,
        "as_of": (),
    },
)
