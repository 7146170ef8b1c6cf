"""PROPENSITY_CHECKS and PROPENSITY: goals that a company names, from nothing that came later, with parts that add up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from given_orders import BEGAN, DAYS, NOW, Order, Shop, hasty, orders

from tessera.insight.churn.past import opened
from tessera.insight.propensity import checks, goals, scores, words
from tessera.insight.propensity.goals import ALL_WORDS, WORDS
from tessera.lake.step import Made

STEPS = (checks.STEP, scores.STEP)
AT = BEGAN + timedelta(days=200)
ASKED = {"help": {"event": "Help Asked"}, "bulbs": {"products": ("p1", "p22"), "active_days": 365}, "any": {"products": ("*",)}}
Event = tuple[int, datetime, str]


def events(people: int = 500, seed: int = 2) -> list[Event]:
    """Visits of half the people, some of whom ask for help again and again; the others are never seen."""
    rng = np.random.default_rng(seed)
    made: list[Event] = []
    for person in range(0, people, 2):
        rate = 1 / rng.uniform(5, 40) if rng.random() < 0.4 else 0.0
        for day in np.flatnonzero(rng.random(DAYS) < 0.15):
            at = datetime(2025, 1, 1, 9, tzinfo=UTC) + timedelta(days=int(day))
            made.append((person, at, "Help Asked" if rng.random() < rate * 5 else "Product Viewed"))
    return made


def rows(folder: Path, made: list[Order], seen: list[Event], at: date = AT) -> dict[tuple[str, int], np.ndarray]:
    """By goal and person, her features."""
    shop = Shop(folder, made, seen, goals=ASKED)
    questions = goals.questions(shop.config.insight.of("propensity"))
    found = {}
    with opened(shop.run(checks.STEP), list(questions.values()), BEGAN) as pasts:
        for goal, past in zip(questions, pasts, strict=True):
            people, x = past.rows(at)
            found |= {(goal, int(p)): row for p, row in zip(people, x, strict=True)}
    return found


class Turned:
    """One turn of a shop, which most tests here look at."""

    def __init__(self, folder: Path) -> None:
        self.shop = Shop(folder, orders(500), events(), goals=ASKED)
        self.checked, self.scored = self.shop.turn(steps=STEPS)
        self.rows = self.scored.rows.to_pylist()  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turned]:
    patch = pytest.MonkeyPatch()
    hasty(patch)
    yield Turned(tmp_path_factory.mktemp("shop"))
    patch.undo()


def told(made: Made, kind: str) -> list[dict[str, Any]]:
    return [r for r in made.rows.to_pylist() if r["kind"] == kind]  # type: ignore[union-attr]


def test_nothing_that_comes_at_or_after_the_midnight_changes_a_feature(tmp_path: Path) -> None:
    made, seen = orders(60), events(60)
    moment = datetime(AT.year, AT.month, AT.day, tzinfo=UTC)
    whole = rows(tmp_path, made, seen)
    planted = [(p, moment + timedelta(days=d), 999_999, "paid") for p in range(60) for d in (0, 1, 20)]
    shouted = [(p, moment + timedelta(days=d), "Help Asked") for p in range(60) for d in (0, 1, 20)]
    for later in (
        rows(tmp_path, made + planted, seen + shouted),
        rows(tmp_path, [o for o in made if o[1] < moment], [e for e in seen if e[1] < moment]),
    ):
        assert whole.keys() == later.keys() and len(whole) > 100
        assert all(np.array_equal(whole[k], later[k], equal_nan=True) for k in whole)


def test_who_could_who_did_and_her_past_of_it_are_what_plain_python_counts(tmp_path: Path) -> None:
    made, seen = orders(60), events(60)
    shop = Shop(tmp_path, made, seen, goals=ASKED)
    questions = goals.questions(shop.config.insight.of("propensity"))
    bought = [(p, at.date(), f"p{(p * 7 + at.day) % 40}") for p, at, _, status in made if status == "paid"]
    done = {
        "help": {(p, at.date()) for p, at, event in seen if event == "Help Asked"},
        "bulbs": {(p, day) for p, day, product in bought if product.startswith(("p1", "p22"))},
        "any": {(p, day) for p, day, _ in bought},
    }
    lately = {"help": 180, "bulbs": 365, "any": 180}
    with opened(shop.run(checks.STEP), list(questions.values()), BEGAN) as pasts:
        for goal, past in zip(questions, pasts, strict=True):
            since = AT - timedelta(days=lately[goal])
            days = {(p, at.date()) for p, at, *_ in seen} | {(p, day) for p, day, _ in bought}
            found = past.snapshot(AT)
            assert found.people.tolist() == sorted({p for p, day in days if since <= day < AT})
            until = AT + timedelta(days=30)
            assert found.y.tolist() == [float(any(AT <= d < until for p, d in done[goal] if p == who)) for who in found.people]
            for who, x in zip(found.people.tolist(), found.x, strict=True):
                own = sorted(d for p, d in done[goal] if p == who and d < AT)
                assert x[-2] == len(own)
                assert (np.isnan(x[-1]) and not own) or x[-1] == (AT - own[-1]).days
            assert past.first() == min(o[1].date() for o in made) if goal == "any" else min(d for _, d in done[goal])


def test_each_goal_is_judged_at_a_later_time_and_told_on_one_card(turned: Turned) -> None:
    (card,) = turned.checked.cards
    assert card.model == "propensity" and card.remembers == "some" and card.status == "champion"
    for goal in ASKED:
        assert {f"{goal}.{f}" for f in ("auc", "brier", "ece", "auc_over_twin", "rate")} <= set(card.figures)
        assert card.settings[goal]["judged_on"] == "later"
    low = card.figures["help.auc"].low
    assert low is not None and low > 0.6
    fair = told(turned.checked, "fairness")
    assert {r["goal"] for r in fair} == set(ASKED) and {r["subject"] for r in fair} == {"country"}
    assert all(r["people"] is None or r["people"] >= 10 for r in turned.checked.rows.to_pylist())  # type: ignore[union-attr]
    assert {r["subject"] for r in told(turned.checked, "drift")} == {*ALL_WORDS, "score"}


def test_every_person_has_a_chance_of_every_goal_whose_parts_add_up_to_it(turned: Turned) -> None:
    assert len({(r["person_id"], r["goal"]) for r in turned.rows}) == len(turned.rows) > 600
    for row in turned.rows:
        points = [row[f"points_{i}"] for i in range(1, 5)]
        assert abs(row["typical"] + sum(points) + row["rest"] - row["probability"]) < 1e-9
    # Whoever was only seen and never bought has a chance of asking for help too.
    assert {r["goal"] for r in turned.rows} == set(ASKED)


def test_its_words_agree_with_the_parts_and_tell_her_no_number(turned: Turned) -> None:
    goal = turned.shop.config.insight.of("propensity")["help"]
    for row in [r for r in turned.rows if r["goal"] == "help"][:60]:
        english, chinese = (words.told(row, language, goal) for language in ("en", "zh"))  # type: ignore[arg-type]
        assert english[0].startswith("Chance of doing it: ") and chinese[0].startswith("做这件事的概率：")
        for en, zh, i in zip(english[1:5], chinese[1:5], range(1, 5), strict=False):
            assert ("raises" in en) == ("提高" in zh) == (row[f"points_{i}"] > 0)
        hers = [s for lan in ("en", "zh") for s in words.told(row, lan, goal, customer=True)]  # type: ignore[arg-type]
        assert hers and len(set(hers)) == len(hers) and not re.search(r"[\d%]", " ".join(hers))


def test_every_feature_of_a_goal_has_words_in_both_languages() -> None:
    for word in WORDS.values():
        assert word.en and word.her_en and all(c > "\u3400" for c in word.zh + word.her_zh)


def test_a_model_stays_until_it_is_old_and_another_goal_asks_for_all_anew(turned: Turned) -> None:
    shop = turned.shop
    again = checks.STEP.run(shop.run(checks.STEP, NOW))
    assert again.cards == () and {r["goal"] for r in told(again, "drift")} == set(ASKED)
    assert again.facts == {"tried": {goal: NOW.isoformat() for goal in ASKED}}
    # The card's model of one goal alone is asked for: the others go on as they are.
    assert shop.model is not None
    kept = {goal: m for goal, m in checks.learned(shop.model).items() if goal != "help"}
    champion, shop.model = shop.model, msgspec.structs.replace(shop.model, learned=msgspec.json.encode(kept).decode())
    (card,) = checks.STEP.run(shop.run(checks.STEP, NOW)).cards
    assert checks.learned(card)["any"] == kept["any"] and set(checks.learned(card)) == set(card.settings) == set(ASKED)
    assert card.figures["any.auc"] == champion.figures["any.auc"] and card.status == "champion"
    shop.model = champion


def test_without_goals_nothing_is_read_or_made(tmp_path: Path) -> None:
    shop = Shop(tmp_path, orders(40))
    shop.con.execute("DROP TABLE orders")
    checked, scored = shop.turn(steps=STEPS)
    assert checked.cards == () and checked.rows.num_rows == scored.rows.num_rows == 0  # type: ignore[union-attr]


def test_a_goal_that_too_few_reach_has_no_model_and_the_others_have_theirs(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        hasty(patch)
        shop = Shop(tmp_path, orders(300), events(20), goals={k: ASKED[k] for k in ("help", "any")})
        checked, scored = shop.turn(steps=STEPS)
    assert set(checks.learned(checked.cards[0])) == {"any"}
    assert {r["goal"] for r in scored.rows.to_pylist()} == {"any"}  # type: ignore[union-attr]
