"""A workspace of which a part is gone is not opened as if that part had never been, and the doctor says what is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from given_tiny import Tiny
from laws.shop import twin
from tessera.doctor import examine
from tessera.errors import BadWorkspace, BrokenVault


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    made = Tiny(tmp_path_factory.mktemp("whole") / "w")
    made.events([{"id": "m1", "type": "page", "user": "u1", "cookie": "k1", "at": "2026-02-01T10:00:00Z"}])
    made.orders([{"id": "o1", "user": "u1", "at": "2026-02-01T10:00:00Z", "cents": 100}])
    with made.open() as app:
        app.turn()
    return made


@pytest.fixture
def tiny(whole: Tiny, tmp_path: Path) -> Tiny:
    return twin(whole, tmp_path / "w")


def faults(tiny: Tiny) -> dict[str, str]:
    return {c.name: c.says for c in examine(tiny.root, 5) if c.state == "fault"}


def test_without_its_vault_it_does_not_open_for_a_new_one_would_give_old_numbers_to_strangers(tiny: Tiny) -> None:
    (tiny.root / "var" / "vault.db").unlink()
    with pytest.raises(BrokenVault, match=r"vault\.db is gone.*backup"):
        tiny.open()
    assert "vault.db is gone" in faults(tiny)["open"]
    assert not (tiny.root / "var" / "vault.db").exists()


def test_without_its_state_it_does_not_open(tiny: Tiny) -> None:
    (tiny.root / "var" / "state.db").unlink()
    with pytest.raises(BadWorkspace, match=r"state\.db is gone"):
        tiny.open()
    assert "state.db is gone" in faults(tiny)["open"]


@pytest.mark.parametrize("table", ["orders", "profiles"])
def test_without_a_table_it_does_not_open(tiny: Tiny, table: str) -> None:
    shutil.rmtree(tiny.root / "var" / "lake" / table)
    with pytest.raises(BadWorkspace, match=f"{table} is gone"):
        tiny.open()
    assert f"{table} is gone" in faults(tiny)["open"]


def test_a_file_that_is_gone_is_named_by_the_doctor(tiny: Tiny) -> None:
    with tiny.open() as app:
        Path(app.lake.files("profiles")[0]).unlink()
    assert "1 of its files are gone" in faults(tiny)["table profiles"]


def test_orders_in_a_currency_without_a_rate_are_named_by_the_doctor(tmp_path: Path) -> None:
    made = Tiny(tmp_path / "w")
    text = (made.root / "sources" / "orders.odcs.yaml").read_text()
    made.write("orders", text.replace("customProperties:\n", "customProperties:\n  - {property: currency, value: USD}\n", 1))
    made.orders([{"id": "o1", "user": "u1", "at": "2026-02-01T10:00:00Z", "cents": 100}])
    with made.open() as app:
        app.turn()
        assert app.unrated() == [("USD", 1)]
    told = {c.name: c for c in examine(made.root, 5)}
    assert told["rates"].state == "warning" and "1 orders in USD" in told["rates"].says


def test_a_workspace_whose_first_start_was_cut_off_opens(tmp_path: Path) -> None:
    made = Tiny(tmp_path / "w")
    with made.open():
        pass
    (made.root / "var" / "vault.db").unlink()
    with made.open() as app:
        app.turn()
