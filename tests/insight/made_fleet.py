"""Units that wear out: noisy sensors, of which two drift as the end comes near; some run in changing conditions."""

from __future__ import annotations

import numpy as np

from tessera.insight.upkeep.telemetry import Telemetry


def fleet(units: int = 24, life: int = 60, seed: int = 0, conditions: int = 1) -> Telemetry:
    rng = np.random.default_rng(seed)
    lives = rng.integers(life // 2, life * 3 // 2, units)
    unit = np.repeat(np.arange(units), lives)
    cycle = np.concatenate([np.arange(1, n + 1) for n in lives]).astype(float)
    left = np.repeat(lives, lives) - cycle
    worn = np.clip(1 - left / (life / 2), 0, 1) ** 1.5
    own = rng.normal(0, 0.5, (units, 3))[unit]
    condition = rng.integers(0, conditions, len(unit))
    values = own + rng.normal(0, 0.3, (len(unit), 3)) + 100.0 * condition[:, None]
    values[:, 0] += 3 * worn
    values[:, 1] -= 2 * worn
    still = np.full(len(unit), 7.0)
    load = condition * 20.0 + rng.normal(0, 0.01, len(unit))
    columns = [values, still[:, None]] + ([load[:, None]] if conditions > 1 else [])
    names = ("heat", "speed", "noise", "still", "load")[: 4 + (conditions > 1)]
    return Telemetry(unit=unit, cycle=cycle, values=np.concatenate(columns, axis=1), sensors=names)
