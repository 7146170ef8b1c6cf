"""insight/attribution/elimination.py: fewer states, the same chain."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.insight.attribution.chain import Chain
from tessera.insight.attribution.elimination import reduced
from tessera.insight.attribution.paths import Floats


def chain(moves: Floats, ended: Floats, start: Floats, worth: Floats) -> Chain:
    """A chain of counts: moves from state to state, and how often a path ended in each. Members play no part here."""
    left = moves.sum(axis=1) + ended
    each = np.divide(1.0, left, out=np.zeros(len(left)), where=left > 0)
    q = moves * each[:, None]
    begun = start / start.sum()
    return Chain(
        q=sp.csr_array(q),
        start=begun,
        exits=(ended * each * worth)[:, None],
        ends=ended * each,
        visits=np.linalg.solve(np.eye(len(left)) - q.T, begun),
        members=np.zeros((len(left), 2), dtype=np.int64),
    )


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Few steps between some states, and a way out of each."""
    many = draw(st.integers(1, 14))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    moves = rng.integers(1, 9, (many, many)) * (rng.random((many, many)) < draw(st.sampled_from([0.05, 0.15, 0.4])))
    np.fill_diagonal(moves, 0)
    return chain(moves.astype(float), rng.integers(1, 4, many).astype(float), rng.random(many) + 0.1, rng.random(many))


@given(whole=chains())
@settings(max_examples=80, deadline=None)
def test_what_comes_of_a_path_in_each_state_stays(whole: Chain) -> None:
    hope = np.linalg.solve(np.eye(len(whole.start)) - whole.q.toarray(), whole.exits)
    fewer = reduced(whole)
    rest = np.eye(len(fewer.kept)) - fewer.chain.q.toarray()
    assert np.linalg.solve(rest, fewer.chain.exits) == pytest.approx(hope[fewer.kept], rel=1e-12)
    assert whole.exits[fewer.out] + fewer.behind @ hope[fewer.kept] == pytest.approx(hope[fewer.out], rel=1e-12)


@given(whole=chains())
@settings(max_examples=80, deadline=None)
def test_flows_through_the_states_kept_stay_and_are_told_per_leaving(whole: Chain) -> None:
    fewer = reduced(whole)
    flow = np.linalg.solve(np.eye(len(fewer.kept)) - fewer.chain.q.toarray().T, fewer.chain.start)
    assert flow == pytest.approx(whole.visits[fewer.kept] * fewer.leaves, rel=1e-12)
    assert fewer.chain.visits == pytest.approx(flow, rel=1e-12)
    assert fewer.chain.q.sum(axis=1) + fewer.chain.ends == pytest.approx(np.ones(len(flow)), rel=1e-12)
    assert not fewer.chain.q.diagonal().any()


@given(whole=chains())
@settings(max_examples=80, deadline=None)
def test_no_two_neighbours_are_taken_out(whole: Chain) -> None:
    fewer = reduced(whole)
    assert not whole.q.toarray()[np.ix_(fewer.out, fewer.out)].any()
    assert sorted([*fewer.kept, *fewer.out]) == list(range(len(whole.start)))


def test_a_state_that_is_hardly_ever_left_keeps_its_digits() -> None:
    rare = 1e-13
    back = chain(
        np.array([[0.0, 1.0, 0.0], [1.0, 0.0, rare], [0.0, 0.0, 0.0]]), np.array([0.0, 0.0, 1.0]), np.ones(3), np.ones(3)
    )
    fewer = reduced(back)
    assert np.min(fewer.leaves) == pytest.approx(rare, rel=1e-12)


def test_of_order_one_all_states_stay() -> None:
    one = chain(np.array([[0.0, 2.0], [0.0, 0.0]]), np.ones(2), np.ones(2), np.ones(2))
    fewer = reduced(Chain(**{**vars(one), "members": np.arange(2)[:, None]}))
    assert fewer.kept.tolist() == [0, 1] and not len(fewer.out)
