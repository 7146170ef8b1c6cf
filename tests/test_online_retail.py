"""The example over real data: 541,909 invoice lines land without a lost penny, line or person."""

from __future__ import annotations

import getpass
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tessera.app import App
from tessera.data.landed import Landed

PROJECT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("TESSERA_SHARED") or PROJECT.parent / "shared").absolute()
DATA = SHARED / "data" / "insight" / "online_retail" / "online_retail.parquet"

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not DATA.is_file(), reason="online_retail.parquet is not there; set TESSERA_SHARED"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The example's workspace after one turn."""
    root = tmp_path_factory.mktemp("retail") / "w"
    shutil.copytree(PROJECT / "examples" / "online-retail", root, ignore=shutil.ignore_patterns("var"))
    access = root / "access.yaml"
    access.write_text(access.read_text("utf-8").replace("user:root", f"user:{getpass.getuser()}"), "utf-8")
    with pytest.MonkeyPatch.context() as env:
        env.setenv("TESSERA_SHARED", str(SHARED))
        with App(root) as app:
            landed = app.turn()[0]["invoices"]
            assert isinstance(landed, Landed)
            assert (landed.rows, landed.kept, landed.quarantined, landed.doubles) == (541_909, 541_909, 0, 0)
            yield app


def one(shop: App, question: str) -> dict[str, Any]:
    row: dict[str, Any] = shop.sql(question, role="analyst", purpose="analytics").table.to_pylist()[0]
    return {k: int(v) for k, v in row.items()}


def test_every_line_and_every_penny_is_there(shop: App) -> None:
    assert one(shop, "SELECT count(*) AS n, sum(amount_cents) AS pence FROM order_lines") == {
        "n": 541_909,
        "pence": 974_774_793,
    }


def test_lines_without_a_customer_are_about_nobody_and_are_kept(shop: App) -> None:
    named = "SELECT count(*) AS n, sum(amount_cents) AS pence FROM order_lines WHERE person_id IS "
    assert one(shop, named + "NOT NULL") == {"n": 406_829, "pence": 830_006_581}
    assert one(shop, named + "NULL") == {"n": 135_080, "pence": 974_774_793 - 830_006_581}


def test_exact_repeats_are_kept(shop: App) -> None:
    question = (
        "SELECT sum(n - 1) AS repeats FROM (SELECT count(*) AS n FROM order_lines GROUP BY order_id, product_id, "
        "description, quantity, occurred_at, amount_cents, person_id, country) AS same"
    )
    assert one(shop, question) == {"repeats": 5_268}


def test_lines_are_summed_to_orders_and_cancellations_take_back(shop: App) -> None:
    assert one(
        shop,
        """SELECT count(*) AS orders, count(person_id) AS named, sum(amount_cents) AS pence,
           count(CASE WHEN amount_cents > 0 THEN 1 END) AS sales,
           count(CASE WHEN amount_cents < 0 THEN 1 END) AS returns
           FROM orders""",
    ) == {"orders": 25_900, "named": 22_190, "pence": 974_774_793, "sales": 19_960, "returns": 3_838}


def test_every_customer_has_a_profile_and_their_sum_is_the_shops(shop: App) -> None:
    assert one(
        shop, "SELECT count(*) AS people, sum(orders) AS orders, sum(revenue_cents) AS pence FROM profiles"
    ) == {"people": 4_372, "orders": 18_532, "pence": 830_006_581}


def test_a_second_turn_has_nothing_to_do(shop: App) -> None:
    landed, done = shop.turn()
    assert landed["invoices"].rows == 0
    assert not done.ran
