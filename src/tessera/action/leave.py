"""For whom may be decided, by purpose: the permissions of the last look, and every no that came since.

A no holds from the moment it comes; a yes with the next turn, or at once where it was said at our own door. Somebody whose
identifiers have just been joined and who said yes under one and no under the other may not be decided for, until a turn has
found which of them holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

import msgspec
from pyroaring import BitMap


class Leave(msgspec.Struct, frozen=True):
    """Of one purpose. needs_consent: silence is a no. yes: keys that may be used. no: keys of whoever said no, is restricted,
    has objected, or is being erased."""

    needs_consent: bool
    yes: BitMap
    no: BitMap

    def given(self, keys: Collection[int]) -> bool:
        """Whether whoever has these keys may be decided for."""
        if any(key in self.no for key in keys):
            return False
        return not self.needs_consent or any(key in self.yes for key in keys)


class Leaves:
    """All purposes that somebody decides for."""

    def __init__(self, leaves: Mapping[str, Leave]) -> None:
        self._leaves = dict(leaves)
        self._noes: defaultdict[str, set[int]] = defaultdict(set)

    def follow(self, leaves: Mapping[str, Leave]) -> None:
        """Takes over newer permissions; the noes that came since the last turn stay."""
        self._leaves = dict(leaves)

    def refuse(self, purposes: Iterable[str], keys: Iterable[int]) -> None:
        """Notes that an event of hers said no."""
        for purpose in purposes:
            self._noes[purpose].update(keys)

    def given(self, purpose: str, keys: Collection[int]) -> bool:
        """Whether whoever has these keys (none: an unknown) may be decided for. Of an unknown purpose: no."""
        leave = self._leaves.get(purpose)
        if leave is None or not self._noes[purpose].isdisjoint(keys):
            return False
        return leave.given(keys)
