"""Quality: departments worst first, the fields behind the number in words, since when, what waits."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from given_pages import Open

from tessera.doors.pages.quality import sentence
from tessera.doors.pages.tongue import Tongue


def test_departments_stand_worst_first_with_the_goal_and_words(house: Open) -> None:
    told = house.get("/quality").text
    standing = house.run(lambda app: app.quality())
    listed = re.findall(r'<th scope="row"><a href="/quality\?department=(\w+)#fields"', told)
    assert listed == [d["department"] for d in standing]
    assert f"{standing[0]['kpi_percent']:.1f}%" in told and "below 95%" in told
    assert re.search(r"\w+ is missing in [\d.]+% of rows\.", told), "a red row is also a sentence"


def test_a_department_is_opened_with_its_fields_and_what_waits(house: Open) -> None:
    told = html.unescape(house.get("/quality?department=sales&source=crm").text)
    assert 'href="/lineage/source.crm?column=phone"' in told and "phone is missing in" in told
    assert "missingValues(phone)" in told
    waiting = house.run(lambda app: [r for r in app.quarantine.reasons() if r.source == "crm"])
    assert waiting
    for reason in waiting:
        assert f"crm.{reason.field}" in told and f"/quarantine?source=crm&reason={reason.reason}" in told
    assert house.get("/quality?department=nothing").status == 404


def test_the_first_bad_load_is_the_one_since_which_it_was_never_good(house: Open) -> None:
    def measured(app: object, days: int, ok: bool) -> None:
        from tessera.data.quality import QUALITY

        lake, con = app.lake, app.con  # type: ignore[attr-defined]
        of = f"SELECT * FROM {lake.relation(QUALITY.name)}"
        at = (app.clock() + timedelta(days=days)).isoformat()  # type: ignore[attr-defined]
        again = (
            f"SELECT * REPLACE (TIMESTAMPTZ '{at}' AS measured_at, {ok} AS ok, {100 if ok else 50} AS kpi_percent, "
            f"{100 if ok else 50} AS complete_percent) FROM {lake.relation(QUALITY.name)} "
            "WHERE source = 'crm' AND field = 'phone' QUALIFY row_number() OVER (ORDER BY measured_at) = 1"
        )
        lake.write(con, QUALITY.name, f"{of} UNION ALL {again}", what="test")

    for days, ok in ((1, True), (2, False), (3, False)):
        house.run(lambda app, days=days, ok=ok: measured(app, days, ok))
    told = house.get("/quality?department=sales&source=crm").text
    row = re.search(r"column=phone\">.*?</tr>", told, re.S)
    assert row and "phone is missing in 50.0% of rows." in row[0]
    day = house.run(lambda app: Tongue("en", app.config.time_zone).day(app.clock() + timedelta(days=2)))
    assert day in row[0]
    assert "4 measurements" in told and "<polyline" in told


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"field": "phone", "ok": False, "complete_percent": 91.4, "valid_percent": 99.0}, "phone is missing in 8.6% of rows."),
        ({"field": "mail", "ok": False, "complete_percent": 99.0, "valid_percent": 90.0}, "mail was refused in 10.0% of rows."),
        ({"field": "id", "ok": False, "unique_percent": 98.0}, "id comes twice in 2.0% of rows."),
        ({"field": "x", "ok": False}, "x is below its goal."),
        ({"field": "x", "ok": True, "complete_percent": 99.0}, ""),
        ({"field": "x", "ok": None}, ""),
        (
            {"field": "rule:missingValues(phone)", "ok": False, "complete_percent": 90.0, "goal_percent": 95.0},
            "10.0% of rows break the rule missingValues(phone); at most 5.0% may.",
        ),
    ],
)
def test_what_is_wrong_is_a_sentence(row: dict[str, object], said: str) -> None:
    none = {"complete_percent": None, "valid_percent": None, "unique_percent": None, "goal_percent": 95.0}
    assert sentence(Tongue("en"), none | row) == said


def test_without_a_measurement_it_says_what_to_do(house: Open) -> None:
    house.run(lambda app: app.lake.drop("quality"))
    told = house.get("/quality")
    assert told.status == 200 and "Nothing is measured yet" in told.text
    assert house.get("/lineage/profiles").status == 200 and house.get("/explore").status == 200
