"""POSTS -> POST_TOPICS: what each post is about, as topics of interests.yaml; the text itself stays in the vault.

Posts may name people, so their text is sealed, and this is the one step that opens it: for `personalise`, of people who allow
that. Landing could have read it, before anybody was asked; so nothing reads a post of somebody who did not say yes. What
leaves is a topic, how sure it is, and words of the taxonomy that were found: never a piece of her text: it could name others.

What was learned from texts is kept for a week, so that a turn opens new posts alone: each row says by which model it was
read, and a post that this one has read is not opened again. Learning opens LEARNED_FROM posts at most. A model of texts might
tell who wrote a rare word: it knows no character or pair that fewer than FEWEST people wrote, and a sweep takes it anyway.
"""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
import pyarrow as pa

from tessera.config import Topic
from tessera.data import raw
from tessera.insight.interests import embedding, keywords, weak
from tessera.insight.interests.classifier import Classifier
from tessera.insight.interests.weak import Embed
from tessera.lake.arrow import schema
from tessera.lake.engine import literal, value
from tessera.lake.models import FEWEST, Card, Figure
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Delete, Table
from tessera.lake.view import over

LEARNED_FROM = 20_000
OLD_DAYS = 7
"""A post that has grown too old is read no more; a model that had read it stands for so long at most."""
SURE = 0.5
"""How sure a topic has to be, to be told."""
SEED = 7
TOLD = "told_posts"
NAMED = ("source", "post_id")

POST_TOPICS = Table(
    name="post_topics",
    whose="key:key_id",
    columns=(
        Column(name="key_id", type="INTEGER", category=raw.PSEUDONYM),
        Column(name="source", type="VARCHAR"),
        Column(name="post_id", type="VARCHAR", category=raw.PSEUDONYM),
        Column(name="occurred_at", type="TIMESTAMPTZ", category=raw.SOCIAL),
        Column(name="topic", type="VARCHAR", category=raw.SOCIAL, note="its words are in interests.yaml; null: none of them"),
        Column(name="sure", type="DOUBLE", category=raw.SOCIAL, note="0.5 to 1"),
        Column(name="words", type="VARCHAR", category=raw.SOCIAL, note="words of the taxonomy that it has; null: none"),
        Column(name="model", type="VARCHAR", note="what read it"),
    ),
    purposes=("personalise",),
    on_erase=Delete(),
    unique=NAMED,
    note="one row per post: what it is about",
)
SCHEMA = schema(POST_TOPICS)


class _Kept(msgspec.Struct, frozen=True):
    """What a card keeps. reads: ngrams or embedding. model: as the classifier writes it; empty: keywords decide alone."""

    reads: str
    model: str


def _run(run: Run) -> Made:
    topics, posts = run.config.topics, {"posts": run.views["posts"]}
    many = int(value(run.con, over(posts, "SELECT count(*) FROM posts WHERE text IS NOT NULL")))
    if not topics or run.opened is None or not many:
        return Made(rows=SCHEMA.empty_table())
    reads = str(run.config.insight.of("interests").get("model", "ngrams"))
    embed = embedding.embedded if reads == "embedding" else None
    card = run.model
    kept = msgspec.json.decode(card.learned, type=_Kept) if card is not None else None
    if card is None or kept is None or not kept.model or run.refit or not 0 <= (run.as_of - card.fitted_at).days < OLD_DAYS:
        card = _fitted(run, topics, many, reads, embed)
        kept = msgspec.json.decode(card.learned, type=_Kept)
    model = Classifier.read(kept.model) if kept.model else None
    name = hashlib.sha256(card.learned.encode()).hexdigest()[:12]
    same = " AND ".join(f"o.{c} IS NOT DISTINCT FROM posts.{c}" for c in (*NAMED, "key_id"))
    stood = f"SELECT 1 FROM {run.own} AS o WHERE o.model = {literal(name)} AND {same}"
    beside = ("key_id", *NAMED, "occurred_at")
    new = [
        _told(c, model, topics, name, embed) for c in run.opened("posts", "text", beside, "post_id", f"NOT EXISTS ({stood})")
    ]
    run.con.register("new_posts", pa.concat_tables([SCHEMA.empty_table(), *new]))
    run.con.execute(f"CREATE OR REPLACE TEMP TABLE {TOLD} AS FROM new_posts")
    run.con.unregister("new_posts")
    stand = f"""SELECT posts.key_id, posts.source, posts.post_id, posts.occurred_at, o.topic, o.sure, o.words, o.model
                FROM posts JOIN {run.own} AS o ON {same} WHERE o.model = {literal(name)} AND posts.text IS NOT NULL"""
    cards: tuple[Card, ...] = ()
    # Where keywords decide alone, learning is tried each time; the same outcome is no new model.
    if card is not run.model and (kept.model or run.model is None or run.model.learned != card.learned):
        topic = pa.chunked_array([c["topic"] for c in new], pa.string())
        share = Figure(round(1 - topic.null_count / max(len(topic), 1), 4))
        cards = (msgspec.structs.replace(card, figures={"told_of_posts": share}),)
    return Made(select=over(posts, f"{stand} UNION ALL SELECT * FROM {TOLD}"), many=many, cards=cards)


