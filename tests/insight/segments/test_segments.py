"""Segments over a lake: nearest centres, a history that changes only for those who change, and nobody described."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from made_people import MARCH, Shop, crowd

from tessera.config import SegmentsConfig
from tessera.insight.features import FEATURES
from tessera.insight.segments import centres
from tessera.insight.segments import history as segments
from tessera.insight.segments.fitting import fit
from tessera.lake.lineage import to_spark, trace

NEXT = MARCH + timedelta(days=1)
SCHEMA = {"features": {c.name: c.lake_type for c in FEATURES.columns}}
FITTED = """SELECT count(*), count(people), count(weight_orders), count(DISTINCT model), min(k), min(seed),
            min(fitted_at) FROM segment_centres"""


def test_every_person_belongs_to_the_nearest_centre(tmp_path):
    shop = Shop(tmp_path).fill(crowd())
    shop.turn()
    found = shop.ask(
        """SELECT f.person_id, f.orders, f.revenue_cents,
                  date_diff('day', CAST(last_order_at AS DATE), f.as_of), s.segment
           FROM features f JOIN segments s USING (person_id) WHERE f.orders > 0 ORDER BY 1"""
    )
    of = np.array([[np.log1p(days), np.log1p(orders), np.log1p(cents / 100)] for _, orders, cents, days, _ in found])
    model = fit(of, None, 7, MARCH)
    far = [((of - c.inputs) ** 2 * model.weights).sum(axis=1) for c in model.centres]
    assert [row[4] for row in found] == [model.centres[i].segment for i in np.argmin(far, axis=0)]
    assert len(found) == 200


def test_segments_and_their_centres_tell_what_they_are(tmp_path):
    shop = Shop(tmp_path).fill(crowd())
    shop.turn()
    assert shop.ask(FITTED) == [(5, 5, 4, 1, 4, 7, MARCH)]
    labels = shop.ask("SELECT segment, label_en, label_zh, people FROM segment_centres ORDER BY segment")
    assert labels == [
        ("at_risk", "At risk", "流失风险客户", 50),
        ("high_value", "High value", "高价值客户", 50),
        ("lapsed", "Lapsed", "已流失客户", 50),
        ("new", "New", "新客户", 50),
        ("prospects", "Not bought yet", "潜在客户", 10),
    ]
    assert shop.ask("SELECT sum(share) FROM segment_centres")[0][0] == pytest.approx(1)
    assert shop.ask("SELECT count(*) FROM segments WHERE model NOT IN (SELECT model FROM segment_centres)") == [(0,)]


def test_who_never_bought_is_a_prospect_if_seen_and_has_no_segment_otherwise(tmp_path):
    shop = Shop(tmp_path).fill([(1, 0, 0, None, 5), (2, 0, 0, None, 0)])
    shop.turn()
    assert shop.segments_now() == {1: "prospects"}


def test_the_same_people_and_seed_have_the_same_segments(tmp_path):
    answers = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        people = crowd() if name == "a" else crowd()[::-1]
        shop = Shop(tmp_path / name, SegmentsConfig(k=3, seed=3)).fill(people)
        shop.turn()
        answers.append((shop.segments_now(), shop.ask("SELECT DISTINCT model, k, seed FROM segments")))
    assert answers[0] == answers[1]
    assert answers[0][1][0][1:] == (3, 3)


def test_only_who_changes_gets_a_new_row_and_the_old_one_is_closed(tmp_path):
    people = crowd()
    shop = Shop(tmp_path).fill(people)
    shop.turn()
    was, model = shop.segments_now(), shop.ask("SELECT DISTINCT model FROM segment_centres")
    back = next(p for p in people if was[p[0]] == "lapsed")
    shop.fill([p for p in people if p != back] + [(back[0], 13, 95_000, "2024-02-28", 9)])
    shop.turn(NEXT)
    assert shop.ask("SELECT DISTINCT model FROM segment_centres") == model
    assert shop.segments_now() == {**was, back[0]: "high_value"}
    assert shop.ask(f"SELECT segment, valid_from, valid_to FROM segments WHERE person_id = {back[0]} ORDER BY 2") == [
        ("lapsed", MARCH, NEXT),
        ("high_value", NEXT, None),
    ]
    others = shop.ask(f"SELECT DISTINCT valid_from, valid_to FROM segments WHERE person_id <> {back[0]}")
    assert others == [(MARCH, None)]


def test_a_day_on_which_nobody_moves_writes_nothing(tmp_path):
    shop = Shop(tmp_path, SegmentsConfig(k=4)).fill(crowd())
    assert not shop.turn()["segments"].nothing
    assert shop.turn()["segments"].nothing
    assert shop.turn(NEXT)["segments"].nothing
    assert shop.lake.version("segments") == 0


def test_a_change_twice_in_a_day_leaves_one_row(tmp_path):
    people = crowd()
    shop = Shop(tmp_path).fill(people)
    shop.turn()
    was = shop.segments_now()
    for seen, expected in (((people[0][0], 0, 0, None, 1), "prospects"), (people[0], was[0])):
        shop.fill([seen, *people[1:]])
        shop.turn()
        found = shop.ask("SELECT segment, valid_from, valid_to FROM segments WHERE person_id = 0")
        assert found == [(expected, MARCH, None)]


def test_who_withdraws_is_closed_and_who_returns_is_opened_anew(tmp_path):
    shop = Shop(tmp_path).fill(crowd())
    shop.turn()
    shop.allowed = set(range(220)) - {7}
    shop.turn(NEXT)
    assert 7 not in shop.segments_now()
    assert shop.ask("SELECT valid_from, valid_to FROM segments WHERE person_id = 7") == [(MARCH, NEXT)]
    assert shop.ask("SELECT count(*) FROM features WHERE person_id = 7") == [(0,)]
    shop.allowed = None
    shop.turn(date(2024, 3, 9))
    assert shop.ask("SELECT valid_from, valid_to FROM segments WHERE person_id = 7 ORDER BY 1") == [
        (MARCH, NEXT),
        (date(2024, 3, 9), None),
    ]


def test_with_few_buyers_rules_decide_and_no_number_describes_them(tmp_path):
    shop = Shop(tmp_path).fill(crowd(96))
    made = shop.turn()
    assert not made["centres"].cards
    assert shop.ask("SELECT DISTINCT model, k FROM segments") == [("rules-1", None)]
    assert shop.ask("SELECT count(recency_days), min(people) >= 10 FROM segment_centres") == [(0, True)]
    assert {"high_value", "lapsed"} <= set(shop.segments_now().values())


def test_a_model_is_forgotten_when_too_few_people_allow_it(tmp_path):
    shop = Shop(tmp_path).fill(crowd())
    shop.turn()
    shop.allowed = set(range(90))
    made = shop.turn(NEXT)
    assert not made["centres"].cards
    assert shop.ask("SELECT count(recency_days) FROM segment_centres") == [(0,)]


def test_when_the_people_change_the_model_is_fitted_anew(tmp_path):
    people = crowd()
    shop = Shop(tmp_path).fill(people)
    shop.turn()
    (model,) = shop.ask("SELECT DISTINCT model FROM segment_centres")
    shop.fill([(i, n * 4, c * 9 if c else c, d, e) for i, n, c, d, e in people])
    shop.turn(NEXT)
    assert shop.ask("SELECT DISTINCT model, fitted_at FROM segment_centres") != [(*model, MARCH)]


def test_who_is_given_which_number_decides_of_no_draw(tmp_path):
    people = crowd()
    last = max(i for i, *_ in people) + 1
    told = []
    for name, numbered in (("one", people), ("two", [(last - i, *rest) for i, *rest in people])):
        (tmp_path / name).mkdir()
        shop = Shop(tmp_path / name).fill(numbered)
        shop.turn()
        told.append(shop.ask(centres.sample(len(people), MARCH)))
    assert told[0] == told[1] and len(told[0]) == 200


def test_nobody_at_all_is_no_error(tmp_path):
    shop = Shop(tmp_path).fill([(1, 0, 0, None, 0)])
    shop.turn()
    assert shop.segments_now() == {}


def test_each_text_means_the_same_on_spark():
    model = fit(np.random.default_rng(1).normal(4, 1, (500, 3)), 5, 7, MARCH)
    for chosen in ((model,), (model, replace(model, fitted_at=NEXT)), ()):
        now = centres.assigned(chosen, MARCH)
        for text in (now, centres.sizes(chosen, MARCH), centres.sample(10**6, MARCH)):
            assert to_spark(text, SCHEMA, step=True)
        for select in (
            segments.history(now, "lake.segments", chosen, MARCH),
            segments.moved(now, "lake.segments"),
        ):
            assert to_spark(f"WITH features AS (SELECT * FROM lake.features) {select}", step=True)


def test_the_declared_lineage_names_what_the_assignment_reads():
    model = fit(np.random.default_rng(1).normal(4, 1, (500, 3)), 5, 7, MARCH)
    declared = set(segments.STEP.lineage["segment"])
    for chosen in ((model, replace(model, fitted_at=NEXT)), ()):
        found = trace(centres.assigned(chosen, MARCH), SCHEMA)
        assert found.direct["segment"] | found.indirect["segment"] <= declared
    for step in (centres.STEP, segments.STEP):
        assert tuple(step.lineage) == step.writes.names
