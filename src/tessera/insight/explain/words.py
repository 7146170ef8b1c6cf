"""A column's name -> the words for it, in English and Chinese; a column nobody has named gets them from its name.

A feature of ours has its words here. A stranger's column ("MonthlyCharges", "tenure_months") is cut into words; Chinese is
given where every one of them is known, and else the column's own name in quotes, which is never wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
Unit = Literal["days", "money", "share", "hour", "times", ""]


@dataclass(frozen=True, kw_only=True)
class Word:
    """What a column is called. her_en, her_zh: what it is called to the person herself; "" for the same.
    unit: how its values are shown; money is in cents."""

    en: str
    zh: str
    her_en: str = ""
    her_zh: str = ""
    unit: Unit = ""

    def to(self, language: Language, *, her: bool = False) -> str:
        """The words in a language, to staff or to her."""
        plain, own = (self.zh, self.her_zh) if language == "zh" else (self.en, self.her_en)
        return own or plain if her else plain


TOKENS: Mapping[str, str] = {
    "account": "账户", "active": "活跃", "address": "地址", "age": "年龄", "amount": "金额", "annual": "年度",
    "average": "平均", "avg": "平均", "balance": "余额", "bill": "账单", "billing": "账单", "bounce": "跳出", "calls": "通话",
    "campaign": "活动", "category": "类别", "channel": "渠道", "charge": "费用", "charges": "费用", "citizen": "公民",
    "city": "城市", "clicks": "点击", "contract": "合同", "conversion": "转化", "count": "数量", "country": "国家",
    "credit": "信用", "customer": "客户", "daily": "每日", "data": "数据", "date": "日期", "day": "天", "days": "天数",
    "dependents": "受抚养人", "device": "设备", "discount": "折扣", "duration": "时长", "education": "教育", "email": "邮件",
    "exit": "退出", "first": "首次", "gender": "性别", "history": "历史", "hour": "小时", "hours": "小时数", "income": "收入",
    "international": "国际", "internet": "互联网", "invoice": "发票", "job": "职业", "last": "最近", "length": "长度",
    "limit": "额度", "lines": "线路", "loan": "贷款", "marital": "婚姻", "marriage": "婚姻", "method": "方式",
    "minutes": "分钟数", "mobile": "手机", "month": "月份", "monthly": "每月", "months": "月数", "multiple": "多条",
    "number": "数量", "online": "在线", "order": "订单", "orders": "订单数", "page": "页面", "paperless": "无纸化",
    "partner": "伴侣", "pay": "付款", "payment": "付款", "payments": "付款", "phone": "电话", "plan": "套餐", "price": "价格",
    "product": "产品", "products": "产品", "protection": "保护", "purchase": "购买", "purchases": "购买", "quantity": "数量",
    "rate": "比率", "rates": "比率", "region": "地区", "score": "评分", "security": "安全", "segment": "细分",
    "senior": "老年", "service": "服务", "sessions": "会话", "sex": "性别", "spend": "消费", "state": "州", "status": "状态",
    "streaming": "流媒体", "subscription": "订阅", "support": "支持", "tech": "技术", "technical": "技术",
    "tenure": "在网时长", "time": "时间", "total": "总", "traffic": "流量", "transactions": "交易", "tv": "电视",
    "type": "类型", "usage": "使用量", "value": "价值", "values": "价值", "visitor": "访客", "visits": "访问", "week": "周",
    "weekend": "周末", "year": "年", "zip": "邮编",
}  # fmt: skip

UNKNOWN: Mapping[Language, str] = {"en": "not known", "zh": "未知"}


def word(column: str, known: Mapping[str, Word]) -> Word:
    """The words for a column: those of `known`, else made from its name.

    >>> word("MonthlyCharges", {}).en, word("MonthlyCharges", {}).zh, word("X11", {}).zh
    ('monthly charges', '每月费用', '「X11」')
    """
    if column in known:
        return known[column]
    parts = _parts(column)
    english = (
        column.strip()
        if " " in column.strip()
        else " ".join(p if p.isupper() and len(p) <= 4 else p.lower() for p in parts) or column
    )
    if re.search(r"[\u3400-\u9fff]", column):
        return Word(en=column, zh=column)
    lower = [p.lower() for p in parts]
    chinese = "".join(TOKENS[p] for p in lower) if lower and all(p in TOKENS for p in lower) else f"「{column}」"
    return Word(en=english, zh=chinese)


def shown(value: float | str | None, unit: Unit, language: Language) -> str:
    """A value in words: a number with its unit, a category as it is, nothing as "not known".

    >>> shown(1.0, "days", "en"), shown(123456.0, "money", "zh"), shown(0.25, "share", "en"), shown(None, "", "zh")
    ('1 day', '1,234.56', '25 %', '未知')
    """
    if value is None or value != value:
        return UNKNOWN[language]
    if isinstance(value, str):
        return value
    if unit == "money":
        return f"{value / 100:,.2f}"
    if unit == "share":
        return f"{value * 100:.0f} %"
    if unit == "hour":
        return f"{int(value) % 24:02d}:{round(value % 1 * 60) % 60:02d}"
    number = _number(value)
    if unit == "days":
        return f"{number} 天" if language == "zh" else f"{number} day{'' if number == '1' else 's'}"
    if unit == "times":
        return f"{number} 次" if language == "zh" else number
    return number


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _parts(column: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", column)
    return [p for p in re.split(r"[^0-9A-Za-z]+", spaced) if p]
