"""How well goals are foretold: on the made-up shop over seeds, and on Online Retail who buys within 30 days; and whose month it was.

Run: PYTHONPATH=src python bench/insight_propensity.py [shop] [retail] [standing]      (default: all)
Data of retail and standing: as bench/insight_churn.py. Beside each model stands a plain one, learned from the same people: a
ridge logistic regression of recency, frequency, money and the person's own past of the goal. Nothing was chosen on these figures.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from insight_churn import RECIPE, shop
from tessera import insight_file
from tessera.app import App
from tessera.demo import workspace, world
from tessera.insight import blend, linear
from tessera.insight.calibration import auc, brier, ece
from tessera.insight.churn import leaving, model, snapshots, standing
from tessera.insight.churn.history import BOUGHT
from tessera.insight.churn.model import OVER_STANDING, Learned, Stack
from tessera.insight.churn.past import Past, stacked
from tessera.insight.propensity import goals

Numbers = npt.NDArray[np.float64]
PLAIN = ("recency_days", "order_days", "revenue_cents", "seen_days", "done_days", "done_recency_days")
GOALS = 'any: {products: ["*"]}, kitchen: {products: [P5]}, cart: {event: Product Added}'
SEEDS, PEOPLE = (1, 2, 3, 4, 5), 3_000
SMALL = replace(RECIPE, folds=4)


def main(parts: list[str]) -> None:
    """Prints a small table for each part."""
    for part, run in (("shop", made_up), ("retail", retail), ("standing", months)):
        if not parts or part in parts:
            run()


def plain(learn: Stack, judge: Stack, names: tuple[str, ...]) -> Numbers:
    """The plain model's log-odds of the people of `judge`."""
    few = [names.index(n) for n in PLAIN]
    return linear.fit(learn.x[:, few], learn.y, PLAIN, strength=blend.STRENGTH).margin(judge.x[:, few])


def made_up() -> None:
    """What the step itself learns and judges in the demo's world, with other seeds."""
    found: list[tuple[int, Numbers, Numbers, Numbers]] = []
    whole = model.learned

    def watched(names: tuple[str, ...], final: Stack, learn: Stack | None, judge: Stack, *args: Any, **more: Any) -> Any:
        assert learn is not None
        said = blend.fit(learn.x, learn.y, names, groups=learn.people, recipe=SMALL).score(judge.x)
        found.append((len(judge.y), judge.y, said, plain(learn, judge, names)))
        return whole(names, final, learn, judge, *args, **more)

    model.learned = watched  # type: ignore[assignment]
    rows: dict[str, list[tuple[float, ...]]] = {}
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            workspace.write(root)
            world.make(root / "world", PEOPLE, seed)
            without = ", ".join(insight_file.MODELS)
            (root / "insight.yaml").write_text(f"without: [{without}]\npropensity: {{{GOALS}}}\n")
            found.clear()
            with App(root, doing="bench") as app:
                app.turn()
        for goal, (people, y, said, other) in zip(("any", "kitchen", "cart"), found, strict=True):
            told = (people, y.mean(), auc(said, y) or 0, auc(other, y) or 0, brier(said, y), ece(said, y))
            rows.setdefault(goal, []).append(told)
    model.learned = whole
    print(f"made-up shop, {PEOPLE:,} people, {len(SEEDS)} seeds, within 30 days, judged at a later midnight: mean [95 %]")
    for goal, told in rows.items():
        people, rate, ours, other, b, e = (np.array(c) for c in zip(*told, strict=True))
        print(f"  {goal}: {people.mean():.0f} people, rate {rate.mean():.3f}; AUC {interval(ours)}, plain {interval(other)}, "
              f"ours - plain {interval(ours - other)}; Brier {interval(b)}, ECE {interval(e)}")  # fmt: skip


def interval(found: Numbers) -> str:
    """Mean over seeds and its 95 % interval (Student's t)."""
    from scipy.stats import t

    half = t.ppf(0.975, len(found) - 1) * found.std(ddof=1) / np.sqrt(len(found))
    return f"{found.mean():.4f} [{found.mean() - half:.4f}, {found.mean() + half:.4f}]"


