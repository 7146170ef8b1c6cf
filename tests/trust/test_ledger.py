"""The ledger keeps what was acknowledged, through kills and torn files, and tells of every change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from tessera.errors import BadInput, BrokenTrail, NotFound
from tessera.trust.keysets import KeySets, verify_member
from tessera.trust.ledger import Entry, Keys, Ledger, Report, Use
from tessera.trust.merkle import verify_consistency
from tessera.trust.trail import audit, public_key, verify_entry

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
SALT = b"s" * 32
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
READ = Use(
    actor="ana", role="analyst", act="read", purpose="analytics", tables=(("EVENTS", 3), ("MEMBERSHIP", 12)),
    categories=("user.behavior", "user.account"), rows=12, reason="analysts may read behaviour",
)  # fmt: skip


def opened(folder: Path, seal_every: int = 4) -> Ledger:
    return Ledger(folder, KEY, SALT, lambda: NOON, seal_every=seal_every)


def audited(folder: Path) -> Report:
    return audit(folder, public_key(folder), KeySets(folder / "sets", SALT))


def crashed(ledger: Ledger, to: Path) -> Path:
    """The folder as a crash now would leave it."""
    return Path(shutil.copytree(ledger.folder, to))


def filled(folder: Path, entries: int = 10) -> Ledger:
    """A ledger whose every third entry names one of two sets, with heads at each fourth entry."""
    ledger = opened(folder)
    sets = [ledger.keep([1, 2, 3_000], "key"), ledger.keep([2, 9], "person", "at most")]
    for i in range(entries):
        ledger.append(msgspec.structs.replace(READ, rows=i, keys=sets[i // 3 % 2] if i % 3 == 0 else None))
    return ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with opened(tmp_path / "ledger") as made:
        yield made


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed ledger of ten entries."""
    folder = tmp_path_factory.mktemp("whole") / "ledger"
    filled(folder).close()
    return folder


def test_a_use_is_read_back_as_it_was_written(ledger: Ledger) -> None:
    entry = ledger.append(READ)
    assert (entry.seq, entry.at, entry.categories) == (0, "2024-03-01T12:00:00.000000Z", ("user.account", "user.behavior"))  # fmt: skip  # noqa: E501
    assert list(ledger.entries()) == [entry]
    line = (ledger.folder / "log.jsonl").read_text().strip()
    assert line == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"))


def test_a_clock_that_goes_back_does_not_turn_the_trail_back(tmp_path: Path) -> None:
    times = [NOON, NOON - timedelta(days=1), NOON.astimezone(timezone(timedelta(hours=8))) + timedelta(seconds=1)]
    clock = iter([NOON, *times, *[NOON - timedelta(days=2)] * 9])
    with Ledger(tmp_path, KEY, SALT, lambda: next(clock)) as ledger:
        at = [ledger.append(READ).at for _ in times]
    assert at == ["2024-03-01T12:00:00.000000Z", "2024-03-01T12:00:00.000000Z", "2024-03-01T12:00:01.000000Z"]
    with Ledger(tmp_path, KEY, SALT, lambda: NOON) as ledger:
        assert ledger.append(READ).at == at[-1]
        assert ledger.verify().ok


def test_entries_are_read_from_either_end_and_in_pages(ledger: Ledger) -> None:
    ledger.append_many([READ] * 11)

    def numbers(**asked: int) -> list[int]:
        return [entry.seq for entry in ledger.entries(**asked)]

    assert numbers() == list(range(11))
    assert numbers(newest_first=True) == list(range(10, -1, -1))
    assert numbers(start=3, limit=4) == [3, 4, 5, 6]
    assert numbers(before=9, limit=4, newest_first=True) == [8, 7, 6, 5]
    assert numbers(start=9, before=99) == [9, 10]
    assert numbers(start=20) == numbers(limit=0) == []


