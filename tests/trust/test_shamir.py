"""Shamir's sharing: any k points rebuild the secret, k - 1 leave every secret equally likely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.trust.shamir import combine, split


@given(st.binary(min_size=1, max_size=40), st.data())
def test_any_k_points_rebuild_the_secret(secret: bytes, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 9))
    threshold = data.draw(st.integers(1, count))
    points = split(secret, threshold, count)
    chosen = data.draw(st.permutations(sorted(points)))[:threshold]
    assert combine({x: points[x] for x in chosen}) == secret


def test_every_choice_of_three_of_six_rebuilds_and_no_choice_of_two_does() -> None:
    points = split(bytes(range(32)), 3, 6)
    assert all(combine({x: points[x] for x in some}) == bytes(range(32)) for some in combinations(points, 3))
    assert all(combine({x: points[x] for x in some}) != bytes(range(32)) for some in combinations(points, 2))


def fixed(coefficients: tuple[int, ...]) -> Callable[[int], bytes]:
    rest = iter(coefficients)
    return lambda size: bytes([next(rest)])


@pytest.mark.parametrize("x", [1, 2, 3])
def test_one_of_two_points_leaves_every_secret_byte_equally_likely(x: int) -> None:
    seen = Counter(
        (secret, split(bytes([secret]), 2, 3, fixed((c,)))[x][0]) for secret in range(256) for c in range(256)
    )
    assert len(seen) == 256 * 256 and set(seen.values()) == {1}


@pytest.mark.parametrize("pair", [(1, 2), (2, 4)])
def test_two_of_three_points_leave_every_secret_byte_equally_likely(pair: tuple[int, int]) -> None:
    for secret in (0, 1, 0xA7):
        seen = set()
        for coefficients in product(range(256), repeat=2):
            points = split(bytes([secret]), 3, 4, fixed(coefficients))
            seen.add((points[pair[0]], points[pair[1]]))
        assert len(seen) == 256 * 256, "each pair of points comes of exactly one choice"


def test_the_polynomials_are_those_of_the_field_of_aes() -> None:
    # 0x57 * 0x83 = 0xC1 (FIPS 197, section 4.2): the line 0 + 0x57 * x at 0x83.
    assert split(b"\x00", 2, 0x83, fixed((0x57,)))[0x83] == b"\xc1"


@pytest.mark.parametrize(("threshold", "count"), [(0, 3), (4, 3), (2, 256)])
def test_a_way_to_share_that_is_none_is_refused(threshold: int, count: int) -> None:
    with pytest.raises(ValueError, match="no way to share"):
        split(b"s", threshold, count)
