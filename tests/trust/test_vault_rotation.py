"""A new epoch of the vault: everything under the new key, the old one destroyed, whatever happens meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tessera.errors import BrokenVault
from tessera.trust import vault_records
from tessera.trust.secrets import Secrets
from tessera.trust.vault import Vault

SECRETS = Secrets(bytes(range(32)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@pytest.fixture
def vault(path: Path) -> Iterator[Vault]:
    vault = Vault(path, SECRETS)
    yield vault
    vault.close()


def blob(n: int) -> bytes:
    return f"record {n} ".encode() * (1 + n % 40)


def wrapped(path: Path) -> list[bytes]:
    with closing(sqlite3.connect(path)) as db:
        return [w for (w,) in db.execute("SELECT wrapped FROM epochs")]


def ends(path: Path) -> list[bytes]:
    """The first bytes of each row's cells: what a rotation has to replace."""
    with closing(sqlite3.connect(path)) as db:
        return [cells[:24] for (cells,) in db.execute("SELECT cells FROM records") if cells]


def on_disk(path: Path) -> bytes:
    return b"".join(f.read_bytes() for f in sorted(path.parent.glob(path.name + "*")) if "-shm" not in f.name)


def test_after_a_rotation_every_record_opens_under_the_new_key_alone(vault: Vault, path: Path) -> None:
    ids = vault.seal([blob(n) for n in range(5_000)], 1)
    vault.erase([], ids[100:200])
    vault.flush()
    old_keys, old_cells = wrapped(path), ends(path)
    told: list[tuple[str, int, Any]] = []
    epoch, cells = vault.rotate(lambda *words: told.append(words))
    assert (epoch, cells, vault.epochs()) == (2, 4_900, {2: 4_900})
    assert told[-1] == ("re-encrypting the vault", 40, 40)
    assert vault.unseal(ids) == {int(r): blob(n) for n, r in enumerate(ids) if not 100 <= n < 200}
    left = on_disk(path)
    assert not [k for k in old_keys if k in left] and not [c for c in old_cells if c in left]
    later = vault.seal([b"later"], 2)
    assert vault.epochs() == {2: 4_901} and vault.unseal(later) == {int(later[0]): b"later"}
    assert vault.rotate() == (3, 4_901)


def test_rows_keep_their_length_so_that_they_are_written_over_in_their_place(vault: Vault, path: Path) -> None:
    ids = vault.seal([blob(n) for n in range(2_000)], 1)
    vault.flush()
    size = path.stat().st_size
    vault.rotate()
    assert path.stat().st_size == size
    vault.erase([], ids[:1_000])
    vault.rotate()
    assert sorted(vault.unseal(ids)) == ids[1_000:].tolist()


def test_an_empty_vault_can_be_rotated(vault: Vault) -> None:
    assert vault.rotate() == (2, 0) and vault.epochs() == {2: 0}


