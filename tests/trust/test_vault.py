"""The vault: numbers for identifiers, sealed records, and what is left of an erased person (nothing)."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessera.errors import BrokenVault, LakeError, NotFound
from tessera.trust.secrets import Secrets
from tessera.trust.vault import Vault
from tessera.trust.vault_file import CHUNK, told
from tessera.words import KINDS

SECRETS = Secrets(bytes(range(32)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.db"


@pytest.fixture
def vault(path: Path) -> Iterator[Vault]:
    vault = Vault(path, SECRETS)
    yield vault
    vault.close()


def bytes_on_disk(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(path.name + "*")) if "-shm" not in file.name)


def blind_of(kind: str, value: str) -> bytes:
    key = SECRETS.derive("blind-index")
    return hashlib.blake2b(value.encode(), key=key, digest_size=16, person=kind.encode()).digest()


def test_a_value_keeps_its_key_and_kinds_do_not_mix(vault: Vault) -> None:
    first = vault.resolve("email", ["a@x.org", "b@x.org"])
    assert first.dtype == np.int32
    assert sorted(first.tolist()) == [1, 2]
    assert vault.resolve("email", ["b@x.org", "a@x.org"]).tolist() == first[::-1].tolist()
    assert vault.resolve("phone", ["a@x.org"]).tolist() == [3]
    assert vault.kind_of([3, int(first[0]), 99]) == ["phone", "email", ""]
    assert vault.max_key() == 3


def test_an_unknown_value_is_0_when_nothing_may_be_minted(vault: Vault) -> None:
    assert vault.resolve("email", ["a@x.org"], mint=False).tolist() == [0]
    assert vault.max_key() == 0
    assert vault.resolve("email", []).tolist() == []
    assert vault.seal([], 1).tolist() == []


def test_an_unknown_kind_is_refused_with_those_known(vault: Vault) -> None:
    with pytest.raises(NotFound, match="Did you mean 'email'"):
        vault.resolve("mail", ["a@x.org"])


def test_many_values_over_many_chunks_get_distinct_keys_and_find_them_again(vault: Vault) -> None:
    values = [f"v{n}" for n in range(2 * CHUNK + 7)]
    some = vault.resolve("device_id", values[::3])
    keys = vault.resolve("device_id", values)
    assert len(set(keys.tolist())) == len(values) == vault.counts()["keys"]
    assert keys[::3].tolist() == some.tolist()
    assert vault.resolve("device_id", values, mint=False).tolist() == keys.tolist()


def test_a_value_given_twice_in_a_call_gets_one_key(vault: Vault) -> None:
    keys = vault.resolve("email", ["a", "b", "a"]).tolist()
    assert keys[0] == keys[2] != keys[1]
    assert vault.counts()["keys"] == 2


def test_keys_survive_closing_and_the_file_is_its_owners_alone(path: Path) -> None:
    vault = Vault(path, SECRETS)
    key = vault.resolve("email", ["a@x.org"])
    for file in path.parent.glob("vault.db*"):
        assert file.stat().st_mode & 0o777 == 0o600
    vault.close()
    vault = Vault(path, SECRETS)
    assert vault.resolve("email", ["a@x.org", "new"]).tolist() == [*key.tolist(), 2]
    vault.close()


def test_erased_values_come_back_suppressed_until_lifted_and_then_under_a_new_key(vault: Vault) -> None:
    keys = vault.resolve("email", ["a", "b", "c"])
    proof = vault.erase(keys[:2])
    assert (proof.store, proof.removed, proof.complete, proof.note) == ("vault", 2, True, "2 keys, 0 records")
    assert vault.resolve("email", ["a", "b", "c"]).tolist() == [-1, -1, keys[2]]
    assert vault.resolve("email", ["a"], mint=False).tolist() == [-1]
    assert vault.suppressed("email", ["a", "c", "new"]).tolist() == [True, False, False]
    assert vault.suppressed("phone", ["a"]).tolist() == [False]
    assert vault.lift("email", "a")
    assert not vault.lift("email", "a")
    assert vault.resolve("email", ["a"]).tolist() == [4]
    assert vault.erase(keys[:2]).removed == 0


def test_the_number_of_an_erased_key_never_comes_back(path: Path) -> None:
    vault = Vault(path, SECRETS)
    vault.erase(vault.resolve("email", ["a", "b"]))
    vault.close()
    vault = Vault(path, SECRETS)
    assert vault.resolve("email", ["c"]).tolist() == [3]
    vault.close()


acts = st.lists(
    st.tuples(
        st.sampled_from(["resolve", "peek", "erase", "lift", "reopen"]),
        st.sampled_from(KINDS[:2]),
        st.lists(st.sampled_from("abcdef"), unique=True, max_size=4),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acts)
def test_the_vault_agrees_with_a_dictionary(acts: list[tuple[str, str, list[str]]]) -> None:
    known: dict[tuple[str, str], int] = {}
    barred: set[tuple[str, str]] = set()
    used: set[int] = set()
    with tempfile.TemporaryDirectory() as folder:
        vault = Vault(Path(folder) / "vault.db", SECRETS)
        for act, kind, values in acts:
            names = [(kind, value) for value in values]
            if act in ("resolve", "peek"):
                keys = vault.resolve(kind, values, mint=act == "resolve").tolist()
                for name, key in zip(names, keys, strict=True):
                    if name in barred:
                        assert key == -1
                    elif name in known or act == "peek":
                        assert key == known.get(name, 0)
                    else:
                        assert key > 0 and key not in used
                        known[name] = key
                        used.add(key)
                        assert vault.kind_of([key]) == [kind]
            elif act == "erase":
                there = [name for name in names if name in known]
                assert vault.erase([known[name] for name in there]).removed == len(there)
                barred.update(there)
                for name in there:
                    del known[name]
            elif act == "lift":
                assert [vault.lift(*name) for name in names] == [name in barred for name in names]
                barred.difference_update(names)
            else:
                vault.close()
                vault = Vault(Path(folder) / "vault.db", SECRETS)
            assert vault.suppressed(kind, values).tolist() == [name in barred for name in names]
        assert vault.counts() == {"keys": len(known), "suppressed": len(barred), "records": 0}
        vault.close()


def test_sealed_records_come_back_and_no_clear_byte_is_on_disk(vault: Vault, path: Path) -> None:
    blobs = [b"", b"x", *(b"Ada Lovelace %d" % n for n in range(300)), b"long" * 40_000]
    records = vault.seal(blobs, 1)
    assert records.dtype == np.int64
    assert np.diff(records).tolist() == [1] * (len(blobs) - 1)
    assert vault.unseal(records) == dict(zip(records.tolist(), blobs, strict=True))
    assert vault.unseal([int(records[-1]) + 1, 10**9]) == {}
    again = vault.seal([b"y"], 1)
    assert again[0] > records[-1] and again[0] % 128 == 0
    vault.flush()
    assert b"Lovelace" not in bytes_on_disk(path)


def test_erased_records_are_gone_and_their_neighbours_stay(vault: Vault) -> None:
    blobs = [b"blob %d" % n * (n % 7) for n in range(500)]
    records = vault.seal(blobs, 1)
    rng = np.random.default_rng(0)
    model = dict(zip(records.tolist(), blobs, strict=True))
    for _ in range(5):
        gone = rng.choice(records, 60)
        assert vault.erase([], gone).removed == sum(record in model for record in set(gone.tolist()))
        for record in gone.tolist():
            model.pop(record, None)
        assert vault.unseal(records) == model
        assert vault.counts()["records"] == len(model)
    assert vault.erase([], np.arange(10**6)).removed == len(model)
    assert vault.unseal(records) == {}


def test_a_dropped_batch_is_gone_and_its_ids_do_not_come_back(path: Path) -> None:
    vault = Vault(path, SECRETS)
    kept, lost = vault.seal([b"kept"] * 3, 1), vault.seal([b"lost"] * 3_000, 2)
    assert vault.drop_batch(2) == 3_000
    assert vault.drop_batch(2) == 0
    assert vault.unseal(lost) == {}
    assert len(vault.unseal(kept)) == 3
    vault.close()
    vault = Vault(path, SECRETS)
    assert vault.seal([b"next"], 3)[0] > lost[-1]
    vault.close()


def test_a_record_moved_to_another_place_or_changed_fails_its_check(path: Path) -> None:
    vault = Vault(path, SECRETS)
    records = vault.seal([b"mine", b"hers"], 1)
    vault.close()
    db = sqlite3.connect(path)
    (cells,) = db.execute("SELECT cells FROM records").fetchone()
    half = len(cells) // 2
    db.execute("UPDATE records SET cells = ?", (cells[half:] + cells[:half],))
    db.commit()
    db.close()
    vault = Vault(path, SECRETS)
    with pytest.raises(BrokenVault, match=f"Record {records[0]} of the vault fails its check"):
        vault.unseal(records)
    vault.close()


def test_of_an_erased_person_no_byte_is_left_in_file_or_wal(vault: Vault, path: Path) -> None:
    people = [f"person{n}@x.org" for n in range(5_000)]
    keys = vault.resolve("email", people)
    records = vault.seal([os.urandom(150) for _ in people], 1)
    vault.flush()
    with sqlite3.connect(path) as db:
        packed = {
            row: (np.frombuffer(s, np.uint32), c) for row, s, c in db.execute("SELECT row, sizes, cells FROM records")
        }
    db.close()
    cells = [
        packed[r // 128][1][packed[r // 128][0][: r % 128].sum() :][: packed[r // 128][0][r % 128]]
        for r in records.tolist()
    ]
    gone = list(range(0, 5_000, 9))
    # A cell may run over an overflow page's edge, so three parts of it are looked for, each by itself.
    traces = [part for n in gone for part in (cells[n][:16], cells[n][80:96], cells[n][-16:])]
    blinds = [blind_of("email", people[n]) for n in gone]
    before = bytes_on_disk(path)
    assert sum(trace in before for trace in traces) > 0.95 * len(traces)
    assert all(blind in before for blind in blinds)

    assert vault.erase(keys[gone], records[gone]).note == f"{len(gone)} keys, {len(gone)} records"
    assert path.with_name("vault.db-wal").stat().st_size == 0
    after = bytes_on_disk(path)
    assert sum(trace in after for trace in traces) == 0
    assert sum(blind in after for blind in blinds) <= 0.01 * len(blinds), "only what SQLite moved between pages"
    vault.scrub()
    after = bytes_on_disk(path)
    assert sum(blind in after for blind in blinds) == 0
    stay = [n for n in range(5_000) if n % 9]
    assert vault.resolve("email", [people[n] for n in stay], mint=False).tolist() == keys[stay].tolist()
    assert len(vault.unseal(records)) == len(stay)
    assert vault.suppressed("email", [people[n] for n in gone]).all()


def test_another_master_key_is_refused_and_named_by_its_fingerprint(path: Path) -> None:
    Vault(path, SECRETS).close()
    other = Secrets(bytes(32))
    with pytest.raises(BrokenVault, match=f"{SECRETS.fingerprint()}.*{other.fingerprint()}.*TESSERA_MASTER_KEY"):
        Vault(path, other)
    Vault(path, SECRETS).close()


def test_a_newer_version_and_a_file_that_is_no_vault_are_refused(path: Path) -> None:
    Vault(path, SECRETS).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = 3 WHERE name = 'version'")
    db.close()
    with pytest.raises(BrokenVault, match=r"version 3.*Upgrade"):
        Vault(path, SECRETS)
    path.write_bytes(b"not a database, " * 400)
    with pytest.raises(BrokenVault, match="not a vault"):
        Vault(path, SECRETS)
    with pytest.raises(BrokenVault, match="cannot be made"):
        Vault(path.parent / "nowhere" / "vault.db", SECRETS)


def test_a_full_disk_is_told_in_our_words_and_without_values(path: Path) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t(x)")
    db.execute("PRAGMA max_page_count = 4")
    with pytest.raises(LakeError, match="The disk is full") as caught, told(path):
        db.execute("INSERT INTO t VALUES (?)", (b"a@x.org" * 10_000,))
    db.close()
    assert "x.org" not in str(caught.value)


def test_a_closed_vault_raises_our_error(path: Path) -> None:
    vault = Vault(path, SECRETS)
    vault.close()
    with pytest.raises(BrokenVault, match="does not work"):
        vault.resolve("email", ["a"])


def test_doors_and_bulk_at_once_both_end_with_the_right_keys(vault: Vault) -> None:
    values = [f"v{n}" for n in range(20_000)]
    doors: dict[str, int] = {}
    bulk: list[np.ndarray] = []
    sealed: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: bulk.append(vault.resolve("email", values))),
        threading.Thread(target=lambda: sealed.append(vault.seal([v.encode() for v in values], 1))),
    ]
    for thread in threads:
        thread.start()
    for n in range(0, 20_000, 100):  # the same values, in pairs, while the bulk call is under way
        pair = values[n : n + 2]
        doors.update(zip(pair, vault.resolve("email", pair).tolist(), strict=True))
    for thread in threads:
        thread.join()
    keys = dict(zip(values, bulk[0].tolist(), strict=True))
    assert doors.items() <= keys.items()
    assert len(set(keys.values())) == len(values) == vault.counts()["keys"]
    assert vault.unseal(sealed[0]) == dict(zip(sealed[0].tolist(), (v.encode() for v in values), strict=True))


KILLED = """
import sys, threading, time
from pathlib import Path
from tessera.trust.secrets import Secrets
from tessera.trust.vault import Vault

