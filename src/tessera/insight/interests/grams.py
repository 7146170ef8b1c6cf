"""Texts -> their characters and pairs of neighbours, counted and weighed (TF-IDF), all texts at once.

A pair is one number, made of two code points, so texts are arrays and a vocabulary is a sorted array to be searched. The
numbers are those of scikit-learn's TfidfVectorizer (char, 1 to 2, sublinear), which walks text by text in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

START, END = "\x02", "\x03"
LONGEST = 2_000
"""Characters of a text that are read."""
BITS = 21
"""Of a code point. The first of a pair is counted from 1, so that no pair is a single character."""


@dataclass(frozen=True, kw_only=True)
class Grams:
    """A vocabulary. codes: of its characters and pairs, sorted. idf: what each weighs; rare ones weigh more."""

    codes: Ints
    idf: Numbers

    def counted(self, texts: Sequence[str]) -> Any:
        """A sparse matrix, texts x vocabulary: 1 + log(count) times idf, each text of length 1."""
        from sklearn.preprocessing import normalize

        row, code = _listed(texts)
        place = np.minimum(np.searchsorted(self.codes, code), len(self.codes) - 1)
        known = self.codes[place] == code
        return normalize(_weighed(row[known], place[known], (len(texts), len(self.codes)), self.idf), copy=False)

    def named(self, place: int) -> str:
        """The character or pair."""
        first, last = divmod(int(self.codes[place]), 1 << BITS)
        return (chr(first - 1) if first else "") + chr(last)


def learned(texts: Sequence[str], people: Ints | None = None, fewest: int = 1) -> Grams:
    """The vocabulary of some texts: what `fewest` of them have, or of their people where `people` says whose each is."""
    from scipy.sparse import csr_array

    row, code = _listed(texts)
    codes, place = np.unique(code, return_inverse=True)
    pairs = np.unique(place * len(texts) + row)
    has, text = pairs // len(texts), pairs % len(texts)
    many = np.bincount(has, minlength=len(codes))
    if people is not None:
        whose = np.unique(people, return_inverse=True)[1]
        shared = csr_array((np.ones(len(has), dtype=np.int8), (whose[text], has)), shape=(whose.max() + 1, len(codes)))
        shared.sum_duplicates()
        kept = np.bincount(shared.indices, minlength=len(codes)) >= fewest
    else:
        kept = many >= fewest
    return Grams(codes=codes[kept], idf=np.log((1 + len(texts)) / (1 + many[kept])) + 1)


def prepared(texts: Sequence[str]) -> list[str]:
    """Texts as they are counted: small letters, ends marked."""
    return [f"{START}{' '.join(t[:LONGEST].lower().split())}{END}" for t in texts]


def _listed(texts: Sequence[str]) -> tuple[Ints, Ints]:
    """(text, code) of each character and each pair."""
    ready = prepared(texts)
    points = np.frombuffer("".join(ready).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)
    text = np.repeat(np.arange(len(ready)), np.fromiter(map(len, ready), dtype=np.int64, count=len(ready)))
    inside = text[1:] == text[:-1]
    pair = ((points[:-1] + 1) << BITS | points[1:])[inside]
    return np.concatenate([text, text[1:][inside]]), np.concatenate([points, pair])


def _weighed(row: Ints, place: Ints, shape: tuple[int, int], idf: Numbers) -> Any:
    from scipy.sparse import csr_matrix

    counts = csr_matrix((np.ones(len(row)), (row, place)), shape=shape)
    counts.sum_duplicates()
    counts.data = (1 + np.log(counts.data)) * idf[counts.indices]
    return counts
