"""The tree of errors: each takes the facts and words its own sentence.

TesseraError
  Refused            the answer is no, with a reason that a person may read
    NotConsented     NotAllowed     Expired     Unreadable
  BadInput           the caller can mend it
    BadWorkspace     a file of the workspace, with file and line
    BadQuestion      a question (SQL, command) that we do not take
    TooMuch          an answer that takes more than a door gives
    BadUrl           an address that we do not connect to
    BadSource        a source that cannot be read now
    BadShare         recovery shares that give no key
    BadArchive       a backup that is not whole, or not ours to open
    BadChain         a chain that is not reached, says no, or is not the one of this ledger
    NotFound         what was named is not there
  Busy               another process owns the workspace
  LakeError          ours to mend
    Conflict         UnknownTable     BrokenTrail     BrokenVault

The doors turn this tree into exit codes and HTTP statuses in one place; messages name tables, purposes and pseudonyms,
never a person's values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str:
    """A sentence that offers the nearest known word, or lists a few; empty if nothing is known."""
    words = sorted({str(k) for k in known})
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not words:
        return ""
    shown = ", ".join(words[:12]) + (", ..." if len(words) > 12 else "")
    return f"Known: {shown}."


def _shown(word: str) -> str:
    """A word in quotes; one that may be somebody's identifier is not said again."""
    return "(a word that may name a person)" if re.search(r"@|%40|\d{8}|\+\d[\d -]{6}", word) else repr(word)


class TesseraError(Exception):
    """The root: whatever Tessera raises on purpose."""

    exit_code = 1


class Refused(TesseraError):
    """No, with the reason and who could allow it."""

    exit_code = 4

    def __init__(self, reason: str, ask: str = "") -> None:
        self.reason, self.ask = reason, ask
        super().__init__(f"{reason} {ask}".strip())


class NotConsented(Refused):
    """The person has not agreed to the purpose."""

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose
        super().__init__(
            f"No consent for {purpose!r}.", "Choose a purpose that needs none, or ask the person for her consent."
        )


class NotAllowed(Refused):
    """A role may not do this, or not see this."""


class Expired(Refused):
    """A version that once was, and is gone for good."""

    def __init__(self, table: str, wanted: str, since: str) -> None:
        self.table, self.wanted = table, wanted
        super().__init__(
            f"{table} {wanted} is no longer kept: versions before {since} were swept or left the history window.",
            f"See: tessera versions {table}",
        )


class Unreadable(Refused):
    """A question on a sealed column that cannot be answered without unsealing it."""


class BadInput(TesseraError):
    """The caller can mend it."""

    exit_code = 2


class BadWorkspace(BadInput):
    """One or more mistakes in the files of a workspace; `faults` holds them all."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class BadQuestion(BadInput):
    """A question that we do not take."""


class TooMuch(BadInput):
    """An answer that takes more than a door gives; `cap` says of what."""

    def __init__(self, cap: str, mend: str) -> None:
        self.cap = cap
        super().__init__(f"The answer takes {cap}, which is the most that this door gives. {mend}")


class BadUrl(BadInput):
    """An address that we do not connect to; the sentence never holds its path or what it resolved to."""


class BadSource(BadInput):
    """A source that cannot be read now; the others go on."""

    exit_code = 1

    def __init__(self, source: str, reason: str, mend: str = "") -> None:
        self.source, self.reason, self.mend = source, reason, mend
        super().__init__(f"Source {source!r}: {reason} {mend}".strip())


class BadShare(BadInput):
    """A share, or a heap of shares, from which no key can be rebuilt; the sentence says which and why."""


class BadArchive(BadInput):
    """A file that is no backup, or not a whole one, or one that the keys at hand do not open."""

    exit_code = 1


class BadChain(BadInput):
    """A chain that cannot be used now, or whose contract refuses; what waits for it goes with the next anchor."""

    exit_code = 1

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Chain: {reason}")


class NotFound(BadInput):
    """What was named is not there."""

    exit_code = 3

    def __init__(self, kind: str, name: str, known: Iterable[str] = ()) -> None:
        self.kind, self.name = kind, name
        super().__init__(f"{kind} {_shown(name)} is not known. {nearest(name, known)}".strip())


class Busy(TesseraError):
    """Another process owns the workspace."""

    exit_code = 6

    def __init__(self, folder: str, owner: str, waited_s: float) -> None:
        self.folder, self.owner = folder, owner
        super().__init__(
            f"The workspace is in use by {owner} (waited {waited_s:.0f} s). Wait for it, or give --wait SECONDS."
        )


class LakeError(TesseraError):
    """Ours to mend."""


class Conflict(LakeError):
    """A commit that found another where it expected none."""


class UnknownTable(NotFound):
    """A table that nobody declared."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        super().__init__("Table", name, known)


class BrokenTrail(LakeError):
    """The ledger does not verify; `entry` is the first that fails, if one can be named."""

    def __init__(self, reason: str, entry: int | None = None) -> None:
        self.reason, self.entry = reason, entry
        super().__init__(f"The ledger does not verify: {reason}")


class BrokenJournal(LakeError):
    """A block of the journal fails its check: it was changed, or the disk has lost it."""

    def __init__(self, source: str, segment: int, block: int) -> None:
        self.source, self.segment, self.block = source, segment, block
        super().__init__(
            f"The journal of {source} is damaged: block {block} of segment {segment} fails its check. What lies before it is "
            "whole. Restore the file from a backup, or move it away to go on without it."
        )


class BrokenVault(LakeError):
    """The vault cannot be opened with this key, or a sealed value fails its check."""
