"""Gamma-Gamma: what a purchase of hers is worth on average, drawn towards everybody's the less she has bought.

Amounts of a customer are gamma(p, nu) distributed, and nu is gamma(q, v) among customers, whatever they buy how often.
Source: Fader and Hardie (2013), "The gamma-gamma model of monetary value".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tessera.errors import BadInput
from tessera.insight.value.history import Numbers
from tessera.insight.value.maximum import maximum
from tessera.lake.engine import Connection, literal, value

PARAMETERS = ("p", "q", "v")
SAMPLE = 5_000
FEWEST = 10
"""Customers with a second purchase that a model is made of, at least."""
DEPENDENT = 0.3
"""A correlation of how often and for how much beyond which the law's independence is told to be doubtful."""


@dataclass(frozen=True, kw_only=True)
class Spend:
    """A fitted model. p, q without a unit, v in money. covariance: of the logarithms of p, q, v; None where the data do not
    determine them. edges: which parameter ran where. correlation: of frequency and mean amount among those who came again."""

    p: float
    q: float
    v: float
    log_likelihood: float
    customers: int
    correlation: float
    covariance: Numbers | None
    edges: dict[str, str]

    @property
    def parameters(self) -> dict[str, float]:
        """By name."""
        return {"p": self.p, "q": self.q, "v": self.v}

    @property
    def usual(self) -> float | None:
        """The mean amount of somebody of whom nothing is known; None where the law gives none (q <= 1: no mean)."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else None


@dataclass(frozen=True, kw_only=True)
class Means:
    """Customers who came again: x purchases each, of a mean amount. weight: how many each stands for."""

    x: Numbers
    mean: Numbers
    weight: Numbers

    @cached_property
    def counted(self) -> tuple[Numbers, Numbers]:
        """The different x, and how many have each."""
        each, place = np.unique(self.x, return_inverse=True)
        return each, np.bincount(place, weights=self.weight).astype(np.float64)

    @cached_property
    def sums(self) -> tuple[float, float, float]:
        """Sums that no parameter changes: of ln(mean), of x ln(mean), of weight."""
        logs = np.log(self.mean)
        return float(self.weight @ logs), float(self.weight @ (self.x * logs)), float(self.weight.sum())

    def sample(self, many: int, seed: int) -> Means | None:
        """That many of them, for all; None if there are not at least twice as many."""
        if len(self.x) < 2 * many:
            return None
        some = np.random.default_rng(seed).choice(len(self.x), many, replace=False)
        return Means(x=self.x[some], mean=self.mean[some], weight=np.full(many, len(self.x) / many))


def likelihood(logs: Numbers, known: Means) -> tuple[float, Numbers]:
    """The log-likelihood at the logarithms of p, q, v; and its gradient in them."""
    from scipy.special import digamma, gammaln

    p, q, v = np.exp(logs)
    each, many = known.counted
    log_means, x_log_means, count = known.sums
    total = known.x * known.mean + v
    log_total = np.log(total)
    of_x, of_one = known.weight @ (known.x * log_total), known.weight @ log_total
    found = many @ (gammaln(p * each + q) - gammaln(p * each) + p * each * np.log(each)) + count * (q * np.log(v) - gammaln(q))
    found += p * x_log_means - log_means - p * of_x - q * of_one
    both = digamma(p * each + q)
    in_p = many @ (each * (both - digamma(p * each) + np.log(each))) + x_log_means - of_x
    in_q = many @ both + count * (np.log(v) - digamma(q)) - of_one
    in_v = count * q / v - known.weight @ ((p * known.x + q) / total)
    return float(found), np.array([in_p * p, in_q * q, in_v * v])


def fit(con: Connection, relation: str, seed: int = 7) -> Spend:
    """The model of a relation with frequency and monetary_value; customers without a second purchase, or whose mean amount is
    not above 0, teach it nothing. Raises BadInput with fewer than FEWEST others."""
    found = con.execute(
        f"SELECT frequency AS x, CAST(monetary_value AS DOUBLE) AS mean FROM {relation} "
        "WHERE frequency > 0 AND monetary_value > 0 AND isfinite(monetary_value) ORDER BY 1, 2"
    ).fetchnumpy()
    x, mean = np.asarray(found["x"], float), np.asarray(found["mean"], float)
    if len(x) < FEWEST:
        raise BadInput(
            f"The amounts say too little: {len(x)} customers came again with an amount above 0, and {FEWEST} are needed. "
            "monetary_value is the mean amount of the purchases after the first."
        )
    unit = float(mean.mean())
    known = Means(x=x, mean=mean / unit, weight=np.ones(len(x)))
    some = known.sample(SAMPLE, seed)
    best = maximum(
        lambda logs: likelihood(logs, known),
        float(len(x)),
        3,
        (lambda logs: likelihood(logs, some)) if some is not None else None,
    )
    p, q, v = (float(n) for n in np.exp(best.logs))
    spread = np.std(x) * np.std(mean)
    return Spend(
        p=p, q=q, v=v * unit, log_likelihood=best.value - len(x) * float(np.log(unit)), customers=len(x),
        correlation=float(np.mean((x - x.mean()) * (mean - mean.mean())) / spread) if spread else 0.0,
        covariance=best.covariance, edges={PARAMETERS[i]: edge for i, edge in best.edges.items()},
    )  # fmt: skip


def unpriced(con: Connection, relation: str) -> int:
    """How many customers came again and have no amount above 0: for them there is no value."""
    wrong = "monetary_value IS NULL OR NOT isfinite(monetary_value) OR monetary_value <= 0"
    return int(value(con, f"SELECT count(*) FROM {relation} WHERE frequency > 0 AND ({wrong})"))


def expected(spend: Spend) -> str:
    """SQL over frequency (f) and monetary_value (m): the mean amount that is expected of each; NULL where there is none."""
    usual = literal(spend.usual) if spend.usual is not None else "NULL"
    posterior = f"{spend.p!r} * ({spend.v!r} + f * m) / nullif(greatest({spend.p!r} * f + {spend.q!r} - 1, 0), 0)"
    return f"CASE WHEN f = 0 THEN CAST({usual} AS DOUBLE) WHEN m > 0 AND isfinite(m) THEN {posterior} END"


def rate(spend: Spend) -> str:
    """SQL: the scale of an amount's posterior, v + x m; NULL where `expected` is."""
    return f"CASE WHEN f = 0 THEN {spend.v!r} WHEN m > 0 AND isfinite(m) THEN {spend.v!r} + f * m END"


def slopes(spend: Spend) -> tuple[str, str, str]:
    """SQL: how the logarithm of `expected` changes with the logarithms of p, q and v."""
    less = f"({spend.p!r} * f + {spend.q!r} - 1)"
    known = "CASE WHEN f = 0 THEN 0 ELSE f * m END"
    return (
        f"(1 - {spend.p!r} * f / {less})",
        f"(-{spend.q!r} / {less})",
        f"({spend.v!r} / ({spend.v!r} + {known}))",
    )