def _fitted(run: Run, topics: tuple[Topic, ...], many: int, reads: str, embed: Embed | None) -> Card:
    """A model of some of the posts."""
    assert run.opened is not None
    some = f"hash(source, post_id) % {many} < {LEARNED_FROM}" if many > LEARNED_FROM else "true"
    chunks = list(run.opened("posts", "text", ("key_id",), "post_id", some))
    texts = [text for chunk in chunks for text in _texts(chunk)]
    people = np.concatenate([np.asarray(c["key_id"].fill_null(-1), dtype=np.int64) for c in chunks])
    found = weak.learned(texts, topics, SEED, people=people, fewest=FEWEST, embed=embed)
    written = found.model.written().decode() if found.model else ""
    return Card(
        model="interests", fitted_at=run.as_of, people=len(np.unique(people)), remembers="some", seed=SEED, figures={},
        settings={"topics": [t.name for t in topics], "reads": reads, "learned_from": len(texts),
                  "keyword_texts": found.labelled, "self_trained_texts": found.added},
        note="Labels come from the taxonomy's words; nobody has checked them. People are counted by their keys.",
        learned=msgspec.json.encode(_Kept(reads=reads, model=written)).decode(),
    )  # fmt: skip


def _told(
    chunk: pa.Table, model: Classifier | None, topics: tuple[Topic, ...], name: str, embed: Embed | None = None
) -> pa.Table:
    """Each post with its topic; null where it is about none."""
    texts = _texts(chunk)
    found = keywords.find(texts, topics)
    chance = weak.chances(model, texts, found, topics, embed)
    best = chance.argmax(axis=1)
    sure = chance[np.arange(len(texts)), best]
    told = sure >= SURE
    listed = zip(told.tolist(), best.tolist(), strict=True)
    words = [", ".join(found.words(i, b)) or None if is_told else None for i, (is_told, b) in enumerate(listed)]
    return pa.table({
        **{c: chunk[c] for c in ("key_id", *NAMED, "occurred_at")},
        "topic": pa.array(np.array([t.name for t in topics])[best], pa.string(), mask=~told),
        "sure": pa.array(np.minimum(sure, 1.0), mask=~told), "words": pa.array(words, pa.string()),
        "model": pa.array([name] * len(texts), pa.string()),
    }).cast(SCHEMA)  # fmt: skip


def _texts(chunk: pa.Table) -> list[str]:
    return [text or "" for text in chunk["text"].to_pylist()]


_READ = tuple(("posts", c) for c in ("text",))

STEP = Step(
    name="post_topics",
    reads=("posts",),
    writes=POST_TOPICS,
    purpose="personalise",
    daily=True,
    optional=True,
    rowwise=True,
    settings=lambda config: config.topics,
    run=_run,
    model="interests",
    opens=(("posts", "text"),),
    lineage={
        "key_id": (("posts", "key_id"),),
        "source": (("posts", "source"),),
        "post_id": (("posts", "post_id"),),
        "occurred_at": (("posts", "occurred_at"),),
        "topic": _READ,
        "sure": _READ,
        "words": _READ,
        "model": _READ,
    },
)
