"""POSTS -> POST_TOPICS: what each post is about, as topics of interests.yaml; the text itself stays in the vault.

Posts may name people, so their text is sealed, and this is the one step that opens it: for `personalise`, of people who allow
that. Landing could have read it, before anybody was asked; so nothing reads a post of somebody who did not say yes. What
leaves is a topic, how sure it is, and words of the taxonomy that were found: never a piece of her text: it could name others.

The model is made anew from the same texts with each run and kept nowhere: it remembers nobody.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tessera.config import Topic
from tessera.data import raw
from tessera.insight.interests import weak
from tessera.lake.arrow import schema
from tessera.lake.models import Card, Figure
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Delete, Table

LEARNED_FROM = 20_000
SURE = 0.5
"""How sure a topic has to be, to be told."""
SEED = 7

POST_TOPICS = Table(
    name="post_topics",
    whose="key:key_id",
    columns=(
        Column(name="key_id", type="INTEGER", category=raw.PSEUDONYM),
        Column(name="post_id", type="VARCHAR", category=raw.PSEUDONYM),
        Column(name="occurred_at", type="TIMESTAMPTZ", category=raw.SOCIAL),
        Column(name="topic", type="VARCHAR", category=raw.SOCIAL, note="its words are in interests.yaml"),
        Column(name="sure", type="DOUBLE", category=raw.SOCIAL, note="0.5 to 1"),
        Column(name="words", type="VARCHAR", category=raw.SOCIAL, note="words of the taxonomy that it has; null: none"),
    ),
    purposes=("personalise",),
    on_erase=Delete(),
    unique=("post_id",),
    note="what posts are about; the others are about none of the topics",
)
SCHEMA = schema(POST_TOPICS)


def _run(run: Run) -> Made:
    topics = run.config.topics
    if not topics or run.opened is None:
        return Made(rows=SCHEMA.empty_table())
    chunks = list(run.opened("posts", "text", ("key_id", "post_id", "occurred_at"), "post_id"))
    texts = [t or "" for chunk in chunks for t in chunk["text"].to_pylist()]
    if not texts:
        return Made(rows=SCHEMA.empty_table())
    every = max(-(-len(texts) // LEARNED_FROM), 1)
    model = weak.learned(texts[::every], topics, SEED)
    told = pa.concat_tables([_told(chunk, model, topics) for chunk in chunks])
    card = Card(
        model="interests", fitted_at=run.as_of, people=len(set(told["key_id"].to_pylist())), remembers="nobody", seed=SEED,
        settings={"topics": [t.name for t in topics], "learned_from": len(texts[::every]), "keyword_texts": model.labelled,
                  "self_trained_texts": model.added},
        figures={"told_of_posts": Figure(round(len(told) / len(texts), 4))},
        note="Labels come from the taxonomy's words; nobody has checked them. It is made anew with each run and kept nowhere.",
    )  # fmt: skip
    return Made(rows=told, cards=(card,))


def _told(chunk: pa.Table, model: weak.Learned, topics: tuple[Topic, ...]) -> pa.Table:
    texts = [t or "" for t in chunk["text"].to_pylist()]
    chance = weak.chances(model, texts, topics)
    best = chance.argmax(axis=1)
    sure = chance[np.arange(len(texts)), best]
    keep = np.flatnonzero(sure >= SURE)
    words = [weak.words(texts[i], topics[best[i]]) for i in keep.tolist()]
    return pa.table({
        "key_id": chunk["key_id"].take(pa.array(keep)), "post_id": chunk["post_id"].take(pa.array(keep)),
        "occurred_at": chunk["occurred_at"].take(pa.array(keep)), "topic": [topics[best[i]].name for i in keep.tolist()],
        "sure": np.minimum(sure[keep], 1.0), "words": pa.array([", ".join(w) or None for w in words], pa.string()),
    }).cast(SCHEMA)  # fmt: skip


_READ = tuple(("posts", c) for c in ("text",))

STEP = Step(
    name="post_topics",
    reads=("posts",),
    writes=POST_TOPICS,
    purpose="personalise",
    daily=True,
    optional=True,
    settings=lambda config: config.topics,
    run=_run,
    model="interests",
    opens=(("posts", "text"),),
    lineage={
        "key_id": (("posts", "key_id"),),
        "post_id": (("posts", "post_id"),),
        "occurred_at": (("posts", "occurred_at"),),
        "topic": _READ,
        "sure": _READ,
        "words": _READ,
    },
)
