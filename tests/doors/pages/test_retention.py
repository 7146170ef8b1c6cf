"""Retention: the shares of the page are those of the orders that its viewer may use."""

from __future__ import annotations

import re

from given_pages import Open

from tessera.insight import cohorts


def test_shares_are_those_of_the_question_through_the_gate(house: Open) -> None:
    text = house.get("/retention", lens="owner/analytics").text
    first = house.run(lambda app: app.sql("SELECT min(occurred_at) FROM orders", purpose="analytics", role="owner").table)
    asked = cohorts.sql(first.column(0)[0].as_py().date())
    rows = house.run(lambda app: app.sql(asked, purpose="analytics", role="owner").table.to_pylist())
    size = {r["cohort"]: r["people"] for r in rows if r["later"] == 0}
    month = next(c for c, n in size.items() if n >= 20)
    again = next(r["people"] for r in rows if r["cohort"] == month and r["later"] == 1)
    body = text[text.index("<tbody>") :]
    assert f'<td class="r">{size[month]:,}</td>' in body and f'<td class="r">{round(again / size[month] * 100)}%</td>' in body


def test_the_share_that_it_is_made_of_is_said_and_differs_by_purpose(house: Open) -> None:
    shares = []
    for lens in ("owner/operate", "owner/analytics"):
        said = re.search(r"Made of ([\d,]+) of ([\d,]+) orders", house.get("/retention", lens=lens).text)
        assert said
        shares.append(int(said[1].replace(",", "")) / int(said[2].replace(",", "")))
    assert shares[0] > shares[1] > 0


def test_months_of_few_new_customers_are_hidden(house: Open) -> None:
    text = house.get("/retention", lens="owner/analytics").text
    table = re.findall(r'<th scope="row">\w+ \d{4}</th><td class="r">([\d,]+)</td>', text)
    assert table and min(int(n.replace(",", "")) for n in table) >= 20


def test_who_may_not_see_orders_of_people_sees_none(house: Open) -> None:
    text = house.get("/retention", lens="engineer/operate").text
    assert "Your role may not see this for this purpose" in text and "<tbody>" not in text
