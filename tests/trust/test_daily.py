"""trust/daily.py: uses since a moment, read on from where it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tessera.trust import daily
from tessera.trust.daily import Daily, first
from tessera.trust.entries import Use, Verdict
from tessera.trust.ledger import Ledger

DAY = datetime(2026, 3, 2, tzinfo=UTC)


def use(act: str = "read", refused: bool = False, rows: int | None = None) -> Use:
    verdict: Verdict = "refused" if refused else "allowed"
    return Use(actor="user:ann", role="owner", act=act, purpose="operate", verdict=verdict, rows=rows)


def test_only_entries_since_the_moment_count_and_new_ones_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [DAY - timedelta(hours=3)]
    with Ledger(tmp_path, Ed25519PrivateKey.generate(), b"s" * 32, lambda: now[0]) as ledger:
        assert first(ledger, DAY) == 0
        ledger.append_many([use() for _ in range(7)])
        today = Daily(since=DAY)
        today.read(ledger)
        assert (today.allowed, today.refused, today.partly, first(ledger, DAY)) == (0, 0, False, 7)
        now[0] = DAY
        ledger.append_many([use(), use(refused=True), use("landing", rows=40)])
        today.read(ledger)
        today.read(ledger)
        assert (today.allowed, today.refused, today.landed, today.acts["read"]) == (2, 1, 40, 2)
        assert first(ledger, DAY) == 7
        monkeypatch.setattr(daily, "MOST", 2)
        some = Daily(since=DAY)
        some.read(ledger)
        assert some.partly and some.allowed + some.refused == 2