def retail() -> None:
    """Online Retail: who buys within 30 days, learned at midnights whose outcome was in, judged at six later ones."""
    con = shop()
    if con is None:
        return
    told = {n: s.default for n, s in insight_file.GOAL.items()} | {"products": ("*",), "groups": ()}
    asked = goals.question("retail_done", told)
    con.execute(f"CREATE TEMP TABLE retail_done AS {asked.tables['retail_done'].sql}")
    past = Past(SimpleNamespace(con=con), asked)  # type: ignore[arg-type]
    print(
        "\nOnline Retail, buys within 30 days, of whoever bought in 180 days; learned from what was known at the midnight alone"
    )
    each: list[tuple[Stack, Numbers, Numbers]] = []
    for at in (date(2011, month, 1) for month in range(6, 12)):
        plan, judge = snapshots.plan(date(2010, 12, 1), at, 30), past.snapshot(at)
        learn = stacked(past.snapshot(s) for s in plan.final)
        said = blend.fit(learn.x, learn.y, asked.names, groups=learn.people, recipe=SMALL).score(judge.x)
        other = plain(learn, judge, asked.names)
        each.append((judge, said, other))
        print(f"  {at}: {len(judge.y):,} people, rate {judge.y.mean():.3f}; AUC {auc(said, judge.y):.4f}, plain "
              f"{auc(other, judge.y):.4f}; Brier {brier(said, judge.y):.4f}, ECE {ece(said, judge.y):.4f}")  # fmt: skip
    everybody = np.unique(np.concatenate([judge.people for judge, *_ in each]))
    rng, drawn = np.random.default_rng(0), []
    for i in range(301):
        # The same people stand at several midnights: a person is drawn with all of hers, the first time everybody once.
        many = np.bincount(rng.integers(0, len(everybody), len(everybody)), minlength=len(everybody)) if i else None
        both = [of(judge, said, other, everybody, many) for judge, said, other in each]
        drawn.append(np.mean(both, axis=0))
    mean, low, high = drawn[0], *np.quantile(drawn[1:], (0.025, 0.975), axis=0)
    for name, k in (("ours", 0), ("plain", 1), ("ours - plain", 2)):
        print(f"  mean of the midnights, {name}: {mean[k]:.4f} [{low[k]:.4f}, {high[k]:.4f}]")


def of(judge: Stack, said: Numbers, other: Numbers, everybody: npt.NDArray[np.int64], many: Any) -> tuple[float, ...]:
    """Both AUCs at one midnight and their difference, each person as often as she was drawn."""
    times = np.ones(len(judge.y), dtype=int) if many is None else many[np.searchsorted(everybody, judge.people)]
    rows = np.repeat(np.arange(len(judge.y)), times)
    ours, theirs = (auc(p[rows], judge.y[rows]) or 0.5 for p in (said, other))
    return ours, theirs, ours - theirs


def months() -> None:
    """Online Retail, churn: what each month's comparison of the old model with the new one's recipe said."""
    con = shop()
    if con is None:
        return
    print("\nOnline Retail, churn learned anew each 30 days: AUC of the new recipe less that of the model that stood [95 %]")
    began = con.execute(f"SELECT min(day) FROM {BOUGHT}").fetchall()[0][0]
    for horizon in (30, 60, 90):
        told = {**insight_file.DEFAULT.of("churn"), "horizon_days": horizon, "groups": (), "active_days": 3650}
        past = Past(SimpleNamespace(con=con), leaving.question(told))  # type: ignore[arg-type]
        known: Learned | None = None
        for at in (date(2011, 6, 2) + timedelta(days=30 * i) for i in range(7)):
            plan = snapshots.plan(began, at, horizon)
            stand = standing.stand(past, plan, known, asked=False, tried=None)
            if stand is None or stand.fit is None:
                continue
            ahead = stand.fit.figures.get(OVER_STANDING)
            if ahead is not None:
                print(f"  {horizon} days, {at}: {ahead.value:+.4f} [{ahead.low:+.4f}, {ahead.high:+.4f}]"
                      f"{', kept the old one' if stand.fit.worse else ''}")  # fmt: skip
            known = stand.fit.learned


if __name__ == "__main__":
    main(sys.argv[1:])
