"""Names of an answer's columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def unique(names: Sequence[str]) -> list[str]:
    """Output columns, each with a name of its own: a second `n` becomes `n_2`.

    >>> unique(["n", "n", "n_2"])
    ['n', 'n_3', 'n_2']
    """
    taken, seen, made = set(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        wanted = name
        number = seen[name]
        while number > 1 and (wanted == name or wanted in taken):
            wanted = f"{name}_{number}"
            number += 1
        taken.add(wanted)
        made.append(wanted)
    return made
