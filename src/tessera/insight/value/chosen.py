"""Which law of buying the customers' histories bear: BG/NBD, else Pareto/NBD, else one in which nobody leaves; and why.

A fit that ran to an edge ("nobody ever leaves", "all leave with the same chance") still gives numbers, and libraries give
them without a word. Here each law that is left has its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from tessera.errors import BadInput
from tessera.insight.value import bgnbd, nbd, paretonbd
from tessera.insight.value.ahead import Ahead
from tessera.insight.value.history import History, Numbers
from tessera.insight.value.maximum import Maximum, maximum


class Law(Protocol):
    """What a module of a law offers."""

    NAME: str
    PARAMETERS: tuple[str, ...]
    TIMED: tuple[float, ...]

    def likelihood(self, logs: Numbers, h: History) -> tuple[float, Numbers]: ...
    def alive(self, parameters: Numbers, h: History) -> Numbers: ...
    def ahead(self, parameters: Numbers, h: History, horizon: float) -> Ahead: ...


LAWS: dict[str, Law] = {"bgnbd": bgnbd, "paretonbd": paretonbd, "nbd": nbd}
"""In the order in which they are tried."""

TITLES = {"bgnbd": "BG/NBD", "paretonbd": "Pareto/NBD", "nbd": "NBD"}

EDGES = {"zero": "趋于零", "infinite": "趋于无穷", "undetermined": "无法确定"}

SAMPLE = 5_000
"""About how many rows the search happens on where there are more than twice as many."""
FEWEST = 10
EVIDENCE = 2.0
"""How much the log-likelihood of a law with leaving must exceed that of one without (two parameters more: Akaike, 1974)."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One law and how it fitted. edges: parameter -> zero, infinite or undetermined; none: a sound fit."""

    model: str
    parameters: dict[str, float]
    log_likelihood: float
    edges: dict[str, str]
    logs: Numbers
    covariance: Numbers | None


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The law that is used, and all that were tried. verdict: ok; boundary: the first law ran to an edge, `en` and `zh` say
    what was done. customers, repeaters: how many it was fitted to, and how many of them came again."""

    used: Tried
    tried: tuple[Tried, ...]
    verdict: Literal["ok", "boundary"]
    en: str
    zh: str
    customers: int
    repeaters: int

    @property
    def law(self) -> Law:
        """The module of the law that is used."""
        return LAWS[self.used.model]

    @property
    def values(self) -> Numbers:
        """Its parameters in the law's order."""
        return np.array([self.used.parameters[name] for name in self.law.PARAMETERS])

    @property
    def standard_errors(self) -> dict[str, float] | None:
        """Of the parameters, by the delta method; None where the data do not determine them."""
        if self.used.covariance is None:
            return None
        spread = np.sqrt(np.diag(self.used.covariance)) * self.values
        return dict(zip(self.law.PARAMETERS, map(float, spread), strict=True))


def fit(h: History, model: str | None = None, seed: int = 7) -> Fitted:
    """The law of these histories by maximum likelihood. model: one of LAWS, used even if it runs to an edge (which is said).

    Raises BadInput with fewer than FEWEST customers, or where fewer than two came again: no rate can be learned from them.
    """
    customers = int(h.customers)
    repeaters = int(h.weight[h.frequency > 0].sum())
    if customers < FEWEST or repeaters < 2:
        raise BadInput(
            f"Too little to learn from. Customers: {customers:,}; who bought more than once: {repeaters:,}. "
            f"At least {FEWEST} customers, two of whom came again, are needed. frequency counts purchases after the first."
        )
    tried: list[Tried] = []
    for name in [model] if model else [law for law in LAWS if law != "nbd"]:
        tried.append(_tried(LAWS[name], h, seed))
        if not tried[-1].edges:
            break
    used = tried[-1]
    if used.model != "nbd":
        # Beside every law the one without leaving: it says how much leaving explains at all.
        tried.append(_tried(LAWS["nbd"], h, seed))
        used = used if model else _used(tried)
    en, zh = _said(tried, used)
    return Fitted(
        used=used, tried=tuple(tried), verdict="boundary" if tried[0].edges else "ok", en=en, zh=zh, customers=customers,
        repeaters=repeaters,
    )  # fmt: skip


