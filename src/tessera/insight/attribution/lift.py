"""Credits and lift tests -> calibrated credits: what an experiment has shown goes before what paths suggest.

A model of paths shares out all that was sold, also what would have been sold anyway; a lift test (a holdout, a geo test) shows
what a channel has caused. Each test gives a ratio, caused to credited. A channel's own ratio is pulled to the mean of all
tested channels as far as its test is unsure (random effects: DerSimonian and Laird, 1986; shrunk by empirical Bayes). A
channel without a test takes that mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tessera.errors import BadInput

Z95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Lift:
    """A test of one channel: the conversions that it caused over the time of the credits, with the 95 % interval."""

    channel: str
    caused: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """One channel. credited: by the model. caused: calibrated, with its 95 % interval, which is None where no test says how
    far channels differ. tested: it has a test of its own."""

    channel: str
    credited: float
    caused: float
    low: float | None
    high: float | None
    tested: bool


def calibrated(credits: Mapping[str, float], lifts: Sequence[Lift]) -> list[Calibrated]:
    """Each channel's credit, calibrated; in the order of `credits`. Without any test, what was credited, and no interval.

    A test may show nothing, or less than nothing; nothing caused is below 0 after all. What is caused need not sum to what
    was sold: the rest would have come anyway. Raises BadInput for a channel that has no credit, two tests of one channel
    (combine them first: `combined`), or an interval that does not hold its estimate.
    """
    known: dict[str, tuple[float, float]] = {}
    for lift in lifts:
        if lift.channel not in credits:
            raise BadInput(
                f"The lift test is of {lift.channel!r}, which has no credit. Channels: {', '.join(sorted(credits))}."
            )
        if lift.channel in known:
            raise BadInput(f"There are two lift tests of {lift.channel!r}. Combine them into one first.")
        known[lift.channel] = _ratio(lift, credits[lift.channel])
    if not known:
        return [Calibrated(channel=c, credited=n, caused=n, low=None, high=None, tested=False) for c, n in credits.items()]
    mean, doubt, between = _pooled(list(known.values()))
    made = []
    for channel, credited in credits.items():
        centre, spread = mean, doubt + between
        if channel in known:
            ratio, own = known[channel]
            trust = between / (between + own) if between + own else 0.0
            centre, spread = trust * ratio + (1 - trust) * mean, trust * own + (1 - trust) ** 2 * doubt
        half = Z95 * math.sqrt(spread)
        # One test alone does not tell how far other channels lie from it.
        bounded = channel in known or len(known) > 1
        made.append(
            Calibrated(
                channel=channel,
                credited=credited,
                caused=credited * max(centre, 0.0),
                low=credited * max(centre - half, 0.0) if bounded else None,
                high=credited * max(centre + half, 0.0) if bounded else None,
                tested=channel in known,
            )
        )
    return made


def combined(lifts: Sequence[Lift]) -> Lift:
    """Several tests of one channel as one, weighed by their inverse variance. Raises BadInput for none, or several channels."""
    if len({lift.channel for lift in lifts}) != 1:
        raise BadInput("Only tests of one and the same channel can be combined.")
    weights = [(2 * Z95 / max(lift.high - lift.low, 1e-12)) ** 2 for lift in lifts]
    caused = sum(w * lift.caused for w, lift in zip(weights, lifts, strict=True)) / sum(weights)
    half = Z95 / math.sqrt(sum(weights))
    return Lift(channel=lifts[0].channel, caused=caused, low=caused - half, high=caused + half)


def _ratio(lift: Lift, credited: float) -> tuple[float, float]:
    """Caused to credited, and its variance."""
    if not lift.low <= lift.caused <= lift.high or not math.isfinite(lift.high - lift.low):
        raise BadInput(f"The lift of {lift.channel!r} has to lie in its interval.")
    if credited <= 0:
        raise BadInput(f"{lift.channel!r} has a credit of 0, which no test can scale.")
    error = (lift.high - lift.low) / (2 * Z95)
    return lift.caused / credited, (error / credited) ** 2


def _pooled(ratios: list[tuple[float, float]]) -> tuple[float, float, float]:
    """The mean of ratios by random effects, its variance, and the variance between channels."""
    floor = 1e-12
    weights = [1 / max(v, floor) for _, v in ratios]
    mean = sum(w * r for w, (r, _) in zip(weights, ratios, strict=True)) / sum(weights)
    spread = sum(w * (r - mean) ** 2 for w, (r, _) in zip(weights, ratios, strict=True))
    scale = sum(weights) - sum(w * w for w in weights) / sum(weights)
    between = max(0.0, (spread - (len(ratios) - 1)) / scale) if scale > 0 else 0.0
    weights = [1 / (max(v, floor) + between) for _, v in ratios]
    mean = sum(w * r for w, (r, _) in zip(weights, ratios, strict=True)) / sum(weights)
    return mean, 1 / sum(weights), between
