"""A fitted value model as text and back: what its card keeps, so that everybody is scored by frozen parameters."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from tessera.insight.value.chosen import Fitted, Tried
from tessera.insight.value.history import Numbers
from tessera.insight.value.spend import Spend
from tessera.insight.value.valued import Valued

Matrix = list[list[float]]


class Law(msgspec.Struct, frozen=True, kw_only=True):
    """The law that is used. covariance: of its parameters' logarithms; None where they are not determined."""

    model: str
    parameters: dict[str, float]
    log_likelihood: float
    edges: dict[str, str]
    covariance: Matrix | None


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """The model of amounts."""

    parameters: dict[str, float]
    log_likelihood: float
    customers: int
    correlation: float
    edges: dict[str, str]
    covariance: Matrix | None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Both, and what is said of the fit."""

    law: Law
    money: Money | None
    verdict: Literal["ok", "boundary"]
    en: str
    zh: str
    customers: int
    repeaters: int


def text(found: Valued) -> str:
    """A model as JSON."""
    used, spend, fitted = found.fitted.used, found.spend, found.fitted
    law = Law(
        model=used.model, parameters=used.parameters, log_likelihood=used.log_likelihood, edges=used.edges,
        covariance=_lists(used.covariance),
    )  # fmt: skip
    money = None
    if spend is not None:
        money = Money(
            parameters=spend.parameters, log_likelihood=spend.log_likelihood, customers=spend.customers,
            correlation=spend.correlation, edges=spend.edges, covariance=_lists(spend.covariance),
        )  # fmt: skip
    kept = Kept(
        law=law, money=money, verdict=fitted.verdict, en=fitted.en, zh=fitted.zh, customers=fitted.customers,
        repeaters=fitted.repeaters,
    )  # fmt: skip
    return msgspec.json.encode(kept).decode()


def read(learned: str) -> tuple[Fitted, Spend | None]:
    """The model of a text."""
    kept = msgspec.json.decode(learned, type=Kept)
    law, money = kept.law, kept.money
    used = Tried(
        model=law.model, parameters=law.parameters, log_likelihood=law.log_likelihood, edges=law.edges,
        logs=np.log(list(law.parameters.values())), covariance=_array(law.covariance),
    )  # fmt: skip
    fitted = Fitted(
        used=used, tried=(used,), verdict=kept.verdict, en=kept.en, zh=kept.zh, customers=kept.customers,
        repeaters=kept.repeaters,
    )  # fmt: skip
    if money is None:
        return fitted, None
    return fitted, Spend(
        **money.parameters, log_likelihood=money.log_likelihood, customers=money.customers, correlation=money.correlation,
        covariance=_array(money.covariance), edges=money.edges,
    )  # fmt: skip


def _lists(matrix: Numbers | None) -> Matrix | None:
    return None if matrix is None else matrix.tolist()


def _array(matrix: Matrix | None) -> Numbers | None:
    return None if matrix is None else np.array(matrix)
