"""Recovery shares: the master key in k of n parts that a person can keep on paper and type again.

A share's file has five numbered lines of four groups and a check group, in Crockford's base 32 (no I, L, O, U; case does
not matter), so a slip of the hand is told with its line. Which set a share is of, its number, k and n, and the key's
fingerprint stand in it; fewer than k shares tell nothing of the key.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tessera.errors import BadInput, BadShare
from tessera.trust import shamir
from tessera.trust.secrets import KEY_BYTES, Secrets
from tessera.words import listed

FOLDER = "shares"
"""Within var/keys; backups leave it out, and so does git."""

VERSION = 1
MOST = 20
"""Shares that people can still keep apart."""

LINES, LINE_BYTES, SUM_BYTES = 5, 10, 6
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LINE = re.compile(r"^\s*([1-5])\s*[.:)]?\s+((?:[0-9A-Za-z]{4}[\s-]+){4}[0-9A-Za-z]{4})\s*$")
_NUMBERED = re.compile(r"^\s*([1-5])\s*[.:)]?\s+\S")


@dataclass(frozen=True, kw_only=True)
class Share:
    """One part of a key. made: the random name of the set that was made together. point: as long as the key."""

    number: int
    threshold: int
    count: int
    made: bytes
    fingerprint: str
    point: bytes


def split(secrets: Secrets, threshold: int, count: int) -> list[Share]:
    """New shares of a master key, of which any `threshold` rebuild it. BadInput for a way to share that is none."""
    ways(threshold, count)
    made = os.urandom(4)
    return [
        Share(
            number=x, threshold=threshold, count=count, made=made, fingerprint=secrets.fingerprint(), point=point
        )
        for x, point in secrets.split(threshold, count).items()
    ]


def ways(threshold: int, count: int) -> None:
    """Raises BadInput for a way to share that helps nobody."""
    if not 2 <= threshold <= count <= MOST:
        raise BadInput(f"{threshold} of {count} shares: expected at least 2 to rebuild, and at most {MOST} in all.")


def combine(shares: Iterable[tuple[str, Share]]) -> bytes:
    """The master key of enough shares, each with the name of where it was read; checked against its fingerprint.

    Raises BadShare: two of different sets, one twice, too few, or parts that do not fit together.
    """
    named = list(shares)
    if not named:
        raise BadShare("No share was given.")
    (first_name, first), *others = named
    by_number = {first.number: first_name}
    for where, share in others:
        if (share.made, share.fingerprint, share.threshold) != (first.made, first.fingerprint, first.threshold):
            raise BadShare(
                f"{where} is of another set (key {share.fingerprint}, set {share.made.hex()}) than {first_name} "
                f"(key {first.fingerprint}, set {first.made.hex()}). Shares of one set alone fit together."
            )
        if share.number in by_number:
            raise BadShare(f"{where} and {by_number[share.number]} are both share {share.number}. Give different ones.")
        by_number[share.number] = where
    if len(named) < first.threshold:
        have = listed(str(n) for n in sorted(by_number))
        raise BadShare(
            f"{first.threshold} shares are needed, and here is only {have} of {first.count}. "
            f"{first.threshold - len(named)} more: any other of set {first.made.hex()}."
        )
    key = shamir.combine({s.number: s.point for _, s in named[: first.threshold]})
    if Secrets(key).fingerprint() != first.fingerprint:
        raise BadShare(f"These shares do not give the key {first.fingerprint} that they name: one of them was changed.")
    return key


def text_of(share: Share) -> str:
    """The share as the text of a file, or for paper."""
    body = bytes([VERSION, share.threshold, share.count, share.number]) + share.made
    body += bytes.fromhex(share.fingerprint) + share.point
    body += hashlib.sha256(body).digest()[:SUM_BYTES]
    rows = []
    for n in range(LINES):
        part = body[n * LINE_BYTES : (n + 1) * LINE_BYTES]
        letters = _letters(part) + _check(n + 1, part)
        rows.append(f"{n + 1}  " + " ".join(letters[at : at + 4] for at in range(0, len(letters), 4)))
    lines = "\n".join(rows)
    return (
        f"Tessera recovery share, number {share.number} of {share.count} (set {share.made.hex()})\n\n"
        f"Any {share.threshold} shares of this set rebuild the master key {share.fingerprint}; fewer tell nothing.\n"
        f"Keep it apart from the other shares and from the machine. To use it:\n"
        f"tessera key recover SHARE_FILE SHARE_FILE ...\n\n{lines}\n"
    )


def read(text: str, where: str) -> Share:
    """The share in a text as `text_of` writes it, whatever stands around its five lines; where: its name in messages.

    Raises BadShare naming the line that is missing or mistyped; what was typed is not said again.
    """
    found: dict[int, bytes] = {}
    for line in text.splitlines():
        if not (numbered := _NUMBERED.match(line)):
            continue
        number, whole = int(numbered.group(1)), _LINE.match(line)
        part = _line_bytes(number, whole.group(2)) if whole else None
        if part is None:
            raise BadShare(f"{where}: line {number} is mistyped: its last group does not fit the four before it.")
        found[number] = part
    if missing := [str(n) for n in range(1, LINES + 1) if n not in found]:
        raise BadShare(f"{where} is no whole recovery share: line {listed(missing)} is missing.")
    body = b"".join(found[n] for n in range(1, LINES + 1))
    said, check = body[:-SUM_BYTES], body[-SUM_BYTES:]
    if hashlib.sha256(said).digest()[:SUM_BYTES] != check:
        raise BadShare(f"{where}: its lines are each well typed and not of one share. Do they come from two?")
    if said[0] != VERSION:
        raise BadShare(f"{where} was made by a newer Tessera (form {said[0]}). Use that one.")
    return Share(
        threshold=said[1], count=said[2], number=said[3], made=said[4:8], fingerprint=said[8:12].hex(),
        point=said[12 : 12 + KEY_BYTES],
    )  # fmt: skip


def load(files: Sequence[Path]) -> bytes:
    """The master key that the shares in these files rebuild; BadShare as `read` and `combine`."""
    found = []
    for path in files:
        try:
            found.append((str(path), read(path.read_text("ascii", errors="replace"), str(path))))
        except OSError as no:
            raise BadShare(f"{path} cannot be read: {no.strerror}.") from None
    return combine(found)


def write(shares: Sequence[Share], folder: Path) -> list[Path]:
    """Each share as a file of its own (0600) in a folder of its own (0700); never over another. BadInput if one is there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    written = []
    for share in shares:
        path = folder / f"share-{share.number}-of-{share.count}-set-{share.made.hex()}.txt"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(text_of(share))
            file.flush()
            os.fsync(file.fileno())
        written.append(path)
    return written


def lying(keys: Path) -> list[Path]:
    """Share files that nobody has taken away yet, below var/keys."""
    return sorted((keys / FOLDER).glob("share-*.txt"))


def _letters(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    return "".join(_ALPHABET[number >> at & 31] for at in range(len(data) * 8 - 5, -1, -5))


def _line_bytes(number: int, typed: str) -> bytes | None:
    """The ten bytes of a line, None if its check does not hold."""
    letters = re.sub(r"[\s-]", "", typed).upper().translate(str.maketrans("OIL", "011"))
    if set(letters) - set(_ALPHABET):
        return None
    value = 0
    for letter in letters[:16]:
        value = value << 5 | _ALPHABET.index(letter)
    part = value.to_bytes(LINE_BYTES, "big")
    return part if _check(number, part) == letters[16:] else None


def _check(number: int, part: bytes) -> str:
    """Four letters by which a slip in a line, or two lines exchanged, are seen (one in a million is not)."""
    return _letters(hashlib.sha256(bytes([number]) + part).digest()[:5])[:4]
