"""The ledger: every use of data about people, appended for good, signed, and provable entry by entry.

An entry is safe on disk before `append` returns. Order of writes: its key set, its line, its hashes, and from time to
time a signed head; so what a crash leaves behind is at most an unfinished line or hashes that lag, and opening mends
both. What opening cannot mend, because the log contradicts a signed head or its hashes, leaves the ledger readable and
closed to appends: `fault` says why.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import accumulate, pairwise
from pathlib import Path
from threading import Lock, RLock
from types import TracebackType

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pyroaring import BitMap

from tessera.errors import BadInput, BrokenTrail, NotFound
from tessera.trust import checkpoint, trail
from tessera.trust.checkpoint import Checkpoint, Request
from tessera.trust.cosigned import CosignedCheckpoints
from tessera.trust.entries import Bound, Entry, Filter, Keys, Use, entry_in, entry_lines
from tessera.trust.keysets import Ids, KeySets, Unit
from tessera.trust.lately import Hers, Lately, Part
from tessera.trust.merkle import TreeFile, leaf_hash, leaf_hashes
from tessera.trust.setfiles import write_once
from tessera.trust.tallies import Counted, Tallies
from tessera.trust.trail import EntryProof, Head, Report
from tessera.trust.uses import Uses
from tessera.words import Clock

__all__ = ["Entry", "EntryProof", "Filter", "Head", "Keys", "Ledger", "Report", "Use"]


AT = "%Y-%m-%dT%H:%M:%S.%fZ"
"""The form of an entry's time."""
LATELY = timedelta(days=30)
"""How far back `lately` goes."""

WORTH_A_THREAD = 256
"""Entries of one append from which their hashes are made while the disk takes their lines."""


