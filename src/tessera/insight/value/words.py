"""A row of CUSTOMER_VALUE -> what is expected of her, in English and Chinese, each number with both of its intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tessera.insight.explain.words import Language

LAWS: Mapping[str, str] = {"bgnbd": "BG/NBD", "paretonbd": "Pareto/NBD", "nbd": "NBD"}


def told(row: Mapping[str, Any], language: Language, currency: str) -> list[str]:
    """The sentences for staff: purchases, money where amounts are known, and whether she is still a customer."""
    zh = language == "zh"
    days, (mean, low, high) = row["horizon_days"], _three(row, "expected_purchases", "{:.2f}")
    least, most = row["purchases_low"], row["purchases_high"]
    said = [
        f"{days} 天内预期有 {mean} 天下单（均值的 95 % 区间：{low} 至 {high}；可能为 {least} 至 {most} 天）。"
        if zh
        else f"Within {days} days: {mean} days with an order are expected (95 % of the mean: {low} to {high}; "
        f"what may come: {least} to {most})."
    ]
    if row["expected_value_cents"] is not None:
        mean, low, high = (_money(row[f"expected_value{part}_cents"]) for part in ("", "_low", "_high"))
        least, most = (_money(row[f"value_{part}_cents"]) for part in ("low", "high"))
        said.append(
            f"预期消费 {mean} {currency}（均值的 95 % 区间：{low} 至 {high}；可能为 {least} 至 {most}）。"
            if zh
            else f"Worth {mean} {currency} (95 % of the mean: {low} to {high}; what may come: {least} to {most})."
        )
    alive = f"{row['p_alive'] * 100:.0f} %"
    said.append(f"仍是客户的概率：{alive}。" if zh else f"The chance that she is still a customer: {alive}.")
    return said


def _three(row: Mapping[str, Any], name: str, form: str) -> tuple[str, str, str]:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return form.format(row[name]), *("?" if v is None else form.format(v) for v in (low, high))  # type: ignore[return-value]


def _money(cents: int | None) -> str:
    return "?" if cents is None else f"{cents / 100:,.2f}"
