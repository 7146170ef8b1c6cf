"""What was learned of what was shown: counts that add up in any order, and draws that find the best."""

from __future__ import annotations

from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tessera.action.learned import FIRST, Learned, drawn

told = st.lists(
    st.tuples(
        st.sampled_from(["banner", "mail"]), st.sampled_from(["a", "b"]), st.sampled_from(["", "p1", "p2"]),
        st.sampled_from(["", "new", "old|?"]), st.integers(0, 5), st.integers(0, 3),
    ),
    max_size=30,
)  # fmt: skip


@given(told=told, seed=st.integers(0, 99))
def test_counts_are_the_same_in_any_order_and_in_any_pieces(told: list[tuple[str, str, str, str, int, int]], seed: int) -> None:
    whole, other = Learned(), Learned()
    for one in told:
        whole.add(*one)
    for one in Random(seed).sample(told, len(told)):
        other.add(*one[:4], one[4], 0)
        other.add(*one[:4], 0, one[5])
    for decision, candidate, product, context, *_ in told:
        assert whole.belief(decision, candidate, product, context) == other.belief(decision, candidate, product, context)
    again = msgspec.json.decode(msgspec.json.encode(whole), type=Learned)
    assert again == whole


def test_what_was_never_tried_is_believed_to_do_as_its_like_do() -> None:
    learned = Learned()
    assert learned.belief("d", "a", "", "").expected == FIRST
    learned.add("d", "products", "p1", "", 10_000, 4_000)
    assert abs(learned.belief("d", "products", "p2", "").expected - 0.4) < 0.01
    assert learned.belief("d", "products", "p2", "", liking=0.5).expected < learned.belief("d", "products", "p2", "").expected
    learned.add("d", "products", "p2", "new", 10_000, 100)
    here, elsewhere = learned.belief("d", "products", "p2", "new"), learned.belief("d", "products", "p2", "old")
    assert abs(here.expected - 0.01) < 0.01 and abs(elsewhere.expected - 0.01) < 0.01, "elsewhere it is believed to do as here"
    assert elsewhere.alpha + elsewhere.beta < here.alpha + here.beta, "and is known less well"


def test_draws_find_the_arm_that_does_best_in_each_situation() -> None:
    """Against choosing alike: of 6,000 trials the best arm of its situation gets nine in ten of the last third."""
    truth = {("new", "a"): 0.10, ("new", "b"): 0.30, ("old", "a"): 0.25, ("old", "b"): 0.05}
    learned, chance, best = Learned(), Random(4), 0
    for n in range(6_000):
        context = chance.choice(["new", "old"])
        arm = max("ab", key=lambda a: drawn(learned.belief("d", a, "", context), chance))
        learned.add("d", arm, "", context, 1, chance.random() < truth[context, arm])
        best += n >= 4_000 and truth[context, arm] >= 0.25
    assert best > 1_800
