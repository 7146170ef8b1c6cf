"""Which identifiers are a person's: few are looked up in the table, many from an index of it that is made once per version."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from tessera.config import Purpose
from tessera.lake.engine import Connection, rows
from tessera.lake.view import over
from tessera.trust.gate import Gate
from tessera.trust.tables import MEMBERSHIP

SINGLY = 3
"""So many are looked up one by one (10 ms each at a million people) before an index (8 bytes an identifier) is worth it."""


class Members:
    """As the running of the service may see it: also of people who are restricted, never of those who are being erased."""

    def __init__(self, gate: Gate, purpose: Purpose, con: Connection) -> None:
        self.gate, self.purpose, self.con = gate, purpose, con
        self._stamp: tuple[int | None, BitMap] | None = None
        self._asked = 0
        self._persons: npt.NDArray[Any] | None = None
        self._keys: npt.NDArray[Any] | None = None

    def keys(self, person: int) -> list[int]:
        """Her keys, ascending; none for a number of nobody."""
        stamp = (self.gate.lake.version(MEMBERSHIP.name), self.gate.permits.blocked_keys)
        if stamp != self._stamp:
            self._stamp, self._asked, self._persons, self._keys = stamp, 0, None, None
        self._asked += 1
        if self._asked <= SINGLY:
            select = f"SELECT key_id FROM membership WHERE person_id = {int(person)} ORDER BY key_id"
            return [int(key) for (key,) in rows(self.con, self._over(select))]
        if self._persons is None or self._keys is None:
            select = "SELECT person_id, key_id FROM membership ORDER BY person_id, key_id"
            found = self.con.execute(self._over(select)).fetchnumpy()
            self._persons, self._keys = found["person_id"], found["key_id"]
        # In the index's own type: another would have numpy copy all of it.
        start, end = np.searchsorted(self._persons, np.array([person, person + 1], self._persons.dtype))
        return [int(key) for key in self._keys[start:end]]

    def _over(self, select: str) -> str:
        view = self.gate.for_step(MEMBERSHIP.name, self.purpose, upkeep=True)
        self.gate.load(self.con, [view])
        return over({MEMBERSHIP.name: view}, select)
