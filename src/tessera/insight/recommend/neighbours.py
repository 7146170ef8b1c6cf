"""Which items go with which: EASE over what each person bought, item-item cosine where there are too many items for it,
and what follows what from one basket to the next.

EASE: Steck (2019), Embarrassingly Shallow Autoencoders for Sparse Data: of all item-item weights without a diagonal those
that foretell each person's items best from her others, in closed form: B = I - P / diag(P), P = (X'X + regular I)^-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tessera.insight.recommend.baskets import Baskets, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix as Csr
else:
    Csr = Any

EASE_ITEMS = 10_000
"""Beyond so many items the inverse of EASE (400 MB of numbers at this size) gives way to cosines."""
NEAR = 200
"""Neighbours kept of each item. On Online Retail 100 foretell as well as all."""
FOLLOWS = 0.7
"""What a basket further on counts beside the one before it."""
PIECE = 1_000


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """likes: item -> item, who bought the one tends to want the other. follows: who bought the one in a basket has the other
    in the next. Both items x items, at most NEAR of each row. method: ease or cosine."""

    likes: Csr
    follows: Csr
    method: str


def method(baskets: Baskets) -> str:
    """ease, or cosine where there are too many items for it."""
    return "ease" if baskets.items <= EASE_ITEMS else "cosine"


def fit(baskets: Baskets, regular: float, window: int, least: int = 0) -> Neighbours:
    """Both kinds of neighbours. regular: EASE's only parameter, from about 100. window: how many baskets on is followed.
    least: pairs that fewer people bought both of are left out."""
    likes, after = fit_likes(baskets, regular), follows(baskets, window)
    if least > 1:
        people = together(baskets, least)
        likes, after = (trimmed(found.multiply(people > 0).tocsr(), NEAR) for found in (likes, after))
    return Neighbours(likes=likes, follows=after, method=method(baskets))


def together(baskets: Baskets, least: int) -> Csr:
    """How many people bought both, of each two items that at least so many did; in pieces of items."""
    from scipy.sparse import vstack

    bought = matrix(baskets)
    across = bought.T.tocsr()
    pieces = []
    for begin in range(0, across.shape[0], PIECE):
        piece = (across[begin : begin + PIECE] @ bought).tocsr()
        piece.data[piece.data < least] = 0.0
        piece.eliminate_zeros()
        pieces.append(piece)
    return vstack(pieces).tocsr()


def fit_likes(baskets: Baskets, regular: float) -> Csr:
    """Who bought the one tends to want the other. regular: EASE's only parameter, from about 100."""
    bought = matrix(baskets)
    return ease(bought, regular) if method(baskets) == "ease" else cosine(bought)


def matrix(baskets: Baskets) -> Csr:
    """People x items: 1 where she bought it."""
    from scipy.sparse import csr_matrix

    person = baskets.person[baskets.basket]
    ones = np.ones(len(person), np.float32)
    made = csr_matrix((ones, (person, baskets.item)), shape=(baskets.people, baskets.items))
    made.data[:] = 1.0
    return made


def gram(bought: Csr) -> npt.NDArray[np.float32]:
    """How many people bought both, of each two items; dense."""
    made: npt.NDArray[np.float32] = (bought.T @ bought).toarray().astype(np.float32)
    return made


def ease(bought: Csr, regular: float) -> Csr:
    """EASE's weights, the NEAR furthest from 0 of each item. Items that nobody bought have none."""
    from scipy.linalg import lapack

    both = gram(bought)
    both[np.diag_indices_from(both)] += regular
    # In place, in the lower triangle of Fortran's order: a dense inverse is the most memory that insight needs.
    factor, failed = lapack.spotrf(both.T, lower=1, overwrite_a=1)
    if failed:
        raise ValueError(f"EASE: the people's items have no inverse at regular={regular} (LAPACK spotrf: {failed})")
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    diagonal = np.diag(inverse).copy()
    lower = np.tril(inverse, -1)
    weights = lower + lower.T
    weights /= -diagonal[None, :]
    return nearest(weights, NEAR)


def cosine(bought: Csr) -> Csr:
    """Item-item cosines, the NEAR greatest of each item, in pieces of items: nothing dense of items x items."""
    from scipy.sparse import diags, vstack

    norms = np.sqrt(np.asarray(bought.sum(axis=0)).ravel())
    unit = (bought @ diags(1 / np.maximum(norms, 1.0))).tocsr().astype(np.float32)
    across = unit.T.tocsr()
    pieces = []
    for begin in range(0, across.shape[0], PIECE):
        piece = (across[begin : begin + PIECE] @ unit).toarray()
        rows = np.arange(len(piece))
        piece[rows, begin + rows] = 0.0
        pieces.append(nearest(piece, NEAR))
    return vstack(pieces).tocsr()


def follows(baskets: Baskets, window: int) -> Csr:
    """How often an item is in one of the next `window` baskets of a person who has the other in one: a basket counts by the
    root of its size, a step further by FOLLOWS, and often bought items by the root of how often they are."""
    from scipy.sparse import csr_matrix, diags

    ones = np.ones(len(baskets.item), np.float32)
    every = csr_matrix((ones, baskets.item, baskets.row), shape=(len(baskets.day), baskets.items))
    sizes = np.maximum(np.diff(baskets.row), 1)
    fair = diags((1 / np.sqrt(sizes)).astype(np.float32))
    total = csr_matrix((baskets.items, baskets.items), dtype=np.float32)
    nth = np.arange(len(baskets.day)) - baskets.first[baskets.person]
    for step in range(1, window + 1):
        after = np.flatnonzero(nth >= step)
        before = after - step
        total = total + FOLLOWS ** (step - 1) * ((fair @ every)[before].T @ every[after])
    often = np.maximum(np.asarray(every.sum(axis=0)).ravel(), 1.0)
    scale = diags((1 / np.sqrt(often)).astype(np.float32))
    return trimmed((scale @ total @ scale).tocsr().astype(np.float32), NEAR)


def trimmed(weights: Csr, most: int) -> Csr:
    """The greatest `most` of each row."""
    from scipy.sparse import vstack

    pieces = [nearest(weights[at : at + PIECE].toarray(), most) for at in range(0, weights.shape[0], PIECE)]
    return vstack(pieces).tocsr()


def nearest(weights: npt.NDArray[np.float32], most: int) -> Csr:
    """The `most` entries furthest from 0 of each row, as a sparse matrix."""
    from scipy.sparse import csr_matrix

    rows, columns = weights.shape
    if most < columns:
        size = np.abs(weights)
        kept: Ints = np.sort(np.argpartition(-size, most - 1, axis=1)[:, :most], axis=1)
    else:
        kept = np.broadcast_to(np.arange(columns), weights.shape)
    values = np.take_along_axis(weights, kept, axis=1).astype(np.float32)
    begins = np.arange(0, rows * kept.shape[1] + 1, kept.shape[1])
    made = csr_matrix((values.ravel(), kept.ravel(), begins), shape=(rows, columns))
    made.eliminate_zeros()
    return made
