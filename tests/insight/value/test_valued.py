"""Value whole: edges are said, intervals hold what they promise, sums agree, and the past is a fair check."""

from __future__ import annotations

import numpy as np
import pytest
from made_buyers import RETAIL, bought, history, related

from tessera.errors import BadInput
from tessera.insight.value import chosen, valued
from tessera.insight.value.history import broken, grouped, left_out, of_purchases
from tessera.lake.engine import connect, rows


def test_where_nobody_leaves_it_is_said_and_a_law_without_leaving_is_used():
    found = chosen.fit(history(bought(1500, 1, leaving=0.0)))
    assert (found.verdict, found.used.model) == ("boundary", "nbd")
    assert [t.model for t in found.tried] == ["bgnbd", "paretonbd", "nbd"]
    assert found.tried[0].edges and "nobody ever leaves" in found.en and "无人流失" in found.zh
    assert found.standard_errors is not None and found.used.parameters["r"] == pytest.approx(0.6, rel=0.2)


def test_a_law_that_was_asked_for_is_used_at_its_edge_and_has_no_intervals():
    con = related(bought(1500, 1, leaving=0.0))
    found = valued.valued(con, "buyers", 20.0, money=False, model="bgnbd")
    assert (found.fitted.verdict, found.fitted.used.model, found.fitted.standard_errors) == ("boundary", "bgnbd", None)
    assert found.totals["purchases"].low is None and found.no_money
    assert rows(
        con, f"SELECT count(expected_purchases_low), count(purchases_high) FROM ({valued.each('buyers', found)}) AS e"
    ) == [(0, 1500)]


@pytest.mark.skipif(not RETAIL.is_file(), reason="online_retail.parquet is not there; set TESSERA_SHARED")
def test_a_real_shop_in_which_nobody_is_seen_to_leave_is_not_fitted_in_silence():
    con = connect(threads=1)
    con.execute(
        f"""CREATE TABLE purchases AS SELECT CAST(CustomerID AS VARCHAR) AS customer, InvoiceDate AS time,
            Quantity * UnitPrice AS amount FROM read_parquet('{RETAIL}')
            WHERE CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0"""
    )
    con.execute("CREATE TABLE known AS " + of_purchases("purchases", "DATE '2011-12-09'"))
    found = chosen.fit(grouped(con, "known"))
    assert found.customers == 4338 and found.verdict == "boundary" and found.used.model == "nbd"
    assert found.tried[0].log_likelihood - found.used.log_likelihood < chosen.EVIDENCE


def test_the_intervals_hold_what_they_promise():
    made = bought(4000, 7, later=26.0)
    held = valued.checked(related(made), "buyers", 26.0, money=True)
    assert held.actual == made["later"].sum() and held.customers == 4000
    assert held.inside and held.low < held.expected < held.high
    assert held.covered >= 0.94 and held.value["covered"] >= 0.94 and held.value["inside"]
    assert held.error < held.rate_error and held.auc > 0.7 and held.correlation > held.rate_correlation
    assert "inside" in held.en and "区间内" in held.zh
    came = made["later"] > 0
    con = related(made)
    found = valued.valued(con, "buyers", 26.0, money=False)
    each = np.array(rows(con, f"SELECT expected_purchases, later FROM ({valued.each('buyers', found, ('later',))}) AS e"))
    from sklearn.metrics import roc_auc_score

    assert held.auc == pytest.approx(roc_auc_score(each[:, 1] > 0, each[:, 0])) and came.sum() == (each[:, 1] > 0).sum()


def test_the_money_of_customers_lies_in_their_interval_as_often_as_promised():
    made = bought(4000, 8, later=26.0)
    con = related(made)
    found = valued.valued(con, "buyers", 26.0, money=True)
    each = valued.each("buyers", found, ("later_value", "frequency"))
    below, above = rows(
        con, f"SELECT avg((later_value < value_low)::INT), avg((later_value > value_high)::INT) FROM ({each}) AS e"
    )[0]
    assert below <= 0.03 and 0.015 < above < 0.035


def test_customers_add_up_to_the_whole_whatever_their_order_and_unit_of_time():
    made = bought(900, 5)
    con = related(made)
    found = valued.valued(con, "buyers", 20.0, money=True)
    sums = rows(con, f"SELECT sum(expected_purchases), sum(expected_value) FROM ({valued.each('buyers', found)}) AS e")[0]
    assert sums == pytest.approx([found.totals["purchases"].expected, found.totals["value"].expected])
    mixed = {c: v[::-1] * (7.0 if c in ("recency", "age") else 1.0) for c, v in made.items()}
    days = valued.valued(related(mixed), "buyers", 140.0, money=True)
    for what in ("purchases", "value"):
        assert days.totals[what].expected == pytest.approx(found.totals[what].expected, rel=1e-5)
        assert days.totals[what].low == pytest.approx(found.totals[what].low, rel=1e-4)
    assert days.fitted.used.parameters["alpha"] == pytest.approx(7 * found.fitted.used.parameters["alpha"], rel=1e-4)


def test_too_few_customers_are_refused_and_too_few_amounts_only_cost_the_money():
    made = bought(200, 6)
    with pytest.raises(BadInput, match="At least 10 customers"):
        chosen.fit(history({c: v[:5] for c, v in made.items()}))
    with pytest.raises(BadInput, match="more than once: 0\\."):
        chosen.fit(history({c: v[made["frequency"] == 0] for c, v in made.items()}))
    made["monetary_value"][:] = np.nan
    found = valued.valued(related(made), "buyers", 20.0, money=True)
    assert found.spend is None and "0 customers came again with an amount" in found.no_money


def test_rows_that_are_no_history_are_counted_by_their_reason():
    con = connect(threads=1)
    drawn = "(1.5, 2, 3), (-1, 0, 3), (2, 9, 3), (0, 1, 3), (1, 1, -1), (1, 2, 3), (1, 'nan', 3)"
    con.execute("CREATE TABLE n (frequency DOUBLE, recency DOUBLE, age DOUBLE)")
    con.execute(f"INSERT INTO n VALUES {drawn}")
    assert left_out(con, "n", broken("frequency", "recency", "age")) == {
        "frequency is no whole number from 0": 2,
        "T is negative or no number": 1,
        "recency is not between 0 and T": 2,
        "recency without a second purchase": 1,
    }


def test_purchases_of_a_day_are_one_and_what_comes_after_the_end_is_not_known():
    con = connect(threads=1)
    con.execute(
        """CREATE TABLE p AS SELECT c AS customer, CAST(t AS TIMESTAMP) AS time, CAST(a AS DOUBLE) AS amount FROM (VALUES
           ('x', '2024-01-01 09:00', 5), ('x', '2024-01-01 20:00', 5), ('x', '2024-01-15', 4), ('x', '2024-01-29', 8),
           ('x', '2024-03-01', 99), ('y', '2024-01-08', 7), ('z', '2024-03-02', 1)) v(c, t, a)"""
    )
    assert rows(con, of_purchases('p', "DATE '2024-02-05'") + ' ORDER BY customer') == [
        ("x", 2.0, 4.0, 5.0, 6.0), ("y", 0.0, 0.0, 4.0, None),
    ]  # fmt: skip
    split = valued.split("p", "DATE '2024-03-02'", 26)
    assert rows(con, f"SELECT customer, later, later_value FROM ({split}) AS s ORDER BY 1") == [
        ("x", 1.0, 99.0),
        ("y", 0.0, 0.0),
    ]
