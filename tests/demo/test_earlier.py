"""The made-up shop some weeks before its today: nothing later is there, and afterwards every byte is, also after a kill."""

from __future__ import annotations

import csv
import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from given_kills import Killed
from tessera.demo import earlier, workspace
from tessera.demo.earlier import DAY


@pytest.fixture
def root(world: Path, tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    shutil.copytree(world, made / "world")
    workspace.write(made)
    return made


def digests(root: Path) -> dict[str, str]:
    files = [p for p in sorted(root.rglob("*")) if p.is_file() and "var" not in p.relative_to(root).parts]
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_on_that_day_nothing_later_is_there_and_afterwards_every_byte_is(root: Path) -> None:
    before = digests(root)
    with earlier.earlier(root):
        with (root / "world/crm/customers.csv").open(encoding="utf-8", newline="") as file:
            changed = [row["updated_at"] for row in csv.DictReader(file)]
        assert changed and max(changed) < str(DAY)
        with closing(sqlite3.connect(root / "world/shop/shop.db")) as shop:
            for table in ("orders", "order_items", "payments"):
                ((many, newest),) = shop.execute(f"SELECT count(*), max(updated_at) FROM {table}")
                assert many and newest < str(DAY)
        assert [p.name for p in sorted((root / "world/events").glob("*.jsonl.gz"))][-1] == "2026-10.jsonl.gz"
        assert f"as_of: {DAY}" in (root / "tessera.yaml").read_text("utf-8")
    assert digests(root) == before


@pytest.mark.parametrize("act", range(4))
def test_whatever_a_kill_leaves_is_put_back(root: Path, monkeypatch: pytest.MonkeyPatch, act: int) -> None:
    before = digests(root)

    def dies(whole: Path, part: Path) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(earlier, "back", lambda root: None)
        for place, name in enumerate(("_settings", "_customers", "_shop")):
            if place == act:
                patched.setattr(earlier, name, dies)
        with pytest.raises(Killed), earlier.earlier(root):
            raise Killed
    assert digests(root) != before
    earlier.back(root)
    earlier.back(root)
    assert digests(root) == before
