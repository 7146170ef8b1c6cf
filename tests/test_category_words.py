"""category_words.py: no category of data reaches a person as a key."""

from __future__ import annotations

import doctest
import re

import pytest

from tessera import category_words
from tessera.category_words import NAMES, category
from tessera.fideslang import CATEGORIES
from tessera.loop import tables

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("key", sorted(CATEGORIES | {c.category for t in tables() for c in t.columns}))
def test_every_category_has_a_plain_name_in_both_languages(key: str) -> None:
    english, chinese = category(key, "en"), category(key, "zh")
    assert CHINESE.search(chinese) and not CHINESE.search(english)
    assert key not in (english, chinese) and "_" not in english and " " in english


def test_the_categories_of_the_tables_and_all_top_branches_have_a_name_of_their_own() -> None:
    used = {c.category for t in tables() for c in t.columns}
    top = {c for c in CATEGORIES if c.count(".") <= 1}
    assert used | top <= set(NAMES) <= CATEGORIES


def test_no_two_categories_have_the_same_name() -> None:
    assert len({e for e, _ in NAMES.values()}) == len({c for _, c in NAMES.values()}) == len(NAMES)


def test_a_category_without_a_name_goes_by_the_nearest_above_it() -> None:
    assert category("user.contact.email.work", "zh") == category("user.contact.email", "zh")
    assert category("other.key", "en") == "other.key"


def test_the_example_in_the_docstring_is_true() -> None:
    assert doctest.testmod(category_words).failed == 0
