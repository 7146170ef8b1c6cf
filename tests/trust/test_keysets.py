"""Sets of keys: one digest for one set, written once, and membership that can be shown without showing the set."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from tessera.errors import BadInput, BrokenTrail
from tessera.trust.keysets import CHUNK, KeySets, Membership, chunks, verify_member
from tessera.trust.merkle import EMPTY

SALT = b"sixteen secret b"
EDGES = [0, 1, 1023, 1024, 70_000, 512 * 1024 - 1, 512 * 1024, 2**32 - 1025, 2**32 - 1]


@pytest.fixture
def sets(tmp_path: Path) -> KeySets:
    return KeySets(tmp_path / "sets", SALT)


@given(st.sets(st.integers(0, 5000) | st.integers(0, 2**32 - 1), max_size=60))
def test_chunks_hold_exactly_the_ids_of_the_set(ids: set[int]) -> None:
    held = set()
    for number, chunk in chunks(np.array(sorted(ids), dtype=np.uint32)):
        bits = int.from_bytes(chunk, "little")
        assert bits and len(chunk) == 128
        held |= {number * CHUNK + i for i in range(CHUNK) if bits >> i & 1}
    assert held == ids


def test_one_set_has_one_digest_however_it_comes(sets: KeySets) -> None:
    kept = sets.keep(EDGES, "key")
    assert kept.size == len(EDGES)
    for same in (BitMap(EDGES), np.array(EDGES[::-1] + EDGES[:2]), iter(EDGES), frozenset(EDGES)):
        assert sets.keep(same, "key") == kept
    assert sets.keep(EDGES[1:], "key").digest != kept.digest
    assert sets.load(kept.digest) == BitMap(EDGES)


def test_a_set_that_is_kept_already_writes_nothing(sets: KeySets) -> None:
    kept = sets.keep(EDGES, "key")
    (file,) = sets.folder.iterdir()
    before = file.stat()
    assert sets.keep(BitMap(EDGES), "person") == type(kept)(kept.digest, kept.size, "person")
    assert list(sets.folder.iterdir()) == [file]
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_another_salt_gives_another_digest(sets: KeySets, tmp_path: Path) -> None:
    assert KeySets(tmp_path / "other", b"x" * 16).keep([1, 2], "key") != sets.keep([1, 2], "key")


def test_the_empty_set_is_kept_and_holds_nobody(sets: KeySets) -> None:
    kept = sets.keep([], "person")
    assert (kept.digest, kept.size) == (EMPTY.hex(), 0)
    assert sets.prove(kept.digest, 1) is None and not sets.holds_any(kept.digest, BitMap([1]))
    sets.check(kept.digest, 0)


def test_each_member_is_proved_and_no_one_else(sets: KeySets) -> None:
    kept = sets.keep(EDGES, "key")
    for member in EDGES:
        proof = sets.prove(kept.digest, member)
        assert proof is not None and verify_member(kept.digest, member, proof)
        for other in {2, 1022, member ^ 1024, 2**31} - set(EDGES):
            assert not verify_member(kept.digest, other, proof)
            assert sets.prove(kept.digest, other) is None


def test_a_forged_proof_is_refused(sets: KeySets) -> None:
    digest = sets.keep(range(0, 40_000, 3), "key").digest
    proof = sets.prove(digest, 30_000)
    assert proof is not None and verify_member(digest, 30_000, proof)
    full = b"\xff" * 128
    forged = [
        (30_001, msgspec.structs.replace(proof, chunk=full)),
        (30_000 + CHUNK, msgspec.structs.replace(proof, number=proof.number + 1)),
        (30_000, msgspec.structs.replace(proof, nonce=bytes(16))),
        (30_000, msgspec.structs.replace(proof, left=proof.left ^ 1)),
        (30_000, msgspec.structs.replace(proof, left=proof.left | 1 << len(proof.path))),
        (30_000, msgspec.structs.replace(proof, path=proof.path[:-1])),
        (30_000, msgspec.structs.replace(proof, path=(EMPTY, *proof.path[1:]))),
        (30_001, Membership(proof.number, bytes(16), full, 0, ())),
        (30_000, msgspec.structs.replace(proof, chunk=proof.chunk + b"\0")),
    ]
    assert not any(verify_member(digest, member, forgery) for member, forgery in forged)


def test_a_set_tells_whether_it_holds_any_of_some_ids(sets: KeySets) -> None:
    digest = sets.keep(EDGES, "key").digest
    assert sets.holds_any(digest, BitMap([5, 1023]))
    assert not sets.holds_any(digest, BitMap([5, 1025]))


def test_every_changed_byte_of_a_set_file_is_found(sets: KeySets) -> None:
    kept = sets.keep(EDGES, "key")
    (file,) = sets.folder.iterdir()
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BrokenTrail, match="altered"):
            sets.check(kept.digest, kept.size)
    file.write_bytes(whole[:-1])
    with pytest.raises(BrokenTrail, match="altered"):
        sets.check(kept.digest, kept.size)
    file.unlink()
    with pytest.raises(BrokenTrail, match="missing"):
        sets.check(kept.digest, kept.size)


def test_a_set_put_in_the_place_of_another_is_found(sets: KeySets) -> None:
    kept, other = sets.keep([1, 2, 3], "key"), sets.keep([1, 2, 4], "key")
    (sets.folder / f"{other.digest}.bin").rename(sets.folder / f"{kept.digest}.bin")
    with pytest.raises(BrokenTrail, match="does not hold the 3 ids"):
        sets.check(kept.digest, kept.size)


def test_a_set_that_is_near_to_another_is_kept_as_their_difference(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    ids = BitMap(np.flatnonzero(random.random(200_000) < 0.6).astype(np.uint32))
    drawn = [ids ^ BitMap(random.integers(0, 200_000, 30).astype(np.uint32)) for _ in range(12)]
    kept = [KeySets(tmp_path / "sets", SALT).keep(one, "key") for one in drawn]
    (base,), (near,) = (tmp_path / "sets").glob("*.bin"), (tmp_path / "sets").glob("*.near")
    assert near.stat().st_size < base.stat().st_size / 2, "one is whole, though each was kept by a process of its own"
    sets = KeySets(tmp_path / "sets", SALT)
    for one, found in zip(drawn, kept, strict=True):
        assert sets.load(found.digest) == one
        sets.check(found.digest, found.size)
        member = one[len(one) // 2]
        proof = sets.prove(found.digest, member)
        assert proof is not None and verify_member(found.digest, member, proof)
    for sought in (BitMap([7]), BitMap([8, 199_999]), BitMap([500_000])):
        expected = [not one.isdisjoint(sought) for one in drawn]
        assert list(sets.holding([k.digest for k in kept], sought)) == expected
    whole = near.read_bytes()
    near.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BrokenTrail, match="altered"):
        sets.check(kept[-1].digest, kept[-1].size)
    near.write_bytes(whole)
    base.write_bytes(base.read_bytes()[:-1] + b"x")
    with pytest.raises(BrokenTrail, match="altered"):
        KeySets(tmp_path / "sets", SALT).check(kept[-1].digest, kept[-1].size)
    again = KeySets(tmp_path / "sets", SALT)
    assert again.load(again.keep(ids, "key").digest) == ids, "a broken base keeps no new set from being kept"


def test_behind_a_torn_record_nothing_is_added_and_what_lies_before_is_read(tmp_path: Path) -> None:
    ids = BitMap(np.flatnonzero(np.random.default_rng(5).random(200_000) < 0.6).astype(np.uint32))
    first, second = (KeySets(tmp_path, SALT).keep(ids ^ BitMap([n]), "key") for n in (1, 2))
    (near,) = tmp_path.glob("*.near")
    whole = near.read_bytes()
    for length in (len(whole) + 9, len(whole) + len(whole) // 2):
        near.write_bytes((whole * 2)[:length])
        again = KeySets(tmp_path, SALT)
        kept = again.keep(ids ^ BitMap([length]), "key")
        assert near.stat().st_size == length and kept.digest in again
        for found in (first, second, kept):
            KeySets(tmp_path, SALT).check(found.digest, found.size)


def test_ids_out_of_range_and_short_salts_are_refused(sets: KeySets, tmp_path: Path) -> None:
    for wrong in ([-1], [2**32]):
        with pytest.raises(BadInput):
            sets.keep(wrong, "key")
    with pytest.raises(BadInput):
        KeySets(tmp_path, b"short")
    for name in ("../../etc/passwd", "ab", "Z" * 64):
        with pytest.raises(BrokenTrail):
            sets.load(name)


def test_a_large_set_is_digested_quickly_and_proved_shortly(sets: KeySets) -> None:
    ids = np.flatnonzero(np.random.default_rng(7).random(5_000_000) < 0.9)
    kept = sets.keep(ids, "key")
    bitmap = sets.load(kept.digest)
    start = time.perf_counter()
    assert sets.keep(bitmap, "key") == kept
    assert time.perf_counter() - start < 0.6, "measured 0.045 s on a quiet machine"
    member = int(ids[len(ids) // 2])
    proof = sets.prove(kept.digest, member)
    assert proof is not None and verify_member(kept.digest, member, proof)
    assert len(msgspec.msgpack.encode(proof)) <= 640
