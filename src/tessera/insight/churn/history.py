"""Purchases and events -> what was known of each customer at a past midnight, and what she did after it.

All that a row says was so before its midnight; what she then did is read only from what came at or after it. So a model can be
learned at dates whose outcome has come since, and judged at a later one, as if it stood there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from tessera.data.profiles import SOLD, in_base
from tessera.insight.explain.words import Word
from tessera.lake.engine import literal, name

BOUGHT = "churn_bought"
LINES = "churn_lines"
SEEN = "churn_seen"
SUBSCRIBED = "churn_subscribed"
RETURNED = "('refunded', 'returned')"

WORDS: Mapping[str, Word] = {
    "recency_days": Word(en="the time since the last order", zh="距上次下单的时间", her_en="the time since your last order",
                         her_zh="距您上次下单的时间", unit="days"),
    "tenure_days": Word(en="the time as a customer", zh="成为客户的时间", her_en="how long you have been our customer",
                        her_zh="您成为客户的时间", unit="days"),
    "order_days": Word(en="the number of days with an order", zh="下单天数", her_en="how often you have ordered",
                       her_zh="您的下单次数", unit="times"),
    "revenue_cents": Word(en="what she spent in all", zh="累计消费", her_en="what you have spent with us",
                          her_zh="您的累计消费", unit="money"),
    "basket_cents": Word(en="the average order", zh="平均订单金额", her_en="the size of your orders", her_zh="您的订单金额",
                         unit="money"),
    "largest_cents": Word(en="the largest order", zh="最大订单金额", her_en="the size of your orders",
                          her_zh="您的订单金额", unit="money"),
    "last_cents": Word(en="the last order's amount", zh="最近订单金额", her_en="the size of your last order",
                       her_zh="您最近的订单金额", unit="money"),
    "first_cents": Word(en="the first order's amount", zh="首次订单金额", her_en="the size of your first order",
                        her_zh="您的首次订单金额", unit="money"),
    "gap_days": Word(en="the usual time between orders", zh="通常的下单间隔", her_en="the rhythm of your orders",
                     her_zh="您的下单节奏", unit="days"),
    "gap_median_days": Word(en="the middle of the times between orders", zh="下单间隔的中位数",
                            her_en="the rhythm of your orders", her_zh="您的下单节奏", unit="days"),
    "gap_spread_days": Word(en="how much the times between orders differ", zh="下单间隔的波动",
                            her_en="how regularly you order", her_zh="您下单的规律性", unit="days"),
    "gap_longest_days": Word(en="the longest time between orders", zh="最长的下单间隔",
                             her_en="the rhythm of your orders", her_zh="您的下单节奏", unit="days"),
    "gap_last_days": Word(en="the time between the last two orders", zh="最近两次下单的间隔",
                          her_en="the time between your last orders", her_zh="您最近两次下单的间隔", unit="days"),
    "gap_first_days": Word(en="the time from the first order to the second", zh="首次到第二次下单的间隔",
                           her_en="how soon you ordered again at first", her_zh="您首次复购的快慢", unit="days"),
    "silence": Word(en="the present silence, in usual times between orders", zh="当前沉默期与通常间隔之比",
                    her_en="how unusual the time since your last order is", her_zh="距上次下单的时间是否超出您的习惯"),
    "silence_survived": Word(en="the share of her gaps as long as the present silence", zh="不短于当前沉默期的间隔占比",
                             her_en="how unusual the time since your last order is",
                             her_zh="距上次下单的时间是否超出您的习惯", unit="share"),
    "orders_30": Word(en="order days in the last 30 days", zh="近30天下单天数", her_en="your orders of the last weeks",
                      her_zh="您最近几周的订单", unit="times"),
    "orders_90": Word(en="order days in the last 90 days", zh="近90天下单天数", her_en="your orders of the last months",
                      her_zh="您最近几个月的订单", unit="times"),
    "orders_trend": Word(en="order days of the last 90 days less those of the 90 before", zh="近90天与之前90天下单天数之差",
                         her_en="whether you order more or less than before", her_zh="您的下单是增加还是减少"),
    "orders_weighed": Word(en="recent orders, older ones counting less", zh="近期订单（越早权重越小）",
                           her_en="your orders of the last months", her_zh="您最近几个月的订单"),
    "revenue_90_cents": Word(en="what she spent in the last 90 days", zh="近90天消费",
                             her_en="what you spent in the last months", her_zh="您最近几个月的消费", unit="money"),
    "revenue_trend_cents": Word(en="spending of the last 90 days less that of the 90 before", zh="近90天与之前90天消费之差",
                                her_en="whether you spend more or less than before", her_zh="您的消费是增加还是减少",
                                unit="money"),
    "months": Word(en="the number of different months with an order", zh="有订单的月份数",
                   her_en="how regularly you order", her_zh="您下单的规律性", unit="times"),
    "before_last_days": Word(en="the time since the order before the last", zh="距倒数第二次下单的时间",
                             her_en="the time since your earlier orders", her_zh="距您较早订单的时间", unit="days"),
    "orders_14": Word(en="order days in the last 14 days", zh="近14天下单天数", her_en="your orders of the last weeks",
                      her_zh="您最近几周的订单", unit="times"),
    "orders_60": Word(en="order days in the last 60 days", zh="近60天下单天数", her_en="your orders of the last months",
                      her_zh="您最近几个月的订单", unit="times"),
    "orders_180": Word(en="order days in the last 180 days", zh="近180天下单天数", her_en="your orders of the last months",
                       her_zh="您最近几个月的订单", unit="times"),
    "weeks": Word(en="the number of different weeks with an order", zh="有订单的周数", her_en="how regularly you order",
                  her_zh="您下单的规律性", unit="times"),
    "order_rate": Word(en="order days in 30 days, on average", zh="平均每30天下单天数", her_en="how often you order",
                       her_zh="您下单的频率"),
    "spend_rate_cents": Word(en="spending in 30 days, on average", zh="平均每30天消费", her_en="what you spend with us",
                             her_zh="您的消费水平", unit="money"),
    "months_share": Word(en="months with an order, of all months as a customer", zh="有订单月份占比",
                         her_en="how regularly you order", her_zh="您下单的规律性", unit="share"),
    "weeks_share": Word(en="weeks with an order, of all weeks as a customer", zh="有订单周数占比",
                        her_en="how regularly you order", her_zh="您下单的规律性", unit="share"),
    "before_share": Word(en="the time since the order before the last, of all the time as a customer",
                         zh="距倒数第二次下单的时间占比", her_en="the time since your earlier orders",
                         her_zh="距您较早订单的时间", unit="share"),
    "gap_trend_days": Word(en="the usual time between orders less the last one", zh="通常间隔与最近间隔之差",
                           her_en="the time between your last orders", her_zh="您最近两次下单的间隔", unit="days"),
    "basket_spread": Word(en="how much the orders' amounts differ", zh="订单金额的波动",
                          her_en="the size of your orders", her_zh="您的订单金额"),
    "hour": Word(en="the usual hour of her orders", zh="通常的下单钟点", her_en="the time of day of your orders",
                 her_zh="您下单的钟点", unit="hour"),
    "weekend": Word(en="the share of orders at weekends", zh="周末订单占比", her_en="the days on which you order",
                    her_zh="您下单的日子", unit="share"),
    "returns": Word(en="the number of returns", zh="退货次数", her_en="your returns", her_zh="您的退货", unit="times"),
    "returned_share": Word(en="the share of spending that was returned", zh="退货金额占比", her_en="your returns",
                           her_zh="您的退货", unit="share"),
    "return_days": Word(en="the time since the last return", zh="距上次退货的时间", her_en="your last return",
                        her_zh="您最近的退货", unit="days"),
    "products": Word(en="the number of different products", zh="购买过的商品种数",
                     her_en="how many different products you buy", her_zh="您购买的商品种类", unit="times"),
    "products_per_order": Word(en="different products per order", zh="每单商品种数",
                               her_en="how many different products you buy", her_zh="您购买的商品种类"),
    "variety": Word(en="the share of products that were new to her", zh="新品占比",
                    her_en="whether you buy the same again", her_zh="您是否重复购买相同商品", unit="share"),
    "units_per_line": Word(en="units per line", zh="每行件数", her_en="the quantities that you buy", her_zh="您的购买数量"),
    "price_cents": Word(en="the usual price of a unit", zh="通常的单价", her_en="the prices of what you buy",
                        her_zh="您所购商品的价格", unit="money"),
    "seen_days": Word(en="the time since she was last seen", zh="距上次访问的时间", her_en="the time since your last visit",
                      her_zh="距您上次访问的时间", unit="days"),
    "events_30": Word(en="visits and clicks in the last 30 days", zh="近30天的访问与点击",
                      her_en="your visits of the last weeks", her_zh="您最近几周的访问", unit="times"),
    "events_90": Word(en="visits and clicks in the last 90 days", zh="近90天的访问与点击",
                      her_en="your visits of the last months", her_zh="您最近几个月的访问", unit="times"),
    "events_trend": Word(en="visits of the last 30 days less a month's share of those before", zh="近30天访问与此前月均之差",
                         her_en="whether you visit more or less than before", her_zh="您的访问是增加还是减少"),
    "subscribed_days": Word(en="the time since the subscription began", zh="订阅时长",
                            her_en="how long you have subscribed", her_zh="您的订阅时长", unit="days"),
}  # fmt: skip
"""Every feature, in the order of the model's columns. None is about who somebody is or where she lives."""

