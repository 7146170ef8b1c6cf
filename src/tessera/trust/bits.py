"""Each purpose's bit in the consent mask: given once and kept, whatever becomes of the order of purposes.yaml.

The mask is made anew by a turn, but read at any time: were bits taken from the order of the file, then after two purposes
changed places, or one went, a yes to one would open another until the next turn.
"""

from __future__ import annotations

from dataclasses import replace

from tessera.config import Config
from tessera.errors import BadWorkspace
from tessera.lake.state import State

LAST = 30
"""The mask is a signed number of 32 bits."""


def numbered(config: Config, state: State) -> Config:
    """The settings with every purpose's bit as it was first given; a purpose seen for the first time gets a new one.

    Raises BadWorkspace where this workspace has known more purposes than there are bits.
    """
    given: dict[str, int] = state.get("access", "bits", {})
    bits = dict(given)
    for purpose in config.purposes.values():
        if purpose.name not in bits:
            bits[purpose.name] = _free(purpose.bit, set(bits.values()))
    if bits != given:
        state.put("access", "bits", bits)
    if all(p.bit == bits[p.name] for p in config.purposes.values()):
        return config
    return replace(config, purposes={p.name: replace(p, bit=bits[p.name]) for p in config.purposes.values()})


def _free(wanted: int, taken: set[int]) -> int:
    """The bit that the file's order wants if nobody ever had it, else the lowest that nobody had."""
    free: list[int] = [b for b in (wanted, *range(LAST + 1)) if b not in taken]
    if not free:
        raise BadWorkspace([f"purposes.yaml: this workspace has had {LAST + 1} purposes, as many as it can ever have."])
    return free[0]