def _tried(law: Law, h: History, seed: int) -> Tried:
    # In a unit of the mean age all parameters are of the order of 1, whatever the file counts in.
    unit = max(float(h.weight @ h.age) / h.customers, 1e-12)
    scaled = h.scaled(unit)
    some = scaled.sample(SAMPLE, seed)
    best: Maximum = maximum(
        lambda logs: law.likelihood(logs, scaled), h.customers, len(law.PARAMETERS),
        (lambda logs: law.likelihood(logs, some)) if some is not None else None,
    )  # fmt: skip
    parameters = np.exp(best.logs) * unit ** np.array(law.TIMED)
    purchases = float(h.weight @ h.frequency)
    return Tried(
        model=law.NAME,
        parameters=dict(zip(law.PARAMETERS, map(float, parameters), strict=True)),
        # A density of purchases in time: in the file's unit it is smaller by the unit for each of them.
        log_likelihood=best.value - purchases * float(np.log(unit)),
        edges={law.PARAMETERS[i]: edge for i, edge in best.edges.items()},
        logs=np.log(parameters),
        covariance=best.covariance,
    )


def _used(tried: Sequence[Tried]) -> Tried:
    """The first sound fit with leaving; where there is none, the likeliest, but the one without if leaving explains nothing."""
    *leaving, without = tried
    if sound := [t for t in leaving if not t.edges]:
        return sound[0]
    best = max(leaving, key=lambda t: t.log_likelihood)
    return best if best.log_likelihood > without.log_likelihood + EVIDENCE else without


def _said(tried: Sequence[Tried], used: Tried) -> tuple[str, str]:
    if not tried[0].edges:
        title = TITLES[used.model]
        en, zh = [f"{title} fits; all parameters are determined."], [f"{title} 拟合良好，所有参数均可确定。"]
        if used.model != "nbd" and used.log_likelihood < tried[-1].log_likelihood + EVIDENCE:
            en.append("But a law in which nobody leaves explains the data as well: take the chances of leaving with care.")
            zh.append("但无人流失的模型对数据的解释同样好：请谨慎对待流失概率。")
        return " ".join(en), "".join(zh)
    en, zh = [], []
    for one in tried:
        if one.edges and one.model != "nbd":
            told = ", ".join(f"{n} {e}" for n, e in one.edges.items())
            en.append(f"{TITLES[one.model]} ran to an edge ({told}): {_meaning(one)[0]}.")
            told = "，".join(f"{n} {EDGES[e]}" for n, e in one.edges.items())
            zh.append(f"{TITLES[one.model]} 的拟合到达边界（{told}）：{_meaning(one)[1]}。")
    if used.model == "nbd":
        en.append("NBD is used, in which nobody leaves: expect too much of those who have been silent for long.")
        zh.append("因此采用无人流失的 NBD：对长期未购买的客户，预期会偏高。")
    elif used.edges:
        en.append(f"{TITLES[used.model]} is used at that edge; its parameters have no intervals.")
        zh.append(f"仍采用处于边界的 {TITLES[used.model]}；其参数没有置信区间。")
    else:
        en.append(f"{TITLES[used.model]} is used instead.")
        zh.append(f"改用 {TITLES[used.model]}。")
    return " ".join(en), "".join(zh)


def _meaning(one: Tried) -> tuple[str, str]:
    p, edges = one.parameters, one.edges
    if one.model == "bgnbd" and ("a" in edges or "b" in edges):
        if p["a"] / (p["a"] + p["b"]) < 0.01:
            return "by it nobody ever leaves", "按此模型，无人流失"
        return "by it all leave with nearly the same chance", "按此模型，所有人的流失概率几乎相同"
    if one.model == "paretonbd" and ("s" in edges or "beta" in edges):
        if p["s"] < 0.05 or edges.get("s") == "zero":
            return "by it hardly anybody ever leaves", "按此模型，几乎无人流失"
        return "by it all leave at nearly the same rate", "按此模型，所有人的流失速度几乎相同"
    return "by it all buy at nearly the same rate", "按此模型，所有人的购买频率几乎相同"