FEATURES = tuple(WORDS)


def bought(currency: str) -> str:
    """SQL over the views orders, rates and membership: each person's orders with day, hour, cents and whether it is a return.

    An order without a known rate has no amount and counts as bought all the same.
    """
    return f""", members AS (SELECT key_id, person_id FROM membership), {in_base(currency)}
        SELECT person_id, CAST(occurred_at AS DATE) AS day, hour(occurred_at) + minute(occurred_at) / 60.0 AS hour,
               abs(base_cents) AS cents, amount_cents < 0 OR coalesce(status, '') IN {RETURNED} AS back
        FROM orders_in_base
        WHERE occurred_at IS NOT NULL AND (amount_cents < 0 OR coalesce(status, '') IN {RETURNED}
              OR (amount_cents > 0 AND {SOLD}))"""


def lines() -> str:
    """SQL over the views order_lines and membership: each person's lines with day, product, units and cents a unit."""
    return """SELECT m.person_id, CAST(l.occurred_at AS DATE) AS day, hash(l.product_id) AS product, l.quantity AS units,
                     l.amount_cents / l.quantity AS price
              FROM order_lines l JOIN membership m ON m.key_id = l.key_id
              WHERE l.quantity > 0 AND l.amount_cents > 0 AND l.product_id IS NOT NULL AND l.occurred_at IS NOT NULL"""


