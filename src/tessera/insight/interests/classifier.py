"""Short texts with a class each -> what another text is about, with the terms that say so; Chinese and English, no tokenizer.

A text is its characters and pairs of neighbours, its two ends marked. Three linear models vote: support vectors over log-count
ratios (Wang & Manning 2012), ridge, and complement naive Bayes (Rennie 2003). They err on different texts, so their mean is
better than each. Votes are scaled, and made probabilities, on texts that they had not learned from. Where further numbers of
each text are given (an embedding), ridge reads them too, and support vectors vote a second time, over both. As all are linear,
so is their mean: one weight for each term and class is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tessera.errors import BadInput
from tessera.insight.interests import grams
from tessera.insight.interests.grams import END, START, Grams

Numbers = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

FEWEST = 20
BESIDE = 2.0
"""What a further number of a text counts in support vectors, beside a term's ratio."""
SOFTNESS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


class _Written(msgspec.Struct):
    classes: tuple[str, ...]
    codes: bytes
    idf: bytes
    weights: bytes
    beside: bytes
    softness: float


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """A fitted model. classes: their names. weights: (terms + 1) x classes, the last row what each class has at the start.
    beside: of the further numbers of each text x classes; no rows where none were given."""

    classes: tuple[str, ...]
    terms: Grams
    weights: Floats
    beside: Floats
    softness: float

    def votes(self, texts: Sequence[str], extra: Numbers | None = None) -> Numbers:
        """Texts x classes: the mean of the models, each in its own scale. extra: texts x numbers, as many as were fitted."""
        found = self.terms.counted(texts) @ self.weights[:-1] + self.weights[-1]
        return np.asarray(found + extra @ self.beside if extra is not None else found, dtype=np.float64)

    def chances(self, texts: Sequence[str], extra: Numbers | None = None) -> Numbers:
        """Texts x classes: probabilities, which sum to 1."""
        return softened(self.votes(texts, extra), self.softness) if len(texts) else np.zeros((0, len(self.classes)))

    def telling(self, text: str, of: int, most: int = 5) -> list[str]:
        """The characters and pairs of the text that speak most for a class, the strongest first; no pair with an end."""
        row = self.terms.counted([text])
        weight = row.data * self.weights[row.indices, of]
        order = np.argsort(-weight, kind="stable")
        named = [self.terms.named(row.indices[i]) for i in order[: 4 * most] if weight[i] > 0]
        return [w for w in named if START not in w and END not in w and w.strip() == w][:most]

    def written(self) -> bytes:
        """The model as JSON, to be kept; `read` takes it."""
        return msgspec.json.encode(_Written(
            classes=self.classes, codes=self.terms.codes.astype("<i8").tobytes(), idf=self.terms.idf.astype("<f8").tobytes(),
            weights=self.weights.astype("<f4").tobytes(), beside=self.beside.astype("<f4").tobytes(), softness=self.softness,
        ))  # fmt: skip

    @staticmethod
    def read(written: bytes | str) -> Classifier:
        """What `written` gave. Raises BadInput if it is nothing of the kind."""
        try:
            kept = msgspec.json.decode(written, type=_Written)
        except msgspec.MsgspecError as error:
            raise BadInput(f"This is no model of ours ({error}). Train it again.") from None
        weights, beside = (np.frombuffer(b, "<f4").reshape(-1, len(kept.classes)) for b in (kept.weights, kept.beside))
        terms = Grams(codes=np.frombuffer(kept.codes, "<i8"), idf=np.frombuffer(kept.idf, "<f8"))
        return Classifier(classes=kept.classes, terms=terms, weights=weights, beside=beside, softness=kept.softness)


