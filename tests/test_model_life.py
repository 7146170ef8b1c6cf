"""loop.py and models: a step is given its champion, a card says what it was made from, and what makes a model stale."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from given_tiny import Tiny
from tessera.app import App
from tessera.errors import NotFound
from tessera.insight.segments.centres import SCHEMA, SEGMENT_CENTRES
from tessera.lake.models import Card, Figure
from tessera.lake.step import Made, Run, Step
from tessera.loop import Turn

RUNS: list[Run] = []


def fits(run: Run) -> Made:
    """A model that counts how often it was fitted."""
    RUNS.append(run)
    if run.model is not None and not run.refit:
        return Made(rows=SCHEMA.empty_table())
    fitted = Card(
        model="toy", fitted_at=date(2026, 3, 1), people=12, remembers="some", settings={}, learned=f"fit {len(RUNS)}",
        figures={"auc": Figure(0.8)},
    )  # fmt: skip
    return Made(rows=SCHEMA.empty_table(), cards=(fitted,))


TOY = Step(
    name="toy", reads=("profiles",), writes=SEGMENT_CENTRES, purpose="operate", run=fits, model="toy",
    lineage={c.name: () for c in SEGMENT_CENTRES.columns},
)  # fmt: skip


@pytest.fixture
def app(tmp_path: Path) -> Any:
    RUNS.clear()
    tiny = Tiny(tmp_path)
    tiny.crm([{"id": "1", "name": "Ann", "updated": "2026-03-01T09:00:00Z"}])
    with tiny.open() as app:
        app.turn()
        yield app


def turn(app: App, *, step: Step = TOY, rest: bool = False) -> list[str]:
    made = Turn(app.config, app.lake, app.gate, app.con, app.clock).run(lambda *_: None, steps=[step], rest=rest)
    return list(made.ran)


def test_a_step_is_given_the_model_that_it_fitted_and_runs_again_for_a_reason_only(app: App) -> None:
    assert turn(app) == ["toy"]
    assert RUNS[0].model is None
    assert turn(app) == []
    app.state.put("refit", "toy", "now")
    assert turn(app) == ["toy"]
    assert RUNS[1].model is not None and RUNS[1].model.learned == "fit 1" and RUNS[1].refit
    assert turn(app) == []


def test_a_card_says_what_for_and_which_versions_it_was_made_from(app: App) -> None:
    turn(app)
    card = app.sql("SELECT * FROM models WHERE model = 'toy'", purpose="analytics").table.to_pylist()[0]
    assert (card["purpose"], card["status"], card["people"]) == ("operate", "champion", 12)
    assert card["made_from"] == f'{{"profiles":{app.lake.version("profiles")}}}'


def test_what_a_model_has_learned_is_nobody_s_to_ask_for(app: App) -> None:
    turn(app)
    with pytest.raises(NotFound):
        app.sql("SELECT * FROM learned", purpose="analytics")


def test_a_model_that_a_sweep_has_emptied_is_fitted_again(app: App) -> None:
    turn(app)
    app.lake.commit("learned", [], what="sweep", mode="overwrite")
    assert turn(app) == ["toy"]
    assert RUNS[-1].model is None
    assert turn(app) == []


def test_what_moves_by_the_day_rests_in_turns_that_say_so_until_somebody_asks(app: App) -> None:
    daily = replace(TOY, daily=True)
    assert turn(app, step=daily, rest=True) == ["toy"]
    app.lake.write(app.con, "profiles", f"SELECT * FROM {app.lake.relation('profiles')}", what="test")
    assert turn(app, step=daily, rest=True) == []
    assert turn(app, rest=True) == ["toy"]
    app.state.put("refit", "toy", "now")
    assert turn(app, step=daily, rest=True) == ["toy"]


def test_only_a_model_that_there_is_can_be_fitted_anew(app: App) -> None:
    with pytest.raises(NotFound, match="Model 'toys'"):
        app.refit("toys")
