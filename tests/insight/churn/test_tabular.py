"""insight/churn/tabular.py and folded.py: any table becomes rows to learn from; what is left out has its reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tessera.errors import BadInput
from tessera.insight.calibration import sigmoid
from tessera.insight.churn import folded, tabular
from tessera.insight.churn.tabular import OTHER, Prepared
from tessera.insight.trees import SMALL
from tessera.lake.engine import Connection, connect, literal, rows

HEAD = "customerID,joined,TotalCharges,Contract,plan,note,leavingDate,Churn Score,currency,active,Churn"


def lines(count: int = 400) -> list[str]:
    """A telephone company's table, as such tables are: an identifier, blanks for numbers, a date of the end."""
    rng = np.random.default_rng(2)
    made = []
    for i in range(count):
        charges, contract = rng.gamma(2, 40), rng.choice(["Month-to-month", "One year", "Two year"])
        left = rng.random() < sigmoid(np.array(0.02 * charges - 2 + 1.5 * (contract == "Month-to-month")))
        plan = "gold" if i % 3 else f"rare {i % 60}"
        made.append(
            f"{7000 + i}-QX,2024-{i % 12 + 1:02d}-{i % 28 + 1:02d},{' ' if i % 40 == 0 else round(charges, 2)},{contract},"
            f"{plan},she said {i} {rng.integers(1e9)},{'2025-01-01' if left else ''},{rng.integers(100)},EUR,"
            f"{'true' if i % 2 else 'false'},{'Yes' if left else 'No '}"
        )
    return made


def read(path: Path, target: str = "Churn", body: list[str] | None = None, **options: object) -> Prepared:
    path.write_text("\n".join([HEAD, *(lines() if body is None else body)]), "utf-8")
    con: Connection = connect(threads=1)
    con.execute(f"CREATE TABLE t AS SELECT *, row_number() OVER () AS nr FROM read_csv({literal(str(path))}, sample_size=-1)")
    columns = {c: t for c, t, *_ in rows(con, "DESCRIBE t") if c != "nr"}
    return tabular.prepared(con, "t", columns, target, line="nr", **options)  # type: ignore[arg-type]


def test_what_tells_nothing_or_tells_the_answer_is_left_out_with_the_reason(tmp_path: Path) -> None:
    data = read(tmp_path / "a.csv")
    assert {c: r.split(":")[0] for c, r in data.left_out.items()} == {
        "customerID": "another text in nearly every row",
        "note": "another text in nearly every row",
        "currency": "the same in every row",
        "leavingDate": "it says the target almost by itself (AUC 1.000)",
    }
    assert list(data.doubts) == ["Churn Score"] and data.doubts["Churn Score"].endswith("beforehand?")
    assert data.names == ("joined", "TotalCharges", "Contract", "plan", "Churn Score", "active")


def test_values_become_numbers_and_codes_and_missing_ones_stay_missing(tmp_path: Path) -> None:
    data = read(tmp_path / "a.csv")
    assert np.isnan(data.x[:, 1]).sum() == 10 and data.x[np.isnan(data.x[:, 1]), 0].size == 10
    assert set(data.levels) == {"Contract", "plan", "active"} and data.dates == ("joined",)
    assert data.levels["plan"] == ("gold", OTHER) and set(data.levels["active"]) == {"true", "false"}
    assert data.x[:, 0].min() == 0 and (data.positive, data.target) == ("Yes", "Churn")
    assert data.shown(0)[1:4] == [None, data.levels["Contract"][int(data.x[0, 2])], OTHER] and data.lines[0] == 1


