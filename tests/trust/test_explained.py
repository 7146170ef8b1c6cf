"""Explanations of the matrix: the gate's own verdicts, with the line that decided and what else it takes."""

from __future__ import annotations

import pytest

from tessera.app import App
from tessera.errors import NotFound


def test_every_explanation_is_the_gates_own_verdict(still: App) -> None:
    for role in still.config.access.roles:
        for purpose in still.config.purposes:
            for name, table in still.gate.presented().items():
                found = still.explain(role, name, purpose=purpose)
                reader = still.reader(role, purpose)
                assert [c.column for c in found.columns] == list(table.names)
                for cell in found.columns:
                    seen = still.gate.seen(table, cell.column, reader)
                    assert (cell.verdict, cell.reason, cell.where) == (seen.verdict, seen.reason, seen.where)


def test_an_explanation_names_the_line_that_decided(still: App) -> None:
    lines = (still.config.root / "access.yaml").read_text("utf-8").splitlines()
    (cell,) = still.explain("analyst", "profiles", "email", purpose="analytics").columns
    assert cell.verdict == "masked"
    file, _, line = cell.where.partition(":")
    assert file == "access.yaml" and "user.contact" in lines[int(line) - 1] and "masked" in lines[int(line) - 1]
    (bound,) = still.explain("owner", "profiles", "name", purpose="analytics").columns
    file, _, line = bound.where.partition(":")
    purposes = (still.config.root / "purposes.yaml").read_text("utf-8").splitlines()
    assert (bound.verdict, file, purposes[int(line) - 1]) == ("hidden", "purposes.yaml", "  analytics:")
    (silent,) = still.explain("nobody", "orders", "status", purpose="operate").columns
    assert (silent.verdict, silent.where) == ("hidden", "")


def test_an_explanation_says_whose_rows_and_what_they_need(still: App) -> None:
    sales = still.explain("sales", "records", purpose="operate")
    assert [r.says for r in sales.rules] == ["only rows whose region is the reader's own region"]
    assert sales.needs.startswith("no consent (basis: ") and "user:elsewhere" in sales.held_by
    assert "consent to analytics" in still.explain("analyst", "orders", purpose="analytics").needs
    assert "about nobody" in still.explain("analyst", "rates", purpose="analytics").needs
    assert still.explain("analyst", "orders", purpose="analytics").rules == ()


def test_the_matrix_has_every_role_purpose_and_category_that_a_column_has(still: App) -> None:
    cells = still.matrix()
    access, columns = still.config.access, [c for t in still.gate.presented().values() for c in t.columns]
    assert {(c.role, c.purpose) for c in cells} == {(r, p) for r in access.roles for p in still.config.purposes}
    assert {c.category for c in columns} <= {c.category for c in cells}
    assert len({(c.role, c.purpose, c.category) for c in cells}) == len(cells)
    assert {c.role for c in still.matrix(role="sales")} == {"sales"}
    assert {c.purpose for c in still.matrix(purpose="operate")} == {"operate"}


def test_what_is_not_known_is_answered_with_the_nearest_word(still: App) -> None:
    for words, said in (
        (("analyts", "orders", None, "operate"), "Did you mean 'analyst'?"),
        (("analyst", "order", None, "operate"), "Did you mean 'orders'?"),
        (("analyst", "orders", "statuss", "operate"), "Did you mean 'status'?"),
        (("analyst", "orders", None, "operat"), "Did you mean 'operate'?"),
        (("analyst", "membership", None, "operate"), "membership"),
    ):
        role, table, column, purpose = words
        with pytest.raises(NotFound, match=said.replace("?", "[?]")):
            still.explain(role, table, column, purpose=purpose)


def test_explaining_reads_nobody_and_adds_no_entry(still: App) -> None:
    before = len(still.ledger)
    still.explain("analyst", "profiles", purpose="analytics")
    still.matrix()
    assert len(still.ledger) == before
