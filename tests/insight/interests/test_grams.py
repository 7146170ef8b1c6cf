"""Characters and pairs, counted by arrays: the numbers of scikit-learn, whatever the text; what few people write is no term."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from tessera.insight.interests import grams

TEXTS = st.lists(st.text(max_size=12), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(known=TEXTS, new=TEXTS)
def test_it_counts_as_scikit_learn_does(known: list[str], new: list[str]) -> None:
    theirs = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), lowercase=False, sublinear_tf=True)
    theirs.fit(grams.prepared(known))
    ours = grams.learned(known)
    names = [ours.named(i) for i in range(len(ours.codes))]
    assert sorted(names) == sorted(theirs.vocabulary_)
    columns = [theirs.vocabulary_[n] for n in names]
    assert np.abs(ours.counted(new).toarray() - theirs.transform(grams.prepared(new)).toarray()[:, columns]).max() < 1e-12


def test_what_fewer_people_write_is_no_term_however_often_they_do() -> None:
    texts = ["lamp", "lamp", "lamp", *["zebra"] * 50]
    people = np.array([1, 2, 3, *[4] * 50])
    found = grams.learned(texts, people, fewest=3)
    names = {found.named(i) for i in range(len(found.codes))}
    assert {"l", "la", "mp", "a"} <= names and not {"z", "ze", "br"} & names
    assert len(grams.learned(texts, people, fewest=5).codes) == 0


def test_letters_count_small_and_spaces_as_one() -> None:
    assert grams.prepared(["  Warm \n LIGHT "]) == [f"{grams.START}warm light{grams.END}"]
    assert grams.learned(["ab"]).counted(["", "zz"]).toarray()[1].sum() == pytest.approx(
        grams.learned(["ab"]).counted(["", ""]).toarray()[1].sum()
    )