vault = Vault(Path(sys.argv[1]), Secrets(bytes(range(32))))
threading.Thread(target=lambda: vault.resolve("email", [f"v{n}" for n in range(400_000)]), daemon=True).start()
n = 0
while True:
    key = vault.resolve("phone", [f"p{n}"])[0]
    print(n, key, flush=True)
    n += 1
    time.sleep(0.002)
"""


def test_a_killed_bulk_call_loses_no_doors_key_and_doubles_no_number(path: Path) -> None:
    lines = []
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        deadline = time.monotonic() + 60
        while (not lines or int(lines[-1].split()[1]) < 40_000) and time.monotonic() < deadline:
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    seen = {f"p{n}": int(key) for n, key in (line.split() for line in lines if line.endswith("\n"))}
    vault = Vault(path, SECRETS)
    assert vault.resolve("phone", list(seen), mint=False).tolist() == list(seen.values())
    values = [f"v{n}" for n in range(400_000)]
    last = vault.max_key()
    there = vault.resolve("email", values[:100_000], mint=False)
    assert 0 < np.count_nonzero(there) < 100_000, "killed in the middle"
    keys = vault.resolve("email", values[:100_000])
    assert keys[there > 0].tolist() == there[there > 0].tolist()
    assert keys[there == 0].min() > last
    assert len(set(keys.tolist()) | set(seen.values())) == 100_000 + len(seen)
    vault.close()