def fit(
    texts: Sequence[str], labels: Sequence[str], *, extra: Numbers | None = None, weights: Numbers | None = None,
    people: Ints | None = None, fewest: int = 1, seed: int = 1,
) -> Classifier:  # fmt: skip
    """A classifier of texts. extra: further numbers of each. weights: how sure each label is. people: whose each text is; what
    fewer than `fewest` of them write is no term. The same texts and seed give the same one.

    Raises BadInput for fewer than FEWEST texts, one class, or no term.
    """
    classes, y = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    if len(texts) < FEWEST or len(classes) < 2:
        raise BadInput(f"There are {len(texts)} texts of {len(classes)} topics; {FEWEST} texts and two topics are needed.")
    terms = grams.learned(texts, people, fewest)
    if not len(terms.codes):
        raise BadInput(f"No character is shared by the texts of {fewest} people: there is nothing to learn from.")
    x = terms.counted(texts)
    order = np.random.default_rng(seed).permutation(len(texts))
    test, train = order[: max(len(texts) // 5, 4)], order[max(len(texts) // 5, 4) :]
    scales, softness = np.ones(3 if extra is None else 4), 1.0
    if len(np.unique(y[train])) == len(classes):
        new = _beside(x[test], _some(extra, test))
        part = _members(x[train], y[train], len(classes), _some(extra, train), _some(weights, train))
        found = [np.asarray(new @ w + b, dtype=np.float64) for w, b in part]
        scales = np.array([max(float(f.std()), 1e-9) for f in found])
        votes = np.mean([f / s for f, s in zip(found, scales, strict=True)], axis=0)
        told = {s: -np.log(softened(votes, s)[np.arange(len(test)), y[test]] + 1e-12).mean() for s in SOFTNESS}
        softness = min(told, key=lambda s: told[s])
    members = _members(x, y, len(classes), extra, weights)
    of = np.mean([w / s for (w, _), s in zip(members, scales, strict=True)], axis=0)
    first = np.mean([b / s for (_, b), s in zip(members, scales, strict=True)], axis=0)
    many = len(terms.codes)
    return Classifier(
        classes=tuple(classes.tolist()), terms=terms, weights=np.concatenate([of[:many], first[None]]).astype(np.float32),
        beside=of[many:].astype(np.float32), softness=softness,
    )  # fmt: skip


def softened(votes: Numbers, softness: float) -> Numbers:
    """Votes as probabilities."""
    raised = np.exp(softness * (votes - votes.max(axis=1, keepdims=True)))
    shared: Numbers = raised / raised.sum(axis=1, keepdims=True)
    return shared


def _members(x: Any, y: Ints, classes: int, extra: Numbers | None, weights: Numbers | None) -> list[tuple[Numbers, Numbers]]:
    """Each model as (weights of columns x classes, what each class has at the start); columns are terms, then `extra`.

    They are about their own middle, column by column: what a text has for all classes says nothing of one.
    """
    from sklearn.linear_model import RidgeClassifier
    from sklearn.naive_bayes import ComplementNB

    ratios, both = _ratios(x, y, classes), _beside(x, extra)
    ridge = RidgeClassifier(alpha=1.0).fit(both, _spread(y, classes), sample_weight=weights)
    bayes = ComplementNB(alpha=0.3).fit(x, y, sample_weight=weights)
    found = [_vectors(x, y, ratios, weights), (ridge.coef_.T, ridge.intercept_), (bayes.feature_log_prob_.T, np.zeros(classes))]
    if extra is not None:
        wide = np.concatenate([ratios, np.full((classes, extra.shape[1]), BESIDE)], axis=1)
        found.append(_vectors(both, y, wide, weights))
    return [
        (np.pad(w - w.mean(axis=1, keepdims=True), ((0, both.shape[1] - len(w)), (0, 0))), b - b.mean()) for w, b in found
    ]  # fmt: skip


def _vectors(x: Any, y: Ints, ratios: Numbers, weights: Numbers | None) -> tuple[Numbers, Numbers]:
    """Support vectors, each class against the others, over columns times their ratios."""
    from sklearn.svm import LinearSVC

    fitted = [
        LinearSVC(C=0.5, random_state=1).fit(x.multiply(r).tocsr(), y == c, sample_weight=weights) for c, r in enumerate(ratios)
    ]
    of = np.column_stack([v.coef_[0] * r for v, r in zip(fitted, ratios, strict=True)])
    return of, np.concatenate([v.intercept_ for v in fitted])


def _beside(x: Any, extra: Numbers | None) -> Any:
    from scipy.sparse import csr_matrix, hstack

    return x if extra is None else hstack([x, csr_matrix(extra)]).tocsr()


def _spread(y: Ints, classes: int) -> Any:
    """One column a class, so that ridge has a column each for two classes too."""
    return np.eye(classes, dtype=np.int64)[y] if classes == 2 else y


def _ratios(x: Any, y: Ints, classes: int) -> Numbers:
    """For each class the logarithm of how much more often a term occurs in its texts than in the others', add-one smoothed."""
    there = (x > 0).astype(np.float64)
    rows = []
    for c in range(classes):
        own, other = (1.0 + np.asarray(there[y == c].sum(axis=0)).ravel(), 1.0 + np.asarray(there[y != c].sum(axis=0)).ravel())
        rows.append(np.log((own / own.sum()) / (other / other.sum())))
    return np.stack(rows)


def _some(numbers: Numbers | None, rows: Ints) -> Numbers | None:
    return None if numbers is None else numbers[rows]
