"""Short texts with a class each -> what another text is about, with the terms that say so; Chinese and English, no tokenizer.

A text is its characters and pairs of neighbours, its two ends marked. Three linear models vote: support vectors over log-count
ratios (Wang & Manning 2012), ridge, and complement naive Bayes (Rennie 2003). They err on different texts, so their mean is
better than each. Votes are scaled, and made probabilities, on texts that they had not learned from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tessera.errors import BadInput

Numbers = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

START, END = "\x02", "\x03"
FEWEST = 20
LONGEST = 2_000
"""Characters of a text that are read."""
SOFTNESS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """A fitted model. classes: their names. extra: further numbers of each text (an embedding) that ridge reads beside."""

    classes: tuple[str, ...]
    counted: Any
    ratios: Numbers
    vectors: tuple[Any, ...]
    ridge: Any
    bayes: Any
    embedded: Any
    scales: tuple[float, ...]
    softness: float

    def votes(self, texts: Sequence[str], extra: Numbers | None = None) -> Numbers:
        """Texts x classes: the mean of the models, each in its own scale."""
        if not len(texts):
            return np.zeros((0, len(self.classes)))
        found = _members(self, self.counted.transform(prepared(texts)), extra)
        whole = sum(_even(f) / s for f, s in zip(found, self.scales, strict=True))
        return np.asarray(whole, dtype=np.float64) / len(found)

    def chances(self, texts: Sequence[str], extra: Numbers | None = None) -> Numbers:
        """Texts x classes: probabilities, which sum to 1."""
        return softened(self.votes(texts, extra), self.softness)

    def terms(self, text: str, of: int, most: int = 5) -> list[str]:
        """The characters and pairs of the text that speak most for a class, the strongest first; no pair with an end."""
        row = self.counted.transform(prepared([text]))
        weight = row.data * self.ratios[of][row.indices] * self.vectors[of].coef_[0][row.indices]
        order = np.argsort(-weight, kind="stable")
        named = [self._words[row.indices[i]] for i in order[: 4 * most] if weight[i] > 0]
        return [w for w in named if START not in w and END not in w and w.strip() == w][:most]

    @cached_property
    def _words(self) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = self.counted.get_feature_names_out()
        return found


def fit(texts: Sequence[str], labels: Sequence[str], *, extra: Numbers | None = None, weights: Numbers | None = None,
        seed: int = 1) -> Classifier:  # fmt: skip
    """A classifier of texts. weights: how sure each label is. The same texts and seed give the same one.

    Raises BadInput for fewer than FEWEST texts or one class.
    """
    classes, y = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    if len(texts) < FEWEST or len(classes) < 2:
        raise BadInput(f"There are {len(texts)} texts of {len(classes)} topics; {FEWEST} texts and two topics are needed.")
    order = np.random.default_rng(seed).permutation(len(texts))
    test, train = order[: max(len(texts) // 5, 4)], order[max(len(texts) // 5, 4) :]
    scales, softness = (1.0,) * (3 + (extra is not None)), 1.0
    if len(np.unique(y[train])) == len(classes):
        part = _fitted([texts[i] for i in train], y[train], tuple(classes.tolist()), _some(extra, train), _some(weights, train))
        found = _members(part, part.counted.transform(prepared([texts[i] for i in test])), _some(extra, test))
        scales = tuple(max(float(_even(f).std()), 1e-9) for f in found)
        votes = np.asarray(sum(_even(f) / s for f, s in zip(found, scales, strict=True)), dtype=np.float64) / len(found)
        told = {s: -np.log(softened(votes, s)[np.arange(len(test)), y[test]] + 1e-12).mean() for s in SOFTNESS}
        softness = min(told, key=lambda s: told[s])
    return _fitted(texts, y, tuple(classes.tolist()), extra, weights, scales, softness)


def prepared(texts: Sequence[str]) -> list[str]:
    """Texts as they are counted: small letters, ends marked."""
    return [f"{START}{' '.join(t[:LONGEST].lower().split())}{END}" for t in texts]


def softened(votes: Numbers, softness: float) -> Numbers:
    """Votes as probabilities."""
    raised = np.exp(softness * (votes - votes.max(axis=1, keepdims=True)))
    shared: Numbers = raised / raised.sum(axis=1, keepdims=True)
    return shared


def _fitted(
    texts: Sequence[str], y: Ints, classes: tuple[str, ...], extra: Numbers | None, weights: Numbers | None,
    scales: tuple[float, ...] = (), softness: float = 1.0,
) -> Classifier:  # fmt: skip
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import RidgeClassifier
    from sklearn.naive_bayes import ComplementNB
    from sklearn.svm import LinearSVC

    counted = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), lowercase=False, sublinear_tf=True, dtype=np.float64)
    x = counted.fit_transform(prepared(texts))
    ratios = _ratios(x, y, len(classes))
    vectors = tuple(
        LinearSVC(C=0.5, random_state=1).fit(x.multiply(ratios[c]).tocsr(), y == c, sample_weight=weights)
        for c in range(len(classes))
    )
    return Classifier(
        classes=classes, counted=counted, ratios=ratios, vectors=vectors,
        ridge=RidgeClassifier(alpha=1.0).fit(x, _spread(y, len(classes)), sample_weight=weights),
        bayes=ComplementNB(alpha=0.3).fit(x, y, sample_weight=weights),
        embedded=None
        if extra is None
        else RidgeClassifier(alpha=1.0).fit(extra, _spread(y, len(classes)), sample_weight=weights),
        scales=scales, softness=softness,
    )  # fmt: skip


def _spread(y: Ints, classes: int) -> Any:
    """One column a class, so that ridge has a column each for two classes too."""
    return np.eye(classes, dtype=np.int64)[y] if classes == 2 else y


def _members(model: Classifier, x: Any, extra: Numbers | None) -> list[Numbers]:
    vectors = np.column_stack([
        v.decision_function(x.multiply(r).tocsr()) for v, r in zip(model.vectors, model.ratios, strict=True)
    ])  # fmt: skip
    found = [vectors, model.ridge.decision_function(x), model.bayes.predict_joint_log_proba(x)]
    if model.embedded is not None and extra is not None:
        found.append(model.embedded.decision_function(extra))
    return [np.asarray(f, dtype=np.float64) for f in found]


def _even(votes: Numbers) -> Numbers:
    """Votes about their own middle, text by text: what a text has for all classes says nothing of one."""
    centred: Numbers = votes - votes.mean(axis=1, keepdims=True)
    return centred


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