@pytest.mark.parametrize(
    ("values", "positive"),
    [(("1", "0"), "1"), (("true", "false"), "true"), (("stayed", "left"), "left"), (("是", "否"), "是"), (("2", "1"), "1"),
     (("A", "B"), "B"), (("No", "gone"), "gone"), (("3.0", "2.5"), "3.0")],
)  # fmt: skip
def test_the_positive_value_is_found(values: tuple[str, str], positive: str, tmp_path: Path) -> None:
    body = [line.rsplit(",", 1)[0] + f",{values[i % 3 == 0]}" for i, line in enumerate(lines(120))]
    data = read(tmp_path / "a.csv", body=body)
    assert data.positive == positive and set(np.unique(data.y)) == {0.0, 1.0}
    other = next(v for v in values if v != positive)
    assert np.array_equal(read(tmp_path / "a.csv", body=body, positive=other).y, 1 - data.y)


def test_rows_without_a_target_are_left_out_and_counted(tmp_path: Path) -> None:
    body = [line.rsplit(",", 1)[0] + ("," if i < 7 else ",NA" if i < 9 else f",{i % 2}") for i, line in enumerate(lines(200))]
    data = read(tmp_path / "a.csv", body=body)
    assert (data.dropped, len(data.y), data.lines[0]) == (9, 191, 10)


def test_a_column_is_kept_or_left_out_as_one_says(tmp_path: Path) -> None:
    data = read(tmp_path / "a.csv", keep=["leavingDate"], without=["plan"])
    assert "leavingDate" in data.names and data.left_out["plan"] == "you said so"


def test_a_running_number_is_an_identifier_and_an_amount_is_not(tmp_path: Path) -> None:
    con = connect(threads=1)
    con.execute("""CREATE TABLE t AS SELECT i AS nr, i AS running, i * 7 AS account_id, i * 37 + i % 5 AS paid, [i] AS list,
                   NULL::INTEGER AS nothing, i % 3 = 0 AS y, i % 50 AS n FROM range(200) r(i)""")
    data = tabular.prepared(con, "t", {c: t for c, t, *_ in rows(con, "DESCRIBE t") if c != "nr"}, "y", line="nr")
    assert data.names == ("paid", "n")
    assert set(data.left_out) == {"running", "account_id", "list", "nothing"} and data.left_out["nothing"] == "empty"


@pytest.mark.parametrize(
    ("target", "body", "says"),
    [
        ("Churm", None, "Did you mean 'Churn'"),
        ("Contract", None, "two values, such as yes and no; it has 3"),
        ("currency", None, "it has 1"),
        ("note", None, "more than 49"),
        ("Churn", lines(40), "At least 60 rows"),
    ],
)
def test_a_target_that_cannot_be_learned_is_said(target: str, body: list[str] | None, says: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=says):
        read(tmp_path / "a.csv", target, body)


def test_it_is_judged_on_rows_that_it_has_not_seen_beside_its_twin(tmp_path: Path) -> None:
    data = read(tmp_path / "a.csv", body=lines(600))
    quick = replace(SMALL, rounds=30, folds=2)
    told: list[tuple[int, int]] = []
    found = folded.judged(
        data.x, data.y, data.names, tuple(data.levels), seeds=2, folds=3, recipe=quick, tell=lambda *at: told.append(at)
    )
    assert sorted(told)[-1] == (6, 6) and found.folds == 3 and len(found.unseen) == 600
    for one in (found.model, found.twin):
        assert 0.6 < one.auc.low <= one.auc.mean <= one.auc.high <= 1 and one.ece < 0.1 and one.brier < 0.25
    assert abs(roc_auc_score(data.y, found.unseen) - found.model.auc.mean) < 0.03
    assert abs(found.ahead.mean - (found.model.auc.mean - found.twin.auc.mean)) < 1e-12
    again = folded.judged(data.x, data.y, data.names, tuple(data.levels), seeds=2, folds=3, recipe=quick)
    assert again.model == found.model and again.ahead == found.ahead
    noise = folded.judged(
        data.x, np.random.default_rng(0).permutation(data.y), data.names, tuple(data.levels), seeds=2, folds=3, recipe=quick
    )
    assert noise.model.auc.low < 0.5 < noise.model.auc.high
