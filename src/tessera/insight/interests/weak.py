"""A taxonomy's keywords and texts without labels -> labels for some of them, and a classifier that goes beyond the keywords.

Texts with keywords of one topic alone are its examples. A classifier of them labels the texts that had none; those it is sure
of join the examples, with less weight, and it learns once more (self-training, Yarowsky 1995). Keywords are left out of half of
the examples, or the classifier would learn the keywords alone and know nothing else of a topic.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tessera.config import Topic
from tessera.insight.interests import classifier
from tessera.insight.interests.classifier import Classifier

SURE = 0.7
WEIGHT = 0.5
"""Of a text that the classifier itself has labelled."""
FEWEST_HITS = 3
"""Texts that a topic's keywords must find, for the classifier to know it."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """model: None where keywords found too little: they decide alone then. hits: texts x topics, how many keywords of each."""

    topics: tuple[str, ...]
    model: Classifier | None
    hits: npt.NDArray[np.int64]
    labelled: int
    added: int


def hits(texts: Sequence[str], topics: Sequence[Topic]) -> npt.NDArray[np.int64]:
    """Texts x topics: how many different keywords of a topic a text has. English keywords match whole words (and plurals)."""
    patterns = [_pattern(t) for t in topics]
    small = [text.lower() for text in texts]
    found = [[len({m.group(0) for m in p.finditer(text)}) if p else 0 for p in patterns] for text in small]
    return np.array(found, dtype=np.int64).reshape(len(texts), len(topics))


def learned(texts: Sequence[str], topics: Sequence[Topic], seed: int = 1) -> Learned:
    """A classifier of a taxonomy's topics, from texts that nobody has labelled."""
    found = hits(texts, topics)
    names = tuple(t.name for t in topics)
    one = (found > 0).sum(axis=1) == 1
    label = found.argmax(axis=1)
    many = np.bincount(label[one], minlength=len(topics))
    known = one & (many[label] >= FEWEST_HITS)
    nothing = Learned(topics=names, model=None, hits=found, labelled=int(known.sum()), added=0)
    if known.sum() < classifier.FEWEST or len(np.unique(label[known])) < 2:
        return nothing
    patterns = [_pattern(t) for t in topics]
    rows = np.flatnonzero(known)
    blank = np.random.default_rng(seed).random(len(rows)) < 0.5
    hidden = zip(rows.tolist(), blank.tolist(), strict=True)
    examples = [_without(texts[i], patterns[label[i]]) if hide else texts[i] for i, hide in hidden]
    labels = [names[label[i]] for i in rows.tolist()]
    model = classifier.fit(examples, labels, seed=seed)
    rest = np.flatnonzero(found.sum(axis=1) == 0)
    chances = model.chances([texts[i] for i in rest.tolist()])
    sure = np.flatnonzero(chances.max(axis=1) >= SURE) if len(rest) else np.zeros(0, dtype=np.int64)
    if len(sure):
        examples += [texts[rest[i]] for i in sure.tolist()]
        labels += [model.classes[c] for c in chances[sure].argmax(axis=1).tolist()]
        weights = np.r_[np.ones(len(rows)), np.full(len(sure), WEIGHT)]
        model = classifier.fit(examples, labels, weights=weights, seed=seed)
    return Learned(topics=names, model=model, hits=found, labelled=len(rows), added=len(sure))


def chances(learned: Learned, texts: Sequence[str], topics: Sequence[Topic]) -> npt.NDArray[np.float64]:
    """Texts x topics of the taxonomy: how likely a text is about each. A keyword counts as much as a sure classifier; a text
    with no keyword and no sure topic is about none (all small)."""
    found = hits(texts, topics).astype(np.float64)
    said = found / np.maximum(found.sum(axis=1, keepdims=True), 1)
    if learned.model is None or not len(texts):
        return np.asarray(said, dtype=np.float64)
    told = np.zeros_like(said)
    places = [learned.topics.index(c) for c in learned.model.classes]
    told[:, places] = learned.model.chances(texts)
    keyed = found.sum(axis=1, keepdims=True) > 0
    return np.asarray(np.where(keyed, (said + told) / 2, told), dtype=np.float64)


def _pattern(topic: Topic) -> re.Pattern[str] | None:
    english = [_english(w) for w in topic.words_en]
    chinese = [re.escape(w.lower()) for w in topic.words_zh]
    return re.compile("|".join([*english, *chinese])) if english or chinese else None


def _without(text: str, pattern: re.Pattern[str] | None) -> str:
    return pattern.sub(" ", text.lower()) if pattern else text


def words(text: str, topic: Topic) -> list[str]:
    """The topic's keywords that a text has, as the taxonomy writes them."""
    small = text.lower()
    found = [w for w in topic.words_en if re.search(_english(w), small)]
    return found + [w for w in topic.words_zh if w.lower() in small]


def _english(word: str) -> str:
    """A whole word, or its plural."""
    return rf"\b{re.escape(word.lower())}(?:s|es)?\b"