def test_entries_do_not_see_what_comes_after_they_were_asked_for(ledger: Ledger) -> None:
    ledger.append(READ)
    asked = ledger.entries()
    ledger.append(READ)
    assert len(list(asked)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "alowed"}, {"rows": "many"}, {"rows": True}, {"tables": ("EVENTS",)}, {"tables": (("EVENTS", "1"),)},
        {"tables": ((1, 1),)}, {"note": "x" * 201}, {"note": 7}, {"actor": "\ud800"}, {"actor": None}, {"role": 1},
        {"act": b"read"}, {"purpose": 1}, {"reason": 1}, {"categories": (1,)},
        {"keys": Keys(unit="cell", digest="ab" * 32, size=3)},
        {"keys": Keys(unit="key", digest=5, size=3)}, {"keys": Keys(unit="key", digest="ab" * 32, size="3")},
        {"keys": Keys(unit="key", digest="ab" * 32, size=3, bound="about")},
    ],
)  # fmt: skip
def test_what_is_no_entry_is_refused_and_nothing_is_written(ledger: Ledger, wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        ledger.append_many([READ, msgspec.structs.replace(READ, **wrong)])
    assert len(ledger) == 0 and (ledger.folder / "log.jsonl").read_bytes() == b""


@pytest.mark.parametrize("many", [1, 1_000])
def test_what_the_disk_does_not_take_is_acknowledged_to_nobody(
    ledger: Ledger, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many: the hashes of many are made while the disk takes them."""
    ledger.append(READ)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            ledger.append_many([READ] * many)
    assert len(ledger) == 1 and "the disk refused" in ledger.fault
    with pytest.raises(BrokenTrail):
        ledger.append(READ)


def test_an_entry_names_only_sets_that_are_kept(ledger: Ledger) -> None:
    with pytest.raises(BadInput, match="keep it first"):
        ledger.append(msgspec.structs.replace(READ, keys=Keys(unit="key", digest="ab" * 32, size=3)))


def test_a_persons_uses_are_those_whose_set_holds_one_of_her_ids(tmp_path: Path) -> None:
    with filled(tmp_path) as ledger:
        assert [e.seq for e in ledger.of([3_000], "key")] == [0, 6]
        assert [e.seq for e in ledger.of([2], "person", newest_first=True)] == [9, 3]
        assert [e.seq for e in ledger.of({9, 77}, "key")] == []


def test_the_index_of_uses_goes_on_with_the_log(tmp_path: Path) -> None:
    with filled(tmp_path) as ledger:
        assert ledger.numbers_of([2], "key") == [0, 6] and ledger.numbers_of([2], "person") == [3, 9]
        ledger.append_many([msgspec.structs.replace(READ, keys=ledger.keep([n], "key")) for n in (2, 5, 2)])
        assert ledger.numbers_of([2], "key") == [0, 6, 10, 12]
        assert [e.seq for e in ledger.of([5, 3_000], "key", newest_first=True)] == [11, 6, 0]


def test_an_empty_ledger_held_nobody(ledger: Ledger) -> None:
    assert ledger.numbers_of([2], "key") == list(ledger.of([2], "key")) == []


def test_each_entry_is_proved_under_a_signed_head_and_with_its_member_in_short(ledger: Ledger) -> None:
    keys = ledger.keep(range(5_000_000), "key", "at most")
    for _ in range(10):
        ledger.append(msgspec.structs.replace(READ, keys=keys))
    for seq in range(10):
        proof = ledger.proof(seq)
        assert verify_entry(proof, KEY.public_key())
        assert not verify_entry(
            msgspec.structs.replace(proof, line=proof.line.replace(b"ana", b"bob")), KEY.public_key()
        )
        assert not verify_entry(msgspec.structs.replace(proof, seq=seq + 1), KEY.public_key())
        assert not verify_entry(proof, Ed25519PrivateKey.generate().public_key())
    member = ledger.sets.prove(keys.digest, 4_321_000)
    assert member is not None and verify_member(keys.digest, 4_321_000, member)
    assert len(proof.line) + len(msgspec.msgpack.encode(member)) <= 1500
    with pytest.raises(NotFound):
        ledger.proof(10)


def test_any_two_heads_are_consistent(tmp_path: Path) -> None:
    with filled(tmp_path, 14) as ledger:
        heads = [ledger.head(), ledger.seal_head()]
        heads += [msgspec.convert(json.loads(x), type(heads[0])) for x in (tmp_path / "heads.jsonl").open()]
        assert {head.size for head in heads} == {0, 4, 8, 12, 14}
        for old in heads:
            for new in heads:
                if old.size <= new.size:
                    path = ledger.consistency(old.size, new.size)
                    roots = bytes.fromhex(old.root), bytes.fromhex(new.root)
                    assert verify_consistency(old.size, new.size, path, *roots)


def test_a_head_is_signed_once_for_the_same_entries(ledger: Ledger) -> None:
    ledger.append(READ)
    assert ledger.seal_head() == ledger.seal_head() == ledger.head()


def test_many_appends_at_once_from_many_threads_keep_one_order(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [e for many in pool.map(lambda _: ledger.append_many([READ] * 3), range(20)) for e in many]
    assert sorted(e.seq for e in made) == list(range(60))
    assert ledger.verify() == Report(entries=60, signed=60, root=ledger.head().root, ok=True)


def test_a_whole_ledger_verifies_and_opens_again_unchanged(whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "copy"))
    before = {f.name: f.read_bytes() for f in folder.iterdir() if f.is_file()}
    with opened(folder) as ledger:
        assert (ledger.fault, ledger.mended, len(ledger)) == ("", "", 10)
    assert {f.name: f.read_bytes() for f in folder.iterdir() if f.is_file()} == before
    assert audited(folder) == Report(entries=10, signed=10, root=ledger.head().root, ok=True)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_flipped_bit_of_log_heads_hashes_and_sets_is_found(whole: Path, data: st.DataObject) -> None:
    files = sorted(f.relative_to(whole) for f in whole.rglob("*") if f.suffix in (".jsonl", ".bin"))
    file = data.draw(st.sampled_from(files))
    content = bytearray((whole / file).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    with TemporaryDirectory() as place:
        folder = Path(shutil.copytree(whole, Path(place) / "ledger"))
        (folder / file).write_bytes(content)
        report = audited(folder)
        assert not report.ok and report.reason
        if file.name == "log.jsonl":
            assert report.first_bad == (whole / file).read_bytes()[:at].count(b"\n")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.lists(st.integers(0, 9), max_size=12).filter(lambda order: order != list(range(10))))
def test_entries_dropped_doubled_or_reordered_are_found_at_the_first(whole: Path, order: list[int]) -> None:
    lines = (whole / "log.jsonl").read_bytes().splitlines(keepends=True)
    with TemporaryDirectory() as place:
        folder = Path(shutil.copytree(whole, Path(place) / "ledger"))
        (folder / "log.jsonl").write_bytes(b"".join(lines[i] for i in order))
        report = audited(folder)
        first = next((i for i, seq in enumerate(order) if i != seq), len(order))
        assert (report.ok, report.first_bad) == (False, first)


def test_a_trail_forged_together_with_its_hashes_still_lacks_our_signature(whole: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged"
    with Ledger(forged, Ed25519PrivateKey.generate(), SALT, lambda: NOON, seal_every=4) as other:
        other.append_many([READ] * 10)
    assert audited(forged).ok
    assert "signature" in audit(forged, public_key(whole), None).reason
    for file in ("heads.jsonl", "public.pem"):
        shutil.copy(whole / file, forged)
    report = audited(forged)
    assert (report.first_bad, report.reason) == (
        0,
        "entries 0 to 3 are not those signed at 2024-03-01T12:00:00.000000Z",
    )
    with pytest.raises(BrokenTrail) as broken:
        report.demand()
    assert broken.value.entry == 0


def dropped_head(folder: Path) -> None:
    lines = (folder / "heads.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "heads.jsonl").write_bytes(b"".join(lines[:1] + lines[2:]))


def gone(name: str) -> Callable[[Path], None]:
    return lambda folder: next(folder.glob(name)).unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (dropped_head, "signed head 1 is missing"),
        (gone("heads.jsonl"), "only 0 signed heads"),
        (gone("log.jsonl"), "the log ends after 0 entries"),
        (gone("tree.bin"), "opening the ledger makes it anew"),
        (gone("sets/*.bin"), "is missing"),
    ],
)
def test_what_is_missing_is_named(whole: Path, tmp_path: Path, change: Callable[[Path], None], reason: str) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "copy"))
    change(folder)
    assert reason in audited(folder).reason


def test_an_open_ledger_misses_what_was_cut_behind_its_back(tmp_path: Path) -> None:
    with filled(tmp_path / "a") as ledger:
        for name, lines in {"log.jsonl": 9, "heads.jsonl": 2}.items():
            file = tmp_path / "a" / name
            before = file.read_bytes()
            file.write_bytes(b"".join(before.splitlines(keepends=True)[:lines]))
            assert not ledger.verify().ok
            file.write_bytes(before)
        assert ledger.verify().ok


def test_an_unfinished_last_line_is_cut_and_nothing_else(tmp_path: Path) -> None:
    ledger = filled(tmp_path / "a")
    acknowledged = list(ledger.entries())
    for length in (1, 40, 200):
        folder = crashed(ledger, tmp_path / f"crash{length}")
        with (folder / "log.jsonl").open("ab") as log:
            log.write((folder / "log.jsonl").read_bytes()[:length])
        with opened(folder) as again:
            assert again.mended == f"an unfinished tail of {length} bytes was cut"
            assert list(again.entries()) == acknowledged
            assert again.append(READ).seq == 10
        assert audited(folder).ok
    ledger.close()


def test_a_crash_at_any_byte_keeps_every_whole_entry(tmp_path: Path) -> None:
    clock = iter(NOON + timedelta(seconds=i) for i in range(99))
    ledger = Ledger(tmp_path / "a", KEY, SALT, lambda: next(clock), seal_every=4)
    ledger.append(READ)
    acknowledged = ledger.append_many([READ] * 5)
    signed, whole = ledger.head().length, (ledger.folder / "log.jsonl").read_bytes()
    folder = crashed(ledger, tmp_path / "crash")
    for length in range(signed, len(whole) + 1, 9):
        (folder / "log.jsonl").write_bytes(whole[:length])
        (folder / "tree.bin").write_bytes(b"")
        again = opened(folder)
        assert again.fault == "" and len(again) == whole[:length].count(b"\n")
        assert list(again.entries(start=1)) == acknowledged[: len(again) - 1]
    ledger.close()


def test_hashes_that_lag_or_are_lost_are_made_anew(tmp_path: Path) -> None:
    ledger = filled(tmp_path / "a")
    root = ledger.verify().root
    size = (ledger.folder / "tree.bin").stat().st_size
    for length in (0, 32, size // 2 + 5, size - 1, size - 64):
        folder = crashed(ledger, tmp_path / f"crash{length}")
        content = (folder / "tree.bin").read_bytes()[:length]
        (folder / "tree.bin").write_bytes(content)
        with opened(folder) as again:
            assert (again.fault, again.verify().root, len(again)) == ("", root, 10)
    folder = crashed(ledger, tmp_path / "zeros")
    (folder / "tree.bin").write_bytes(bytes(size))
    with opened(folder) as again:
        assert again.mended == "the hashes were made anew from the log" and again.verify().root == root
    ledger.close()


def test_an_unfinished_head_is_written_again(tmp_path: Path) -> None:
    ledger = filled(tmp_path / "a")
    folder = crashed(ledger, tmp_path / "crash")
    heads = (folder / "heads.jsonl").read_bytes()
    (folder / "heads.jsonl").write_bytes(heads[:-20])
    with opened(folder) as again:
        assert again.mended == "an unfinished head was written again" and len(again) == 10
    assert audited(folder) == Report(entries=10, signed=10, root=again.head().root, ok=True)
    ledger.close()


@pytest.mark.parametrize("also", ["nothing", "copy gone", "copy of before"])
def test_a_head_cut_to_be_rid_of_what_it_signs_is_missed(tmp_path: Path, also: str) -> None:
    """A forger with the files and no key: cuts the last head, drops entries that it signs, has the hashes made anew."""
    ledger = filled(tmp_path / "a")
    ledger.seal_head()
    older = (tmp_path / "a" / "newest.head").read_bytes()
    ledger.append_many([READ] * 6)
    folder = crashed(ledger, tmp_path / "crash")
    ledger.close()
    heads = (folder / "heads.jsonl").read_bytes()
    (folder / "heads.jsonl").write_bytes(heads[:-20])
    if also == "copy gone":
        (folder / "newest.head").unlink()
    elif also == "copy of before":
        (folder / "newest.head").write_bytes(older)
        (folder / "heads.jsonl").write_bytes(heads)
    lines = (folder / "log.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "log.jsonl").write_bytes(b"".join(lines[:6] + lines[8:]))
    (folder / "tree.bin").unlink()
    with opened(folder) as again:
        assert again.fault and not again.verify().ok


def test_hashes_of_entries_that_are_gone_leave_a_trace_in_the_ledger(tmp_path: Path) -> None:
    ledger = filled(tmp_path / "a")
    folder = crashed(ledger, tmp_path / "crash")
    lines = (folder / "log.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "log.jsonl").write_bytes(b"".join(lines[:9]))
    with opened(folder) as again:
        (trace,) = again.entries(start=9)
        assert (trace.act, trace.note) == ("mend", again.mended) and "1 entries before its hashes" in again.mended
        assert again.verify().ok
    ledger.close()


@pytest.mark.parametrize("line", [2, 9])
def test_a_log_that_contradicts_its_hashes_or_head_is_readable_and_takes_no_more(tmp_path: Path, line: int) -> None:
    ledger = filled(tmp_path / "a")
    folder = crashed(ledger, tmp_path / "crash")
    lines = (folder / "log.jsonl").read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b'"actor":"ana"', b'"actor":"bob"')
    (folder / "log.jsonl").write_bytes(b"".join(lines))
    if line == 2:
        (folder / "tree.bin").unlink()
    with opened(folder) as again:
        assert again.fault
        with pytest.raises(BrokenTrail):
            again.append(READ)
        assert not again.verify().ok
        assert [e.actor for e in again.entries(start=line, limit=1)] == ["bob"] * (len(again) > line)
    ledger.close()


def test_a_log_shorter_than_its_signed_head_is_never_gone_on_with(whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "copy"))
    content = (folder / "log.jsonl").read_bytes()
    (folder / "log.jsonl").write_bytes(content[:-1])
    with opened(folder) as again:
        assert "ends before the 10 entries" in again.fault
        assert again.verify().first_bad == 9
    assert (folder / "log.jsonl").read_bytes() == content[:-1], "what is found is left as it was found"


def test_another_signing_key_does_not_go_on_with_our_ledger(whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "copy"))
    with Ledger(folder, Ed25519PrivateKey.generate(), SALT, lambda: NOON) as other:
        assert "does not carry our signature" in other.fault
    shutil.copytree(whole, folder, dirs_exist_ok=True)
    (folder / "public.pem").unlink()
    with opened(folder) as again:
        assert again.fault == ""
    assert public_key(folder) == KEY.public_key()


def test_a_closed_ledger_takes_no_more_and_is_still_read(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    ledger.close()
    ledger.close()
    with pytest.raises(BrokenTrail, match="closed"):
        ledger.append(READ)
    assert len(list(ledger.entries())) == 10 and ledger.verify().ok


KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
sys.path.insert(0, {here!r})
from test_ledger import KEY, READ, SALT, Ledger
import msgspec
ledger = Ledger(Path(sys.argv[1]), KEY, SALT, lambda: datetime.now(UTC), seal_every=8)
row = 0
while True:
    uses = [msgspec.structs.replace(READ, rows=row + i) for i in range(row % 5 + 1)]
    for entry in ledger.append_many(uses):
        sys.stdout.write(f"{{entry.seq}} {{entry.rows}}\\n")
    sys.stdout.flush()
    row += len(uses)
"""


def test_no_acknowledged_entry_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    program = KILLED.format(here=str(Path(__file__).parent))
    acknowledged: list[str] = []
    for round_ in range(2):
        child = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        told = [child.stdout.readline()]
        time.sleep(0.1 + 0.05 * round_)
        child.kill()
        told += child.stdout.readlines()
        child.wait()
        acknowledged += [line for line in told if line.endswith("\n")]
    with Ledger(tmp_path, KEY, SALT, lambda: datetime.now(UTC)) as ledger:
        assert ledger.verify().ok
        held: dict[int, Entry] = {entry.seq: entry for entry in ledger.entries()}
    assert len(acknowledged) > 20
    for line in acknowledged:
        seq, row = map(int, line.split())
        assert held[seq].rows == row


def test_an_append_with_a_kept_set_is_quick(tmp_path: Path) -> None:
    with opened(tmp_path, seal_every=256) as ledger:
        use = msgspec.structs.replace(READ, keys=ledger.keep(BitMap(range(100_000)), "key"))
        ledger.append(use)
        start = time.process_time()
        for _ in range(200):
            ledger.append(use)
        assert (time.process_time() - start) / 200 < 0.002