class Ledger:
    """The ledger of one workspace: one process writes it, any of its threads."""

    def __init__(
        self, folder: Path, signing_key: Ed25519PrivateKey, salt: bytes, clock: Clock, *, seal_every: int = 256
    ) -> None:
        """Open or create the ledger in `folder`, and mend what a crash left.

        salt: 16 to 64 secret bytes, the same for ever (see keysets). clock: aware times. seal_every: entries under one
        signed head. `mended` says what was mended. Raises BadInput for a bad salt, OSError if the disk refuses.
        """
        self.sets = KeySets(folder / trail.SETS, salt)
        self.folder, self.fault, self.mended = folder, "", ""
        self._key, self._clock, self._seal_every = signing_key, clock, seal_every
        self.public_key = signing_key.public_key()
        self.cosigned = CosignedCheckpoints(folder, self.public_key)
        self._uses, self._tallies, self._asking = Uses(), Tallies(), Lock()
        self._lately: Lately | None = None
        self._lock, self._closed = RLock(), False
        self._log = os.open(folder / trail.LOG, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._signed = os.open(folder / trail.HEADS, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._length = os.fstat(self._log).st_size
        self._heads: list[Head] = []
        self._places = [(0, 0)]
        self._at = ""
        self._tree = TreeFile(folder / trail.TREE)
        try:
            self._open()
        except BrokenTrail as broken:
            self.fault = broken.reason

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        """How many entries there are."""
        return self._tree.size

    def keep(self, ids: Ids, unit: Unit, bound: Bound = "exact") -> Keys:
        """Keep a set of ids (see `KeySets.keep`) and return what an entry says of it, to be used as often as wanted."""
        return Keys.of(self.sets.keep(ids, unit), bound)

    def append(self, use: Use) -> Entry:
        """Write one use; it is safe on disk when this returns. Raises as `append_many`."""
        return self.append_many([use])[0]

    def append_many(self, uses: Iterable[Use]) -> list[Entry]:
        """Write uses in their order with one fsync; returns their entries, all safe on disk.

        Raises BadInput if a use is not of its declared form, its note too long or its set not kept, and BrokenTrail if
        the ledger has a fault or is closed; nothing is written then. Raises OSError if the disk refuses: the ledger
        takes no more until it is opened again, and then holds a beginning of `uses`.
        """
        with self._lock:
            self._demand_open()
            at = max(self._at, self._now())
            first = self._tree.size
            made, data = entry_lines(uses, first, at)
            for digest in {entry.keys.digest for entry in made if entry.keys}:
                if digest not in self.sets:
                    raise BadInput(f"The set {digest[:12]} of an entry is not kept; keep it first.")
            lines = data.splitlines()
            with self._disk():
                _write(self._log, data)
                self._tree.extend(_hashed(self._log, lines))
            self._at = at
            ends = [self._length + end for end in accumulate(len(line) + 1 for line in lines)]
            self._length += len(data)
            beyond = self._seal_every - first % self._seal_every
            self._seal([(first + n, ends[n - 1]) for n in range(beyond, len(made) + 1, self._seal_every)])
            return made

    def head(self, number: int | None = None) -> Head:
        """A signed head by its number, else the newest. Raises NotFound, or BrokenTrail if a damaged ledger has none."""
        if not self._heads:
            raise BrokenTrail(self.fault)
        if number is None:
            return self._heads[-1]
        if not 0 <= number < len(self._heads):
            raise NotFound("Head", str(number))
        return self._heads[number]

    def add_cosigned(self, text: str) -> Checkpoint:
        """Keep a checkpoint of ours that a witness co-signed. Raises as `CosignedCheckpoints.add`."""
        found = checkpoint.read_checkpoint(text, self.public_key)
        if self._head_of(found.size).root != found.root.hex():
            raise BrokenTrail(f"the log of {found.size} entries is not the one that was co-signed")
        return self.cosigned.add(text)

    def heads(self) -> list[Head]:
        """All signed heads, oldest first."""
        with self._lock:
            return list(self._heads)

    def seal_head(self) -> Head:
        """Sign a head over all entries, unless the newest head has them all; returns the newest head."""
        with self._lock:
            self._demand_open()
            if self.head().size < self._tree.size:
                self._at = max(self._at, self._now())
                self._seal([(self._tree.size, self._length)])
            return self.head()

    def entries(
        self, start: int = 0, before: int | None = None, limit: int | None = None, newest_first: bool = False
    ) -> Iterator[Entry]:
        """Entries start..before-1 as they stand now, at most `limit`, read as they are asked for.

        newest_first: from the other end. Raises BrokenTrail at an entry that cannot be read.
        """
        marks = self._marks()
        begin, end = max(start, 0), marks[-1][0] if before is None else min(before, marks[-1][0])
        if limit is not None:
            begin, end = (max(begin, end - limit), end) if newest_first else (begin, min(end, begin + limit))
        return (entry_in(line, number) for number, line in self._lines(marks, range(begin, end), newest_first))

    def matching(self, wanted: Filter, start: int = 0, before: int | None = None, most: int | None = None) -> Iterator[Entry]:
        """The entries start..before-1 that a filter takes, newest first, among at most `most` that are looked at."""
        marks, literals = self._marks(), wanted.literals
        begin, end = max(start, 0), marks[-1][0] if before is None else min(before, marks[-1][0])
        begin = begin if most is None else max(begin, end - most)
        for number, line in self._lines(marks, range(begin, end), newest_first=True):
            if all(literal in line for literal in literals):
                entry = entry_in(line, number)
                if wanted.takes(entry):
                    yield entry

    def since(self, moment: datetime) -> int:
        """The number of the first entry at that moment or later; one past the newest if there is none."""
        at = f"{moment.astimezone(UTC):{AT}}"
        with self._lock:
            before = bisect_left(self._heads, at, key=lambda head: head.at)
            begin = self._heads[before - 1].size if before else 0
        return next((entry.seq for entry in self.entries(begin) if entry.at >= at), len(self))

    def tally(self, start: int) -> Counted:
        """What was done by hour and actor, from about entry `start` on (as the signed heads lie); read once, and from then on
        only what is new. Not to be changed."""
        with self._asking, (self.folder / trail.LOG).open("rb") as log:
            marks = self._marks()
            self._tallies.read(log, marks[bisect_right(marks, (start, self._length)) - 1][1], marks[-1][1])
            return self._tallies.counted

    def of(self, ids: Iterable[int], unit: Unit, newest_first: bool = False) -> Iterator[Entry]:
        """The entries whose set of keys or persons holds any of these ids. Raises BrokenTrail if a set is missing."""
        numbers = self.numbers_of(ids, unit)
        marks = self._marks()
        return (entry_in(line, number) for number, line in self._lines(marks, numbers, newest_first))

    def numbers_of(self, ids: Iterable[int], unit: Unit) -> list[int]:
        """The numbers of the entries that `of` yields, ascending: without reading an entry that holds nobody of them."""
        with self._asking, (self.folder / trail.LOG).open("rb") as log:
            self._uses.read(log, self._marks()[-1][1])
            return self._uses.of(self.sets, BitMap(ids), unit)

    def lately(self, hers: Hers, since: datetime, first: int = 0) -> Part:
        """What was done since a moment of the last 30 days (and from entry `first` on), and in which of it a person was held.
        Reads what is new since it was asked last. Raises BrokenTrail if a set is missing."""
        began = self._clock() - LATELY
        with self._asking, (self.folder / trail.LOG).open("rb") as log:
            if self._lately is None:
                with self._lock:
                    text = began.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                    # A head's time is never before that of an entry below it: all of those are older.
                    self._lately = Lately(*self._places[bisect_left(self._heads, text, key=lambda head: head.at)])
            self._lately.read(log, self._marks()[-1][1])
            self._lately.forget(began.timestamp())
            return self._lately.of(self.sets, hers, max(since, began).timestamp(), first)

    def some(self, numbers: Iterable[int], newest_first: bool = False) -> list[Entry]:
        """The entries of these numbers. Raises BrokenTrail at one that cannot be read."""
        wanted = sorted(set(numbers))
        return [entry_in(line, number) for number, line in self._lines(self._marks(), wanted, newest_first)]

    def proof(self, seq: int, size: int | None = None) -> EntryProof:
        """The proof of one entry under the signed head of `size` entries, else the newest (a new one if needed).

        About 0.45 kB of line, 32 bytes for each doubling of the log, and the head. Raises NotFound if there is none.
        """
        with self._lock:
            if not 0 <= seq < self._tree.size:
                raise NotFound("Entry", str(seq))
            head = self._head_of(size) if size else self.head() if seq < self.head().size else self.seal_head()
            path = tuple(self._tree.inclusion(seq, head.size))
            ((_, line),) = self._lines(self._marks(), range(seq, seq + 1))
            return EntryProof(line=line.removesuffix(b"\n"), seq=seq, path=path, head=head)

    def root_of(self, size: int) -> str:
        """The root over the first `size` entries, in hexadecimal. Raises IndexError beyond this ledger."""
        with self._lock:
            return self._tree.root(size).hex()

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        """A checkpoint over all entries, or of the signed head of so many, for people outside (see trust/checkpoint.py).

        Raises BrokenTrail if no signed head has that size.
        """
        head = self.seal_head() if size is None else self._head_of(size)
        return checkpoint.signed(head.size, bytes.fromhex(head.root), self._key)

    def request(self, since: int) -> Request:
        """What a witness is asked to co-sign who signed `since` entries last. Raises BadInput if there are fewer."""
        with self._lock:
            asked = self.checkpoint()
            if since > asked.size:
                raise BadInput(f"The ledger has {asked.size} entries, fewer than the {since} of another.")
            return Request(since, tuple(self._tree.consistency(since, asked.size)), asked)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The path that proves the log of `new` entries to go on from that of `old`, for merkle.verify_consistency.

        Raises IndexError if they are in the wrong order or beyond this ledger.
        """
        with self._lock:
            return self._tree.consistency(old, new)

    def verify(self, public_key: Ed25519PublicKey | None = None) -> Report:
        """Read everything again and report (see `trail.audit`); appends go on meanwhile. Default key: our own."""
        with self._lock:
            end, fault = self._head(len(self._heads), len(self), self._length), self.fault
        report = trail.audit(self.folder, public_key or self.public_key, self.sets, None if fault else end)
        if report.ok and fault:
            return msgspec.structs.replace(report, ok=False, reason=fault)
        return report

    def close(self) -> None:
        """Seal a head, unless there is a fault, and let go of the files; entries can still be read."""
        with self._lock:
            if self._closed:
                return
            try:
                if not self.fault:
                    self.seal_head()
            finally:
                self._closed = True
                self._tree.close()
                os.close(self._log)
                os.close(self._signed)

    def _demand_open(self) -> None:
        if self.fault or self._closed:
            raise BrokenTrail(self.fault or "it is closed")

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """What the disk refuses half-way closes the ledger to appends, until it is opened, and mended, again."""
        try:
            yield
        except OSError as refused:
            self.fault = f"the disk refused a write ({refused.strerror}); open the ledger again"
            raise

    def _now(self) -> str:
        return f"{self._clock().astimezone(UTC):{AT}}"

    def _head_of(self, size: int) -> Head:
        """The signed head of so many entries. Raises BrokenTrail if there is none."""
        at = bisect_left(self._heads, size, key=lambda head: head.size)
        if at == len(self._heads) or self._heads[at].size != size:
            raise BrokenTrail(f"no signed head has {size} entries")
        return self._heads[at]

    def _marks(self) -> list[tuple[int, int]]:
        """Number and place in the log of its beginning, of each signed head, and of its end."""
        with self._lock:
            return [*self._places, (self._tree.size, self._length)]

    def _lines(
        self, marks: list[tuple[int, int]], numbers: Sequence[int], newest_first: bool = False
    ) -> Iterator[tuple[int, bytes]]:
        """The entries of these numbers (ascending), with their lines, read between marks, so never many at a time."""
        if not numbers:
            return
        within = marks[bisect_right(marks, (numbers[0], self._length)) - 1 : bisect_left(marks, (numbers[-1] + 1, 0)) + 1]
        parts = list(pairwise(within))
        with (self.folder / trail.LOG).open("rb") as log:
            for (first, low), (last, high) in reversed(parts) if newest_first else parts:
                wanted = numbers[bisect_left(numbers, first) : bisect_left(numbers, last)]
                if wanted:
                    log.seek(low)
                    lines = list(BytesIO(log.read(high - low)))
                    if len(lines) != last - first:
                        raise BrokenTrail(f"entries {first} to {last - 1} are not all there", first)
                    for number in reversed(wanted) if newest_first else wanted:
                        yield number, lines[number - first]

    def _open(self) -> None:
        """Read the heads, mend what a crash left behind the newest one. Raises BrokenTrail for what is no crash."""
        data = os.pread(self._signed, os.fstat(self._signed).st_size, 0)
        whole = data.rfind(b"\n") + 1
        lost = self._unwritten(data[:whole], torn=whole < len(data))
        if whole < len(data) or lost:
            os.ftruncate(self._signed, whole)
            _write(self._signed, lost)
            os.fsync(self._signed)
            self.mended = "an unfinished head was written again"
        self._heads = list(trail.read_heads(data[:whole] + lost))
        self._places += [(head.size, head.length) for head in self._heads]
        if not self._heads:
            if self._length:
                raise BrokenTrail("no signed head is left")
            self._at = self._now()
            self._seal([(0, 0)])
        head = self._heads[-1]
        if not head.holds(self.public_key):
            raise BrokenTrail(f"signed head {head.number} does not carry our signature")
        self._own_key()
        if self._length < head.length:
            raise BrokenTrail(f"the log ends before the {head.size} entries of the head signed at {head.at}")
        self._match(head)
        self._mend_tail(head)

    def _unwritten(self, whole: bytes, *, torn: bool) -> bytes:
        """The newest heads, from their copy, that a crash kept from the file of heads (`whole`: its lines).

        The copy is written first, in one piece. So a head that is torn and has no copy, or a copy that is older than the
        heads, is no crash: somebody cut the heads to be rid of one.
        """
        heads = list(trail.read_heads(whole))
        path = self.folder / trail.NEWEST
        if not path.exists():
            if torn or len(heads) > 1:
                raise BrokenTrail("the copy of the newest signed head is gone")
            return b""
        lines = path.read_bytes().splitlines(keepends=True)
        copies = list(trail.read_heads(b"".join(lines)))
        if not copies or copies[-1].number < len(heads) - 1:
            raise BrokenTrail("the copy of the newest signed head is older than the signed heads")
        fresh = [line for line, head in zip(lines, copies, strict=True) if head.number >= len(heads)]
        if len(heads) + len(fresh) != copies[-1].number + 1:
            raise BrokenTrail("signed heads before the newest are gone")
        return b"".join(fresh)

    def _own_key(self) -> None:
        path, pem = self.folder / trail.PUBLIC, trail.pem_of(self.public_key)
        if not path.exists():
            write_once(path, pem)
        elif trail.pem_of(trail.public_key(self.folder)) != pem:
            raise BrokenTrail(f"{trail.PUBLIC} is not our key")

    def _match(self, head: Head) -> None:
        """Make the hashes anew if they are not those of the newest head."""
        if self._tree.size >= head.size and self._tree.root(head.size).hex() == head.root:
            return
        with (self.folder / trail.LOG).open("rb") as log:
            self._tree.cut(0)
            while log.tell() < head.length:
                self._tree.append(leaf_hash(log.readline().removesuffix(b"\n")))
        if (self._tree.size, self._tree.root().hex()) != (head.size, head.root):
            raise BrokenTrail(f"the log is not the one whose head was signed at {head.at}")
        self.mended = "the hashes were made anew from the log"

    def _mend_tail(self, head: Head) -> None:
        """Bring log and hashes behind the newest head in line: hashes follow the log, an unfinished tail is cut."""
        data = os.pread(self._log, self._length - head.length, head.length)
        hashed = [self._tree.leaf(i) for i in range(head.size, self._tree.size)]
        leaves, kept, latest = trail.sort_tail(data, head.size, hashed)
        self._at = max(head.at, latest)
        self._tree.cut(head.size)
        self._tree.extend(leaves)
        self._length = head.length + kept
        if kept < len(data):
            os.ftruncate(self._log, self._length)
            self.mended = f"an unfinished tail of {len(data) - kept} bytes was cut"
        os.fsync(self._log)
        if len(hashed) > len(leaves) or b"\n" in data[kept:]:
            lost = max(len(hashed) - len(leaves), data[kept:].count(b"\n"))
            self.mended = f"the log ended {lost} entries before its hashes, or in damaged ones; they are lost"
            self.append(Use(actor="tessera", role="", act="mend", purpose="operate", note=self.mended))

    def _seal(self, marks: list[tuple[int, int]]) -> None:
        """Sign heads at these (size, length), each beyond the newest head, when the hashes below them are safe."""
        if not marks:
            return
        fresh = [self._head(n, *mark).signed(self._key) for n, mark in enumerate(marks, len(self._heads))]
        with self._disk():
            self._tree.sync()
            lines = b"".join(trail.line_of(head) + b"\n" for head in fresh)
            write_once(self.folder / trail.NEWEST, lines)
            _write(self._signed, lines)
            os.fsync(self._signed)
        self._heads += fresh
        self._places += marks

    def _head(self, number: int, size: int, length: int) -> Head:
        return Head(number=number, size=size, length=length, root=self._tree.root(size).hex(), at=self._at)


def _hashed(fd: int, lines: list[bytes]) -> list[bytes]:
    """The hashes of the lines that were just written, made while the disk takes them; given when they are safe there."""
    if len(lines) < WORTH_A_THREAD:
        os.fsync(fd)
        return leaf_hashes(lines)
    with ThreadPoolExecutor(1) as other:
        safe = other.submit(os.fsync, fd)
        hashes = leaf_hashes(lines)
        safe.result()
    return hashes


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
