"""What was done lately, told without the log being read again: the same as the log itself says, at any moment of its growth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tessera.trust.ledger import Ledger, Use

START = datetime(2026, 1, 1, tzinfo=UTC)
HERS = {"key": [7, 2000], "person": [3]}


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def opened(folder: Path, clock: Clock) -> Ledger:
    folder.mkdir(exist_ok=True)
    return Ledger(folder, Ed25519PrivateKey.from_private_bytes(bytes(32)), bytes(32), clock, seal_every=8)


def use(ledger: Ledger, ids: list[int] | None, unit: str = "key", wide: bool = False, purpose: str = "operate") -> None:
    keys = None if ids is None else ledger.keep(ids, unit, "at most" if wide else "exact")  # type: ignore[arg-type]
    ledger.append(Use(actor="a", role="r", act="read", purpose=purpose, keys=keys, rows=len(ids or ())))


def told(ledger: Ledger, since: datetime = START) -> dict[int, bool]:
    part = ledger.lately(HERS, since)  # type: ignore[arg-type]
    return dict(zip(part.numbers.tolist(), part.held.tolist(), strict=True))


def test_it_says_of_each_entry_what_its_set_says_also_while_the_log_grows(tmp_path: Path) -> None:
    chance, clock = Random(5), Clock()
    with opened(tmp_path / "l", clock) as ledger:
        for _ in range(30):
            for _ in range(chance.randrange(1, 9)):
                ids = [chance.choice([7, 2000, 3, 4, 5000, 9]) for _ in range(chance.randrange(1, 4))]
                use(ledger, None if chance.random() < 0.1 else ids, chance.choice(["key", "person"]), chance.random() < 0.5)
            hers = {e.seq for unit, ids in HERS.items() for e in ledger.of(ids, unit)}  # type: ignore[arg-type]
            assert told(ledger) == {n: n in hers for n in range(len(ledger))}


def test_kinds_of_uses_and_the_first_entry_that_is_asked_for(tmp_path: Path) -> None:
    clock = Clock()
    with opened(tmp_path / "l", clock) as ledger:
        use(ledger, [1, 2], wide=True, purpose="marketing")
        use(ledger, [7])
        use(ledger, None)
        part = ledger.lately(HERS, START)  # type: ignore[arg-type]
        kinds = [part.kinds[k] for k in part.kind]
        assert [(k.purpose, k.wide) for k in kinds] == [("marketing", True), ("operate", False), ("operate", False)]
        assert (part.held.tolist(), part.set_.tolist()) == ([False, True, False], [True, True, False])
        assert ledger.lately(HERS, START, 2).numbers.tolist() == [2]  # type: ignore[arg-type]
        assert ledger.lately(HERS, START, 9).numbers.tolist() == []  # type: ignore[arg-type]
        assert [e.seq for e in ledger.some([2, 0, 2], newest_first=True)] == [2, 0]


def test_what_is_older_than_thirty_days_is_let_go_of_and_never_told(tmp_path: Path) -> None:
    clock = Clock()
    with opened(tmp_path / "l", clock) as ledger:
        for day in range(100):
            clock.now = START + timedelta(days=day)
            use(ledger, [7])
            since = clock.now - timedelta(days=30)
            assert sorted(told(ledger, START)) == [n for n in range(day + 1) if START + timedelta(days=n) >= since]
    with opened(tmp_path / "l", clock) as ledger:
        assert sorted(told(ledger, START)) == list(range(69, 100)), "opened again, only the end of the log is read"
        assert ledger._lately is not None and ledger._lately.first > 50
