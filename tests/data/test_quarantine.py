"""data/quarantine.py under a kill: a replayed row lands once, whenever the process dies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from given_shop import ORDERS, given

import tessera
from tessera.errors import NotFound

COUNT = "SELECT count(*) AS n FROM orders WHERE order_id = 'o4'"


@pytest.fixture
def mended(tmp_path: Path) -> Path:
    """A workspace with one quarantined row, whose contract now lets it in."""
    root = given(tmp_path / "acme")
    with tessera.open(root) as app:
        app.sync()
        assert [(k.source, k.state) for k in app.quarantine.listed()] == [("orders", "open")]
    file = root / "sources" / "orders.odcs.yaml"
    file.write_text(ORDERS.replace("maximum: 10000", "maximum: 100000"), "utf-8")
    return root


def test_a_kill_before_the_row_is_marked_does_not_land_it_twice(mended: Path, monkeypatch: Any) -> None:
    def killed(*_: object, **__: object) -> int:
        raise SystemExit

    with pytest.raises(SystemExit), tessera.open(mended) as app:
        monkeypatch.setattr(app.lake, "write", killed)
        app.replay()
    with tessera.open(mended) as app:
        assert app.quarantine.listed() == []
        assert [k.state for k in app.quarantine.listed(state=None)] == ["replayed"]
        assert app.replay().landed == {}
        assert app.sql(COUNT, purpose="operate", role="sales").rows() == [(1,)]


def test_what_was_replayed_is_kept_no_longer(mended: Path) -> None:
    with tessera.open(mended) as app:
        (row,) = app.quarantine.listed()
        assert app.replay([row.id]).landed["orders"].kept == 1
        with pytest.raises(NotFound):
            app.quarantined(row.id, purpose="operate", role="officer")
        with pytest.raises(NotFound):
            app.replay([row.id])


def test_a_row_of_somebody_who_is_being_erased_is_not_there(mended: Path) -> None:
    with tessera.open(mended) as app:
        app.turn(sync=False)
        app.erase(app.people.find("cleo@example.org"))
        assert app.quarantine.listed() == []
        assert app.replay().landed == {}


def test_why_rows_wait_is_counted_by_source_field_and_reason(mended: Path) -> None:
    with tessera.open(mended) as app:
        (row,) = app.quarantine.listed()
        (why,) = app.quarantine.reasons()
        assert (why.source, why.field, why.reason, why.rows) == (row.source, row.field, row.reason, 1)
        assert why.first == why.last == row.at
        app.replay()
        assert app.quarantine.reasons() == []