def seen(since: date, until: date) -> str:
    """SQL over the views events and membership: how many events each person had on each day of [since, until)."""
    return f"""SELECT m.person_id, e.day, sum(e.n) AS n FROM (
                   SELECT key_id, CAST(occurred_at AS DATE) AS day, count(*) AS n FROM events
                   WHERE key_id IS NOT NULL AND occurred_at >= {midnight(since)} AND occurred_at < {midnight(until)}
                   GROUP BY ALL
               ) e JOIN membership m ON m.key_id = e.key_id GROUP BY ALL"""


def subscribed(began: Sequence[str], ended: Sequence[str]) -> str:
    """SQL over the views events and membership: each person's subscriptions, from the day one began until it ended (null:
    it has not). Two beginnings without an end between them are one; an end that never began is none."""
    names = ", ".join(literal(n) for n in began) or "NULL"
    ends = ", ".join(literal(n) for n in ended) or "NULL"
    return f"""SELECT person_id, min(day) FILTER (NOT is_end) AS began, max(day) FILTER (is_end) AS ended FROM (
            SELECT *, coalesce(sum(CAST(is_end AS INTEGER)) OVER (PARTITION BY person_id ORDER BY moment, is_end
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS spell
            FROM (SELECT m.person_id, e.occurred_at AS moment, CAST(e.occurred_at AS DATE) AS day,
                         e.event IN ({ends}) AS is_end
                  FROM events e JOIN membership m ON m.key_id = e.key_id
                  WHERE e.event IN ({names}, {ends}) AND e.occurred_at IS NOT NULL) AS told
        ) AS spells GROUP BY person_id, spell HAVING count(*) FILTER (NOT is_end) > 0"""


