"""fideslang.py: the taxonomy is whole, and our own categories are in it."""

from __future__ import annotations

import doctest

import pytest

from tessera import dateformat, envtext, fideslang
from tessera.contract_field import IDENTIFIER_CATEGORY
from tessera.data.raw import LINKS, RAW
from tessera.fideslang import CATEGORIES, USES, covers
from tessera.trust.tables import CONSENTS
from tessera.words import KINDS


def test_the_taxonomy_has_all_its_keys() -> None:
    assert (len(CATEGORIES), len(USES)) == (85, 56)


@pytest.mark.parametrize("keys", [CATEGORIES, USES])
def test_above_each_key_stands_a_key(keys: frozenset[str]) -> None:
    assert {key.rpartition(".")[0] for key in keys if "." in key} <= keys


def test_every_column_of_the_raw_tables_has_a_category_of_the_taxonomy() -> None:
    used = {column.category for table in (*RAW.values(), CONSENTS, LINKS) for column in table.columns}
    assert used <= CATEGORIES


def test_every_kind_of_identifier_has_a_category() -> None:
    assert set(IDENTIFIER_CATEGORY) == set(KINDS)
    assert set(IDENTIFIER_CATEGORY.values()) <= CATEGORIES


def test_a_prefix_covers_whole_words_only() -> None:
    assert covers("*", "system") and covers("user.contact", "user.contact.email")
    assert not covers("user.contact", "user.contacts")


@pytest.mark.parametrize("module", [fideslang, dateformat, envtext])
def test_the_examples_in_the_docstrings_are_true(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
