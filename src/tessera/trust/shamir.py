"""Shamir's secret sharing over GF(256): any k of n points rebuild a secret, k - 1 of them tell nothing of it.

Each byte of the secret is the value at 0 of its own random polynomial of degree k - 1; a point is the number x of the
holder and the polynomials' values there. Source: Shamir, How to Share a Secret (1979); the field is that of AES
(FIPS 197, section 4). The standard library and `cryptography` have no such function.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from operator import xor

MOST = 255
"""Points that the field has beside 0, where the secret lies."""


def _tables() -> tuple[list[int], list[int]]:
    powers, logs, at = [0] * 510, [0] * 256, 1
    for exponent in range(255):
        powers[exponent] = powers[exponent + 255] = at
        logs[at] = exponent
        at ^= at << 1 ^ (0x11B if at & 0x80 else 0)  # times 3, which generates the field without 0
    return powers, logs


_POWERS, _LOGS = _tables()


def split(
    secret: bytes, threshold: int, count: int, random: Callable[[int], bytes] = os.urandom
) -> dict[int, bytes]:
    """The points 1..count of a secret, of which any `threshold` rebuild it; each is as long as the secret.

    random: the source of the polynomials' other coefficients; anything but the system's own is for tests.
    Raises ValueError unless 1 <= threshold <= count <= 255.
    """
    if not 1 <= threshold <= count <= MOST:
        raise ValueError(f"{threshold} of {count} is no way to share: expected 1 <= k <= n <= {MOST}")
    others = [random(len(secret)) for _ in range(threshold - 1)]
    return {x: bytes(_value(list(each), x) for each in zip(secret, *others, strict=True)) for x in range(1, count + 1)}


def combine(points: Mapping[int, bytes]) -> bytes:
    """The secret of exactly as many points as its threshold; other points give another, equally likely text.

    >>> combine({x: y for x, y in split(b"tessera", 2, 3).items() if x != 2})
    b'tessera'
    """
    weights = {x: _weight(x, [other for other in points if other != x]) for x in points}
    values = zip(*points.values(), strict=True)
    return bytes(_sum(_times(y, w) for y, w in zip(each, weights.values(), strict=True)) for each in values)


def _value(coefficients: list[int], x: int) -> int:
    """The polynomial at x, by Horner's rule; coefficients from the lowest."""
    at = 0
    for coefficient in reversed(coefficients):
        at = _times(at, x) ^ coefficient
    return at


def _weight(x: int, others: list[int]) -> int:
    """What the point x counts for the value at 0 (Lagrange)."""
    weight = 1
    for other in others:
        weight = _times(weight, _times(other, _POWERS[255 - _LOGS[x ^ other]]))
    return weight


def _times(a: int, b: int) -> int:
    return _POWERS[_LOGS[a] + _LOGS[b]] if a and b else 0


def _sum(terms: Iterable[int]) -> int:
    return reduce(xor, terms, 0)