def customers(at: date, active_days: int) -> str:
    """SQL over BOUGHT: whoever bought in the `active_days` before that midnight: who can leave; person_id, began (null)."""
    return f"""SELECT DISTINCT person_id, CAST(NULL AS DATE) AS began FROM {BOUGHT}
               WHERE NOT back AND day < {midnight(at)} AND day >= {midnight(at)} - INTERVAL {active_days} DAY"""


def subscribers(at: date) -> str:
    """SQL over SUBSCRIBED: who has a subscription at that midnight; person_id and the day it began."""
    return f"""SELECT person_id, max(began) AS began FROM {SUBSCRIBED}
               WHERE began < {midnight(at)} AND (ended IS NULL OR ended >= {midnight(at)}) GROUP BY person_id"""


def bought_within(at: date, horizon_days: int) -> str:
    """SQL: person_ids who bought in the `horizon_days` from that midnight on."""
    return f"""SELECT DISTINCT person_id FROM {BOUGHT}
               WHERE NOT back AND day >= {midnight(at)} AND day < {midnight(at)} + INTERVAL {horizon_days} DAY"""


def stopped_buying(at: date, active_days: int, horizon_days: int) -> str:
    """SQL: person_ids of those customers who did not buy in the `horizon_days` from that midnight on: who left."""
    return f"SELECT person_id FROM ({customers(at, active_days)}) AS w EXCEPT {bought_within(at, horizon_days)}"


def ended(at: date, horizon_days: int) -> str:
    """SQL: person_ids whose subscription ended in the `horizon_days` from that midnight on."""
    s = midnight(at)
    return f"""SELECT DISTINCT person_id FROM {SUBSCRIBED}
               WHERE began < {s} AND ended >= {s} AND ended < {s} + INTERVAL {horizon_days} DAY"""


