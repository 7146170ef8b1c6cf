"""A taxonomy's keywords -> which of them each text has, keyword by keyword over all texts at once.

English keywords are whole words, or their plural; Chinese ones stand anywhere, as Chinese has no spaces. A keyword is looked
for in all texts by one pass of bytes; only texts that have an English one are read again, for the ends of the word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tessera.config import Topic

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Found:
    """there: a sparse matrix, texts x keywords, 1 where a text has one. named: of each keyword its topic's number, and how the
    taxonomy writes it. topics: how many there are."""

    there: Any
    named: tuple[tuple[int, str], ...]
    topics: int

    @property
    def hits(self) -> Ints:
        """Texts x topics: how many different keywords of a topic a text has."""
        of = np.zeros((len(self.named), self.topics), dtype=np.int64)
        of[np.arange(len(self.named)), [t for t, _ in self.named]] = 1
        return np.asarray(self.there @ of, dtype=np.int64)

    def words(self, text: int, topic: int) -> list[str]:
        """The topic's keywords that a text has, as the taxonomy writes them."""
        row = self.there.indices[self.there.indptr[text] : self.there.indptr[text + 1]]
        return [self.named[w][1] for w in sorted(row.tolist()) if self.named[w][0] == topic]


def find(texts: Sequence[str], topics: Sequence[Topic]) -> Found:
    """The keywords of all topics in all texts."""
    from scipy.sparse import csr_matrix

    small = [t.lower() for t in texts]
    column = pa.array(small, pa.large_string())
    named, places = [], []
    for number, topic in enumerate(topics):
        for word in dict.fromkeys(topic.words_en):
            has, whole = _has(column, word), re.compile(english(word))
            named.append((number, word))
            places.append(np.array([i for i in has.tolist() if whole.search(small[i])], dtype=np.int64))
        for word in dict.fromkeys(topic.words_zh):
            named.append((number, word))
            places.append(_has(column, word))
    words = np.repeat(np.arange(len(named)), [len(p) for p in places])
    at = np.concatenate(places) if places else np.zeros(0, dtype=np.int64)
    there = csr_matrix((np.ones(len(at), dtype=np.int64), (at, words)), shape=(len(small), len(named)))
    return Found(there=there, named=tuple(named), topics=len(topics))


def pattern(topic: Topic) -> re.Pattern[str] | None:
    """What finds any keyword of a topic in a text of small letters; None if it has none."""
    every = [*(english(w) for w in topic.words_en), *(re.escape(w.lower()) for w in topic.words_zh)]
    return re.compile("|".join(every)) if every else None


def english(word: str) -> str:
    """A whole word, or its plural."""
    return rf"\b{re.escape(word.lower())}(?:s|es)?\b"


def _has(column: pa.Array, word: str) -> Ints:
    return np.flatnonzero(pc.match_substring(column, word.lower()).to_numpy(zero_copy_only=False))
