"""What landing counts, and what it asks of the vault."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np


class Vault(Protocol):
    """What landing asks of the vault."""

    def resolve(self, kind: str, values: list[str], *, mint: bool = True) -> np.ndarray[Any, Any]: ...
    def seal(self, blobs: list[bytes], batch: int) -> np.ndarray[Any, Any]: ...
    def flush(self) -> None: ...
    def drop_batch(self, batch: int) -> object: ...
    def forget(self, record_ids: Iterable[int]) -> object: ...


@dataclass(kw_only=True)
class Landed:
    """What became of a source's rows in one pass."""

    source: str
    rows: int = 0
    kept: int = 0
    unchanged: int = 0
    doubles: int = 0
    quarantined: int = 0
    suppressed: int = 0
    vanished: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, other: Landed) -> None:
        """Sums another chunk into this pass."""
        for key, n in other.reasons.items():
            self.reasons[key] = self.reasons.get(key, 0) + n
        for f in ("rows", "kept", "unchanged", "doubles", "quarantined", "suppressed", "vanished"):
            setattr(self, f, getattr(self, f) + getattr(other, f))