def features(at: date, who: str) -> str:
    """SQL over BOUGHT, LINES and SEEN: a row per person of `who` (SQL: person_id, began), with every one of FEATURES.

    Nothing at or after the midnight that the day `at` begins with is read. A person without orders has nulls.
    """
    s = midnight(at)
    return f"""WITH who AS ({who}),
        days AS (
            SELECT b.person_id, b.day, sum(cents) AS m, avg(hour) AS h FROM {BOUGHT} b JOIN who ON who.person_id = b.person_id
            WHERE NOT back AND b.day < {s} GROUP BY ALL),
        gaps AS (
            SELECT *, date_diff('day', day, {s}) AS a,
                   date_diff('day', lag(day) OVER (PARTITION BY person_id ORDER BY day), day) AS g,
                   row_number() OVER (PARTITION BY person_id ORDER BY day) AS n,
                   row_number() OVER (PARTITION BY person_id ORDER BY day DESC) AS back,
                   date_diff('day', max(day) OVER (PARTITION BY person_id), {s}) AS silent
            FROM days),
        each AS (
            SELECT person_id, min(a) AS recency_days, max(a) AS tenure_days, count(*) AS order_days,
                sum(m) AS revenue_cents, avg(m) AS basket_cents, max(m) AS largest_cents,
                max(m) FILTER (back = 1) AS last_cents, max(m) FILTER (n = 1) AS first_cents,
                avg(g) AS gap_days, median(g) AS gap_median_days, stddev_samp(g) AS gap_spread_days,
                max(g) AS gap_longest_days, max(g) FILTER (back = 1) AS gap_last_days, max(g) FILTER (n = 2) AS gap_first_days,
                min(a) / greatest(avg(g), 1) AS silence,
                count(*) FILTER (g >= silent) / count(*) AS silence_survived,
                count(*) FILTER (a <= 30) AS orders_30, count(*) FILTER (a <= 90) AS orders_90,
                count(*) FILTER (a <= 90) - count(*) FILTER (a > 90 AND a <= 180) AS orders_trend,
                sum(exp(-a / 60.0)) AS orders_weighed,
                coalesce(sum(m) FILTER (a <= 90), 0) AS revenue_90_cents,
                coalesce(sum(m) FILTER (a <= 90), 0) - coalesce(sum(m) FILTER (a > 90 AND a <= 180), 0) AS revenue_trend_cents,
                count(*) FILTER (a <= 14) AS orders_14, count(*) FILTER (a <= 60) AS orders_60,
                count(*) FILTER (a <= 180) AS orders_180, count(DISTINCT a // 7) AS weeks,
                stddev_samp(ln(1 + m)) AS basket_spread,
                count(DISTINCT a // 30) AS months, max(a) FILTER (back = 2) AS before_last_days,
                avg(h) AS hour, avg(CAST(isodow(day) >= 6 AS INTEGER)) AS weekend
            FROM gaps GROUP BY person_id),
        backs AS (
            SELECT b.person_id, count(*) AS returns, sum(cents) AS returned, min(date_diff('day', b.day, {s})) AS return_days
            FROM {BOUGHT} b JOIN who ON who.person_id = b.person_id WHERE back AND b.day < {s} GROUP BY b.person_id),
        kinds AS (
            SELECT l.person_id, count(DISTINCT product) AS products, count(DISTINCT product) / count(*) AS variety,
                   avg(units) AS units_per_line, median(price) AS price_cents
            FROM {LINES} l JOIN who ON who.person_id = l.person_id WHERE l.day < {s} GROUP BY l.person_id),
        visits AS (
            SELECT v.person_id, min(date_diff('day', v.day, {s})) AS seen_days,
                   coalesce(sum(n) FILTER (v.day >= {s} - INTERVAL 30 DAY), 0) AS events_30,
                   coalesce(sum(n) FILTER (v.day >= {s} - INTERVAL 90 DAY), 0) AS events_90
            FROM {SEEN} v JOIN who ON who.person_id = v.person_id
            WHERE v.day < {s} AND v.day >= {s} - INTERVAL {SEEN_DAYS} DAY GROUP BY v.person_id)
        SELECT who.person_id, {", ".join(f"CAST({_SQL.get(f, f)} AS DOUBLE) AS {name(f)}" for f in FEATURES)}
        FROM who LEFT JOIN each ON each.person_id = who.person_id LEFT JOIN backs ON backs.person_id = who.person_id
        LEFT JOIN kinds ON kinds.person_id = who.person_id LEFT JOIN visits ON visits.person_id = who.person_id
        ORDER BY who.person_id""".replace("{subscribed}", f"date_diff('day', who.began, {s})")


SEEN_DAYS = 180
"""How far back events are read: who was not seen for so long has no time since."""

_SQL = {
    "returns": "coalesce(returns, 0)",
    "returned_share": "coalesce(returned, 0) / nullif(coalesce(revenue_cents, 0), 0)",
    "products_per_order": "products / nullif(order_days, 0)",
    "events_trend": "events_30 - (events_90 - events_30) / 2",
    "order_rate": "order_days * 30 / greatest(tenure_days, 30)",
    "spend_rate_cents": "revenue_cents * 30 / greatest(tenure_days, 30)",
    "months_share": "months * 30 / greatest(tenure_days, 30)",
    "weeks_share": "weeks * 7 / greatest(tenure_days, 30)",
    "before_share": "before_last_days / greatest(tenure_days, 30)",
    "gap_trend_days": "gap_days - gap_last_days",
    "subscribed_days": "{subscribed}",
}


def midnight(at: date) -> str:
    """SQL: the day that begins with that midnight."""
    return f"DATE {literal(at.isoformat())}"
