"""A taxonomy's keywords and texts without labels -> labels for some of them, and a classifier that goes beyond the keywords.

Texts with keywords of one topic alone are its examples. A classifier of them labels the texts that had none; those it is sure
of join the examples, with less weight, and it learns once more (self-training, Yarowsky 1995). Keywords are left out of half of
the examples, or the classifier would learn the keywords alone and know nothing else of a topic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tessera.config import Topic
from tessera.insight.interests import classifier, keywords
from tessera.insight.interests.classifier import Classifier
from tessera.insight.interests.keywords import Found

SURE = 0.7
WEIGHT = 0.5
"""Of a text that the classifier itself has labelled."""
FEWEST_HITS = 3
"""Texts that a topic's keywords must find, for the classifier to know it."""

Numbers = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Embed = Callable[[Sequence[str]], Numbers]
"""Texts -> texts x numbers that say what they mean."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """model: None where keywords found too little: they decide alone then. labelled: texts with keywords of one topic; added:
    those that the classifier itself has labelled."""

    model: Classifier | None
    labelled: int
    added: int


def learned(
    texts: Sequence[str], topics: Sequence[Topic], seed: int = 1, *, people: Ints | None = None, fewest: int = 1,
    embed: Embed | None = None,
) -> Learned:  # fmt: skip
    """A classifier of a taxonomy's topics, from texts that nobody has labelled. people: whose each text is; what fewer than
    `fewest` of them write is not learned. embed: what reads the meaning of texts beside their characters."""
    hits = keywords.find(texts, topics).hits
    names = tuple(t.name for t in topics)
    one = (hits > 0).sum(axis=1) == 1
    label = hits.argmax(axis=1)
    many = np.bincount(label[one], minlength=len(topics))
    known = one & (many[label] >= FEWEST_HITS)
    if known.sum() < classifier.FEWEST or len(np.unique(label[known])) < 2:
        return Learned(model=None, labelled=int(known.sum()), added=0)
    patterns = [keywords.pattern(t) for t in topics]
    rows = np.flatnonzero(known)
    blank = np.random.default_rng(seed).random(len(rows)) < 0.5
    hidden = zip(rows.tolist(), blank.tolist(), strict=True)
    examples = [_without(texts[i], patterns[label[i]]) if hide else texts[i] for i, hide in hidden]
    labels = [names[label[i]] for i in rows.tolist()]
    meant = embed(examples) if embed else None
    whose = None if people is None else people[rows]
    model = classifier.fit(examples, labels, extra=meant, people=whose, fewest=fewest, seed=seed)
    rest = np.flatnonzero(hits.sum(axis=1) == 0)
    others = [texts[i] for i in rest.tolist()]
    read = embed(others) if embed else None
    chances = model.chances(others, read)
    sure = np.flatnonzero(chances.max(axis=1) >= SURE) if len(rest) else np.zeros(0, dtype=np.int64)
    if len(sure):
        examples += [others[i] for i in sure.tolist()]
        labels += [model.classes[c] for c in chances[sure].argmax(axis=1).tolist()]
        weights = np.r_[np.ones(len(rows)), np.full(len(sure), WEIGHT)]
        meant = np.concatenate([meant, read[sure]]) if meant is not None and read is not None else None
        whose = None if people is None else people[np.r_[rows, rest[sure]]]
        model = classifier.fit(
            examples, labels, extra=meant, weights=weights, people=whose, fewest=fewest, seed=seed
        )  # fmt: skip
    return Learned(model=model, labelled=len(rows), added=len(sure))


def chances(
    model: Classifier | None, texts: Sequence[str], found: Found, topics: Sequence[Topic], embed: Embed | None = None
) -> Numbers:
    """Texts x topics of the taxonomy: how likely a text is about each. found: the keywords that it has. A keyword counts as
    much as a sure classifier; a text with no keyword and no sure topic is about none (all small)."""
    hits = found.hits.astype(np.float64)
    every = hits.sum(axis=1, keepdims=True)
    said = hits / np.maximum(every, 1)
    if model is None or not len(texts):
        return np.asarray(said, dtype=np.float64)
    told = np.zeros_like(said)
    names = [t.name for t in topics]
    told[:, [names.index(c) for c in model.classes]] = model.chances(texts, embed(texts) if embed else None)
    told[[not t.strip() for t in texts]] = 0
    return np.asarray(np.where(every > 0, (said + told) / 2, told), dtype=np.float64)


def _without(text: str, pattern: re.Pattern[str] | None) -> str:
    return pattern.sub(" ", text.lower()) if pattern else text
