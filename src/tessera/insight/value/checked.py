"""The check against later truth: a law fitted to what was known until a day says what came after; beside it, her past rate.

All choices are made before that day; what came after is only compared with.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tessera.insight.value.chosen import Fitted
from tessera.insight.value.predicted import of_customers, totals
from tessera.insight.value.spend import Spend
from tessera.lake.engine import Connection, rows

_WRONG = " The truth is outside: the law is wrong by more than chance."


@dataclass(frozen=True, kw_only=True)
class Held:
    """How predictions met later truth. length: of the time held out. purchases: expected in all, with its interval of 95 %.
    inside: whether the truth lies in it. covered: share of customers whose purchases lie in their own interval of 95 %.
    error, rate_error: mean absolute error of what is expected, and of going on as before (x / T). correlation,
    rate_correlation: with the truth. auc: how well what is expected orders those who came above those who did not. value:
    the same of money."""

    length: float
    customers: int
    expected: float
    low: float | None
    high: float | None
    actual: float
    inside: bool | None
    covered: float
    error: float
    rate_error: float
    correlation: float | None
    rate_correlation: float | None
    auc: float | None
    value: dict[str, Any] | None

    @property
    def en(self) -> str:
        """In words."""
        off = f" ({self.expected / self.actual - 1:+.1%})" if self.actual else ""
        range_ = f", 95 %: {self.low:,.0f} to {self.high:,.0f}" if self.low is not None else ""
        verdict = {
            True: " The truth is inside.",
            False: _WRONG,
            None: "",
        }
        better = "better" if self.error < self.rate_error else "NOT better"
        return (
            f"Held out {self.length:g}: expected {self.expected:,.0f} purchases{range_}; {self.actual:,.0f} came{off}."
            f"{verdict[self.inside]} Error per customer {self.error:.3f}, of going on as before {self.rate_error:.3f} "
            f"({better})."
        )

    @property
    def zh(self) -> str:
        """In words, Chinese."""
        off = f"（{self.expected / self.actual - 1:+.1%}）" if self.actual else ""
        range_ = f"，95% 区间 {self.low:,.0f} 至 {self.high:,.0f}" if self.low is not None else ""
        verdict = {True: "实际值在区间内。", False: "实际值在区间外：模型误差超出随机波动。", None: ""}
        better = "更好" if self.error < self.rate_error else "并不更好"
        return (
            f"留出 {self.length:g}：预期 {self.expected:,.0f} 次购买{range_}；实际 {self.actual:,.0f} 次{off}。"
            f"{verdict[self.inside]}"
            f"每位客户平均误差 {self.error:.3f}，照旧推算为 {self.rate_error:.3f}（{better}）。"
        )

    @property
    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self) | {"en": self.en, "zh": self.zh}


def held(con: Connection, relation: str, fitted: Fitted, spend: Spend | None, length: float) -> Held:
    """Compares GROUPS, predicted for `length`, with the columns `later` (purchases) and, with amounts, `later_value` of a
    relation of frequency, recency, age."""
    columns = "c.frequency, c.age, c.later" + (", c.later_value" if spend else "")
    each = of_customers(relation, spend).replace("SELECT ", f"SELECT {columns}, ", 1)
    con.execute(f"CREATE OR REPLACE TEMP TABLE value_held AS {each}")
    sums = totals(con, relation, fitted, spend)
    past = f"(CASE WHEN age > 0 THEN frequency / age * {length!r} ELSE 0 END)"
    n, actual, covered, error, rate_error, with_mean, with_rate, auc = rows(
        con,
        f"""SELECT count(*), sum(later), avg(CAST(later BETWEEN purchases_low AND purchases_high AS INTEGER)),
                   avg(abs(expected_purchases - later)), avg(abs({past} - later)),
                   corr(expected_purchases, later), corr({past}, later), ({_AUC})
            FROM value_held""",
    )[0]
    whole = sums["purchases"]
    return Held(
        length=length, customers=int(n), expected=whole.expected, low=whole.low, high=whole.high, actual=float(actual),
        inside=_inside(whole.low, actual, whole.high), covered=float(covered), error=float(error),
        rate_error=float(rate_error), correlation=_number(with_mean), rate_correlation=_number(with_rate),
        auc=_number(auc), value=_value(con, sums) if "value" in sums else None,
    )  # fmt: skip


_AUC = """SELECT (sum(place) FILTER (WHERE came) - count(*) FILTER (WHERE came) * (count(*) FILTER (WHERE came) + 1) / 2.0)
                 / nullif(count(*) FILTER (WHERE came) * count(*) FILTER (WHERE NOT came), 0)
          FROM (SELECT later > 0 AS came, rank() OVER (ORDER BY expected_purchases)
                       + (count(*) OVER (PARTITION BY expected_purchases) - 1) / 2.0 AS place FROM value_held) AS placed"""


def _value(con: Connection, sums: dict[str, Any]) -> dict[str, Any]:
    whole = sums["value"]
    actual, covered, error, correlation = rows(
        con,
        """SELECT sum(later_value), avg(CAST(later_value BETWEEN value_low AND value_high AS INTEGER)),
                  avg(abs(expected_value - later_value)), corr(expected_value, later_value)
           FROM value_held WHERE expected_value IS NOT NULL""",
    )[0]
    return {
        "expected": whole.expected, "low": whole.low, "high": whole.high, "actual": float(actual),
        "inside": _inside(whole.low, actual, whole.high), "covered": float(covered), "error": float(error),
        "correlation": _number(correlation),
    }  # fmt: skip


def _inside(low: float | None, actual: float, high: float | None) -> bool | None:
    return None if low is None or high is None else bool(low <= actual <= high)


def _number(found: float | None) -> float | None:
    return None if found is None or found != found else float(found)
