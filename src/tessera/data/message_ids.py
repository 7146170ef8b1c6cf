"""Which message ids a source has sent within its window, on the disk: as keyed hashes, beside the journal.

The door remembers ids in memory (doors/seen.py). What it needs after a kill is here: an event lies in a segment of the journal
until it is landed, and whoever lands a segment writes its ids down before it is removed. So each acknowledged id is in one
place or the other at any moment, and the door writes nothing more than the journal. A hash tells nothing without the master
key, and goes with the window.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from tessera.errors import BrokenJournal
from tessera.lake.journal import Segments

ENDING = ".ids"
DIGEST_BYTES = 10
ROW = np.dtype([("hour", "<u4"), ("part", "<u2"), ("word", "<u8")])
"""hour: when it was received, in hours since 1970. part, word: the two ends of the hash, as `Seen` asks for them."""

Rows = npt.NDArray[np.void]


class _Told(msgspec.Struct):
    """Of an event's line, what is needed here."""

    messageId: str = ""
    receivedAt: str = ""


_told = msgspec.json.Decoder(_Told).decode


class Hashes:
    """Message ids as numbers. key: secret, the same for as long as the ids are to be known again."""

    def __init__(self, key: bytes) -> None:
        self._empty = blake2b(key=key[:64], digest_size=DIGEST_BYTES)

    def of(self, message_id: str) -> int:
        """80 bits, of which the lowest 16 are `part` and the others `word`."""
        made = self._empty.copy()
        made.update(message_id.encode("utf-8", "surrogatepass"))
        return int.from_bytes(made.digest(), "little")


@lru_cache(1024)
def hour_of(received_at: str) -> int:
    """The hour of a moment as events have it (or of its first 13 letters), since 1970; 0 if it is none.

    >>> hour_of("1970-01-02T03")
    27
    """
    try:
        return int(datetime.fromisoformat(received_at[:13] + ":00:00+00:00").timestamp() // 3600)
    except ValueError:
        return 0


def rows_of(lines: Iterable[bytes], hashes: Hashes) -> Rows:
    """The ids of a journal's lines; what is no event has none."""
    found = []
    for line in lines:
        if line[:1] != b"{":
            continue
        with suppress(msgspec.MsgspecError):
            event = _told(line)
            if not event.messageId:
                continue
            number = hashes.of(event.messageId)
            found.append((hour_of(event.receivedAt[:13]), number & 0xFFFF, number >> 16))
    return np.array(found, ROW)


def note(segments: Segments, upto: int, hashes: Hashes, hours: int) -> None:
    """Writes down the ids of the closed segments up to a number, which are about to be removed; and forgets the files whose
    ids are all `hours` older than the newest. Doing it again changes nothing. Raises OSError if the disk refuses."""
    folder = segments.folder
    noted = {_number(path) for path in folder.glob(f"*{ENDING}")}
    for number in segments.waiting():
        if number > upto or number in noted:
            continue
        lines = list[bytes]()
        with suppress(BrokenJournal):  # whoever landed it has told of the damage
            for block in segments.read(number):
                lines += block
        if len(rows := rows_of(lines, hashes)):
            _write(folder / f"{number:012}-{int(rows['hour'].max())}{ENDING}", rows.tobytes())
    _forget(segments, hours)


def known(segments: Segments, hashes: Hashes, since: int) -> Rows:
    """All ids since an hour: those that were noted, and those of the closed segments that wait."""
    parts, noted = [np.empty(0, ROW)], set[int]()
    for path in sorted(segments.folder.glob(f"*{ENDING}")):
        noted.add(_number(path))
        data = path.read_bytes()
        parts.append(np.frombuffer(data[: len(data) // ROW.itemsize * ROW.itemsize], ROW))
    for number in segments.waiting():
        if number in noted:
            continue
        with suppress(BrokenJournal):
            parts += [rows_of(block, hashes) for block in segments.read(number)]
    found = np.concatenate(parts)
    return found[found["hour"] >= since]


def _forget(segments: Segments, hours: int) -> None:
    """Removes the files that are older than the window; never one whose segment is still there: it would be written anew."""
    newest = {path: int(path.name.removesuffix(ENDING).partition("-")[2]) for path in segments.folder.glob(f"*{ENDING}")}
    waits, last = set(segments.waiting()), max(newest.values(), default=0)
    for path, hour in newest.items():
        if hour + hours < last and _number(path) not in waits:
            path.unlink(missing_ok=True)


def _number(path: Path) -> int:
    """The segment whose ids a file has."""
    return int(path.name.partition("-")[0])


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    entry = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)
