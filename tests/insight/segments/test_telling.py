"""The condition of a rule segment in words, and the parts of it that can be ticked."""

from __future__ import annotations

import itertools

import pytest

from tessera.data import rules
from tessera.errors import BadInput
from tessera.insight.features import FEATURES
from tessera.insight.segments.telling import WORDS, read

CASES = {
    "orders >= 5": ("the number of orders is at least 5", "订单数至少为 5"),
    "5 <= orders": ("the number of orders is at least 5", "订单数至少为 5"),
    "revenue_cents > 30000": ("what was spent in all is above 300.00", "累计消费高于 300.00"),
    "days_since(last_order_at) < 90": ("the last order was less than 90 days ago", "最近一次下单距今不到 90 天"),
    "NOT (orders = 1)": ("the number of orders is not 1", "订单数不是 1"),
    "last_post_at IS NULL": ("the last post is not known", "最近一次发帖未知"),
    "posts = 0 OR orders > 1": ("the number of posts is 0 or the number of orders is above 1", "发帖数为 0，或订单数高于 1"),
    "orders IN (1, 2)": ("orders IN (1, 2)", "orders IN (1, 2)"),
}


@pytest.mark.parametrize("text", CASES)
def test_a_condition_is_a_sentence_in_both_languages(text: str) -> None:
    part = read(text)
    assert (part.sentence("en"), part.sentence("zh")) == CASES[text]


def test_every_column_that_a_rule_may_read_has_words() -> None:
    assert set(WORDS) == {c.name for c in FEATURES.columns} - {"person_id"}


def test_what_is_joined_otherwise_within_stands_in_brackets() -> None:
    part = read("orders > 1 AND (posts = 0 OR events > 3)")
    assert part.sentence("en") == (
        "the number of orders is above 1, and (the number of posts is 0 or the number of visits and clicks is above 3)"
    )
    assert [one.when for one in part.ones()] == ["orders > 1", "posts = 0", "events > 3"]


def test_the_parts_together_say_what_the_whole_says_also_of_what_is_not_known() -> None:
    """Ticked one by one and put together, a rule has SQL's own answer, NULL and all."""
    text = "orders > 1 AND NOT (posts = 0 OR NOT events > 3)"
    part, whole = read(text), rules.compiled(text)
    for orders, posts, events in itertools.product((None, 1, 2), (None, 0, 1), (None, 3, 4)):
        row = {"orders": orders, "posts": posts, "events": events}
        assert part.holds({one.when: rules.compiled(one.when)(row) for one in part.ones()}) == whole(row), row


def test_a_figure_of_ones_own_is_called_by_its_name() -> None:
    part = read("cents_per_order > 3", {"cents_per_order": "revenue_cents / orders"})
    assert part.sentence("en") == "cents per order is above 3"


def test_what_is_no_condition_is_refused() -> None:
    with pytest.raises(BadInput):
        read("(SELECT 1)")
