"""The main job on the made-up shop, whose truth is known: every count, who is who, who agreed to what."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tessera.app import App
from tessera.data.landed import Landed
from tessera.demo import workspace, world
from tessera.lake.engine import rows, value
from tessera.loop import Turned

PEOPLE = 300


class Shop:
    """The shop after its first turn."""

    def __init__(self, root: Path) -> None:
        workspace.write(root)
        world.make(root / "world", PEOPLE, 11)
        self.root = root
        self.app = App(root, doing="test")
        self.landed, self.done = self.app.turn()

    def truth(self, name: str) -> list[dict[str, object]]:
        return pq.read_table(self.root / "world" / "truth" / name).to_pylist()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    made = Shop(tmp_path_factory.mktemp("acme"))
    yield made
    made.app.close()


def test_every_source_lands_what_the_truth_says_and_quarantines_what_breaks_its_contract(shop: Shop) -> None:
    counts = json.loads((shop.root / "world" / "truth" / "counts.json").read_text())["sources"]
    for name, landed in shop.landed.items():
        assert isinstance(landed, Landed), landed
        if name == "decisions":
            assert landed.rows == 0, "nobody was shown anything yet"
            continue
        assert (landed.rows, landed.kept) == (counts[name]["rows"], counts[name]["valid"]), name
        assert landed.quarantined == counts[name]["broken"], name
        assert landed.reasons == {r: sum(by.values()) for r, by in counts[name]["broken_by"].items()}, name


def test_nobody_is_joined_with_another_and_most_of_each_person_is_joined(shop: Shop) -> None:
    members = dict(rows(shop.app.con, f"SELECT key_id, person_id FROM {shop.app.lake.relation('membership')}"))
    humans: dict[int, set[object]] = defaultdict(set)
    persons: dict[object, Counter[int]] = defaultdict(Counter)
    for row in shop.truth("identifiers.parquet"):
        if row["shared"]:
            continue
        kind, spelt = str(row["kind"]), str(row["value"])
        key = int(shop.app.vault.resolve(kind, [spelt.lower() if kind == "email" else spelt], mint=False)[0])
        if key in members:
            humans[members[key]].add(row["human_id"])
            persons[row["human_id"]][members[key]] += 1
    wrong = [p for p, h in humans.items() if len(h) > 1]
    assert wrong == [], f"{len(wrong)} persons hold more than one human"
    together = sum(max(c.values()) for c in persons.values())
    assert together / sum(sum(c.values()) for c in persons.values()) > 0.8


def test_consent_is_what_each_person_last_said(shop: Shop) -> None:
    """Checked on people all of whose keys are one person: a split person is two people to us."""
    members = dict(rows(shop.app.con, f"SELECT key_id, person_id FROM {shop.app.lake.relation('membership')}"))
    masks = dict(rows(shop.app.con, f"SELECT person_id, any_value(mask) FROM {shop.app.lake.relation('mask')} GROUP BY 1"))
    where: dict[object, set[int]] = defaultdict(set)
    for row in shop.truth("identifiers.parquet"):
        kind, spelt = str(row["kind"]), str(row["value"])
        key = int(shop.app.vault.resolve(kind, [spelt.lower() if kind == "email" else spelt], mint=False)[0])
        if key in members:
            where[row["human_id"]].add(members[key])
    checked = 0
    for row in shop.truth("consents.parquet"):
        persons = where[row["human_id"]]
        if len(persons) == 1 and row["state"] is not None:
            bit = 1 << shop.app.config.purposes[str(row["purpose"])].bit
            assert bool(masks[next(iter(persons))] & bit) == (row["state"] == "given"), row
            checked += 1
    assert checked > PEOPLE / 4


def test_a_second_turn_has_nothing_to_do(shop: Shop) -> None:
    before = {t: shop.app.lake.version(t) for t in shop.app.lake.tables}
    landed, done = shop.app.turn()
    assert isinstance(done, Turned) and done.ran == {}
    assert all(isinstance(v, Landed) and v.rows == 0 for v in landed.values())
    assert {t: shop.app.lake.version(t) for t in shop.app.lake.tables} == before


def test_revenue_is_summed_in_the_workspaces_currency_at_the_rate_of_the_day(shop: Shop) -> None:
    lake = shop.app.lake
    by_hand = value(
        shop.app.con,
        f"""SELECT sum(CASE WHEN o.currency = 'EUR' THEN o.amount_cents ELSE round(o.amount_cents * (
                SELECT r.rate FROM {lake.relation("rates")} r WHERE r.currency = o.currency
                AND r.valid_from <= o.occurred_at::DATE ORDER BY r.valid_from DESC LIMIT 1)) END)::BIGINT
            FROM {lake.relation("orders")} o WHERE coalesce(status, '') NOT IN ('cancelled', 'refunded', 'failed')
            AND key_id IS NOT NULL""",
    )
    assert value(shop.app.con, f"SELECT sum(revenue_cents)::BIGINT FROM {lake.relation('profiles')}") == by_hand


def test_every_use_is_in_a_ledger_that_verifies(shop: Shop) -> None:
    shop.app.sql("SELECT count(*) FROM profiles", purpose="operate")
    report = shop.app.ledger.verify()
    assert report.ok and report.entries == len(shop.app.ledger)
    acts = Counter(e.act for e in shop.app.ledger.entries())
    assert acts["landing"] == len([one for one in shop.landed.values() if one.rows]) and acts["step"] >= 7 and acts["read"] >= 1
