"""conditions: a rule as a tree says of every row what its text says, and comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tessera.data.conditions import (
    ALL_OPS,
    BETWEEN,
    IN,
    NONE,
    NOT_IN,
    SOME,
    Condition,
    Group,
    Part,
    Written,
    columns,
    tree,
    written,
)
from tessera.data.rules import compiled
from tessera.errors import TesseraError

numbers = st.integers(-3, 3)


def conditions(op: str) -> st.SearchStrategy[Part]:
    many = {NONE: 0, SOME: 0, BETWEEN: 2, IN: 2, NOT_IN: 2}.get(op, 1)
    return st.builds(
        lambda what, values: Condition(what=what, op=op, values=tuple(values)),
        st.sampled_from("abc"), st.lists(numbers, min_size=many, max_size=many),
    )  # fmt: skip


parts: st.SearchStrategy[Part] = st.recursive(
    st.sampled_from(ALL_OPS).flatmap(conditions) | st.sampled_from([Written(text="a + b > 1"), Written(text="a > 0 OR c < 1")]),
    lambda part: st.builds(
        lambda how, negated, some: Group(how=how, negated=negated, parts=tuple(some)),
        st.sampled_from(["all", "any"]), st.booleans(), st.lists(part, min_size=1, max_size=3),
    ),
    max_leaves=6,
)  # fmt: skip
groups = parts.map(lambda p: p if isinstance(p, Group) else Group(parts=(p,)))
rows = st.fixed_dictionaries({c: st.none() | numbers for c in "abc"})


def holds(part: Part, row: dict[str, int | None]) -> bool | None:
    """What a tree says of a row, without its text."""
    if isinstance(part, Condition):
        return compiled(written(Group(parts=(part,))))(row)  # type: ignore[no-any-return]
    if isinstance(part, Written):
        return compiled(part.text)(row)  # type: ignore[no-any-return]
    told = [holds(p, row) for p in part.parts]
    wins = part.how == "any"
    found = wins if wins in told else None if None in told else not wins
    return None if found is None else found is not part.negated


@given(groups, rows)
@example(Group(parts=(Condition(what="a", op=SOME), Group(parts=(Written(text="a > 0 OR c < 1"),)))), dict.fromkeys("abc"))
def test_the_text_of_a_tree_says_what_the_tree_says(group: Group, row: dict[str, int | None]) -> None:
    assert compiled(written(group))(row) == holds(group, row)


@given(groups)
def test_what_was_written_is_read_and_written_alike_from_then_on(group: Group) -> None:
    text = written(tree(written(group)))
    assert written(tree(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "orders >= 3", "orders > 0 AND days_since(last_order_at) > 180",
        "rfm IN ('555', '554') AND (events > 3 OR posts IS NULL)",
        "NOT (orders > 1 OR events > 1)", "orders BETWEEN 1 AND 3", "event.price > 1.5 AND here.place = 'it''s'",
    ],
)  # fmt: skip
def test_a_rule_with_controls_stays_as_it_is(text: str) -> None:
    assert written(tree(text)) == text and columns(tree(text))


@pytest.mark.parametrize("text", ["revenue_cents / orders > 5000", "coalesce(orders, 0) = 0", "this is ( no rule"])
def test_what_has_no_controls_is_kept_as_written(text: str) -> None:
    (one,) = tree(text).parts
    assert isinstance(one, Written) and one.text.lower() == text.lower()


@pytest.mark.parametrize("text", ["a / 2 > 1 -- c", "a / 2 > 1 /* c */", "a / 2 > 1 -- c\n"])
def test_a_comment_swallows_no_other_condition(text: str) -> None:
    both = Group(parts=(Written(text=text), Condition(what="b", op=">", values=(2,))))
    assert written(both) == "a / 2 > 1 AND b > 2"
    named = Written(text="name = '--' OR name = '/*'")
    assert written(Group(parts=(named, both))) == f"({named.text}) AND (a / 2 > 1 AND b > 2)"


def test_a_comment_in_what_is_no_condition_swallows_nothing_unseen() -> None:
    half = Group(parts=(Written(text="a > 1 OR -- c"), Condition(what="b", op=">", values=(2,))))
    with pytest.raises(TesseraError):
        compiled(written(half))
