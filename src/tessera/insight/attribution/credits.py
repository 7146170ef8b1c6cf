"""Paths -> Credits: what each channel is credited with by each model; in each column they sum to the same total.

Conversions and values, first purchase and repurchase apart, are columns of one and the same solve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tessera.insight.attribution import intervals
from tessera.insight.attribution.chain import walks, weighed
from tessera.insight.attribution.paths import Floats, Paths
from tessera.insight.attribution.removal import removed
from tessera.insight.attribution.rules import RULES, ruled
from tessera.insight.attribution.settled import settled
from tessera.words import Progress, silent

MARKOV = "markov"
MODELS = (MARKOV, *RULES)
MEASURES = ("conversions", "value")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of credits: by which model, of which conversions ("all", or "first" and "repeat"), and counted how."""

    model: str
    kind: str
    measure: str


@dataclass(frozen=True, kw_only=True)
class Credits:
    """What channels are credited with.

    credits: column -> (channels,), summing to `totals` of its kind and measure, exactly and in any order. low, high: the 95 %
    interval of each Markov column, of several kinds also of their sum ("all"); empty where none was asked for. removal: the
    share that would be lost without the channel, of each Markov column. states: of the chain. left_out: reason -> how many.
    """

    order: int
    channels: tuple[str, ...]
    paths: int
    states: int
    totals: Mapping[tuple[str, str], float]
    credits: Mapping[Column, Floats]
    removal: Mapping[Column, Floats]
    low: Mapping[Column, Floats] = field(default_factory=dict)
    high: Mapping[Column, Floats] = field(default_factory=dict)
    resamples: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)


def attributed(
    paths: Paths,
    order: int,
    *,
    resamples: int | None = None,
    seed: int = 0,
    decayed: Floats | None = None,
    progress: Progress = silent,
) -> Credits:
    """Credits by every model.

    order: 1 to 4, how many touches a Markov state holds. resamples: how many for the intervals; None takes 200 where that is
    a matter of seconds and else none. decayed: time decay as `ruled` takes it, of conversions and value of each kind. The
    same paths and seed give the same numbers.
    """
    if order not in ORDERS:
        raise ValueError(f"the order is one of {ORDERS}, not {order}")
    columns = [(kind, measure) for kind in paths.kinds for measure in MEASURES]
    outcomes = np.stack([c for pair in zip(paths.conversions.T, paths.values.T, strict=True) for c in pair]).T
    weight = paths.weight
    totals = {pair: float(column.sum()) for pair, column in zip(columns, outcomes.T, strict=True)}
    progress("states", 0)
    taken = walks(paths, order)
    chain = weighed(taken, weight, outcomes)
    lost = removed(chain, len(paths.channels), progress=progress)
    progress("rules", 0)
    parts = {MARKOV: lost, **ruled(paths, outcomes, decayed)}
    credits = {
        Column(model=model, kind=kind, measure=measure): settled(parts[model][:, i], totals[kind, measure])
        for model in MODELS
        for i, (kind, measure) in enumerate(columns)
    }
    mean = np.array([totals[pair] for pair in columns]) / weight.sum()
    effects = np.divide(lost, mean, out=np.zeros_like(lost), where=mean > 0)
    markov = [Column(model=MARKOV, kind=kind, measure=measure) for kind, measure in columns]
    resamples = intervals.affordable(paths, taken) if resamples is None else resamples
    low: dict[Column, Floats] = {}
    high: dict[Column, Floats] = {}
    if resamples:
        drawn = intervals.resampled(paths, taken, resamples, seed, progress)
        for i, column in enumerate(markov):
            low[column], high[column] = intervals.around(credits[column], drawn[:, :, i])
        for m, measure in enumerate(MEASURES if len(paths.kinds) > 1 else ()):
            whole = Column(model=MARKOV, kind="all", measure=measure)
            credit = sum(credits[c] for c in markov if c.measure == measure)
            low[whole], high[whole] = intervals.around(np.asarray(credit), drawn[:, :, m :: len(MEASURES)].sum(axis=2))
    return Credits(
        order=order,
        channels=paths.channels,
        paths=len(paths),
        states=len(taken),
        totals=totals,
        credits=credits,
        removal={column: np.minimum(effects[:, i], 1.0) for i, column in enumerate(markov)},
        low=low,
        high=high,
        resamples=resamples,
        left_out=paths.left_out,
    )


ORDERS = range(1, 5)