class Cut(BaseException):
    """A kill."""


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_a_rotation_that_was_cut_off_goes_on_under_the_same_epoch(path: Path, turns: int) -> None:
    vault = Vault(path, SECRETS)
    ids = vault.seal([blob(n) for n in range(6_000)], 1)
    left = turns

    def cut(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Cut

    with pytest.raises(Cut):
        vault.rotate(cut)
    shutil.copytree(path.parent, path.parent / "copy", ignore=shutil.ignore_patterns("copy"))
    vault.close()
    again = Vault(path.parent / "copy" / "vault.db", SECRETS)
    assert set(again.epochs()) == {1, 2}
    assert again.unseal(ids) == {int(r): blob(n) for n, r in enumerate(ids)}
    again.seal([b"between"], 2)
    assert again.rotate()[0] == 2 and again.epochs() == {2: 6_001}
    assert again.unseal(ids) == {int(r): blob(n) for n, r in enumerate(ids)}
    again.close()


def test_a_rotation_killed_for_good_is_finished_by_the_next(path: Path) -> None:
    vault = Vault(path, SECRETS)
    ids = vault.seal([blob(n) for n in range(20_000)], 1)
    vault.close()
    code = f"""
        import sys
        from pathlib import Path
        from tessera.trust.secrets import Secrets
        from tessera.trust.vault import Vault
        Vault(Path({str(path)!r}), Secrets(bytes(range(32)))).rotate(lambda s, n, of: print(n, flush=True))
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    vault = Vault(path, SECRETS)
    assert vault.unseal(ids[::37]) == {int(r): blob(n) for n, r in enumerate(ids) if n % 37 == 0}
    vault.rotate()
    assert list(vault.epochs().values()) == [20_000]
    assert vault.unseal(ids[::37]) == {int(r): blob(n) for n, r in enumerate(ids) if n % 37 == 0}
    vault.close()


def test_an_erasure_and_a_landing_meanwhile_are_kept(path: Path) -> None:
    vault = Vault(path, SECRETS)
    ids = vault.seal([blob(n) for n in range(8_000)], 1)
    sealed: list[int] = []
    started = threading.Event()

    def land() -> None:
        started.wait(10)
        for n in range(30):
            sealed.extend(vault.seal([b"new %d" % n] * 100, 2).tolist())

    def erase(*_: Any) -> None:
        started.set()
        vault.erase([], [erased.pop() for _ in range(10)])

    erased = ids[::50].tolist()
    gone = set(erased)
    thread = threading.Thread(target=land)
    thread.start()
    vault.rotate(erase)
    thread.join()
    gone -= set(erased)
    found = vault.unseal(ids)
    assert len(gone) > 10 and found == {int(r): blob(n) for n, r in enumerate(ids) if int(r) not in gone}
    assert len(vault.unseal(sealed)) == 3_000 and list(vault.epochs()) == [2]
    vault.close()


def test_an_erasure_of_a_row_that_is_just_sealed_again_wins(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = vault.seal([blob(n) for n in range(300)], 1)
    real, once = vault_records.Records._resealed, [True]

    def resealed(self: Any, *row: Any) -> bytes:
        if once:
            once.pop()
            vault.erase([], ids[:3])
        return real(self, *row)

    monkeypatch.setattr(vault_records.Records, "_resealed", resealed)
    vault.rotate()
    assert sorted(vault.unseal(ids)) == ids[3:].tolist() and vault.epochs() == {2: 297}


def test_a_vault_copied_without_the_old_key_s_row_cannot_be_read_after_a_rotation(path: Path) -> None:
    vault = Vault(path, SECRETS)
    ids = vault.seal([b"old"], 1)
    vault.flush()
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    with closing(sqlite3.connect(copy)) as db:
        db.execute("DELETE FROM epochs")
        db.commit()
    vault.rotate()
    with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(copy)) as db:
        db.executemany("INSERT INTO epochs VALUES (1, ?)", live.execute("SELECT wrapped FROM epochs").fetchall())
        db.commit()
    vault.close()
    with pytest.raises(BrokenVault, match="fails its check"):
        Vault(copy, SECRETS).unseal(ids)


def test_hashes_of_an_erasure_list_find_the_keys_and_suppress_the_rest(tmp_path: Path) -> None:
    live, older = Vault(tmp_path / "live.db", SECRETS), Vault(tmp_path / "older.db", SECRETS)
    older.resolve("phone", ["1"])
    older.resolve("email", ["a", "b"])
    live.erase(live.resolve("email", ["b", "c"]))
    live.flush()
    with closing(sqlite3.connect(tmp_path / "live.db")) as db:
        hashes = [h for (h,) in db.execute("SELECT hash FROM suppressed")]
    assert older.hush(hashes) == older.resolve("email", ["b"], mint=False).tolist() == [3]
    older.erase([3])
    assert older.resolve("email", ["a", "b", "c"]).tolist() == [2, -1, -1]
    assert older.hush(hashes) == []
    for vault in (live, older):
        vault.close()


def test_numbers_that_were_given_after_a_backup_are_skipped(path: Path) -> None:
    vault = Vault(path, SECRETS)
    vault.resolve("email", ["a"])
    vault.skip(500)
    vault.skip(20)
    assert vault.max_key() == 500 and vault.kind_of([1]) == ["email"]
    vault.close()
    vault = Vault(path, SECRETS)
    assert vault.resolve("email", ["b"]).tolist() == [501]
    vault.close()


def test_the_file_is_still_and_whole_for_a_backup(vault: Vault, path: Path) -> None:
    ids = vault.seal([blob(n) for n in range(500)], 1)
    with vault.still() as file:
        copy = file.with_name(f"copy-{os.getpid()}.db")
        shutil.copy(file, copy)
    again = Vault(copy, SECRETS)
    assert len(again.unseal(ids)) == 500
    again.close()
