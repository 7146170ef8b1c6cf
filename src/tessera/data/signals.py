"""Consent signals that browsers and consent managers send, as SQL: the IAB's TCF v2 strings and Global Privacy Control.

A TCF string begins with its core segment: fields of fixed width, in base64url. Bits 0-5 are the version (2), bits
152-175 say for which of the 24 purposes she consents (IAB Europe, TCF v2.2, "TC string and vendor list formats"). 32
letters hold all of that, so neither the list of vendors nor the padding has to be decoded.

`Sec-GPC: 1` says: do not sell or share. It is valid only as it is written; it never says yes.

Preferences are plain answers that an SDK repeats with every event (Segment's consent.categoryPreferences).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Sequence

TCF, GPC, PREFERENCES = "tcf", "gpc", "preferences"

FIRST_PURPOSE_BIT = 152
CORE_LETTERS = 32
_LETTERS = re.compile("[A-Za-z0-9_-]+")


def source_of(source: str, signal: str | None) -> str:
    """The name under which a source's answers of one signal stand: a signal is sent with every event, so it is a state
    and no act (see trust.consent), whatever else the source tells."""
    return f"{source}/{signal}" if signal else source


def tcf(text: str, purposes: Sequence[int]) -> str:
    """SQL: 'given' where a TCF string (an expression) consents to all these of its purposes (1 to 24), 'refused' where it
    does not, NULL where it is no TCF string of version 2."""
    core = f"left(split_part({text}, '.', 1), {CORE_LETTERS})"
    whole = f"regexp_full_match({core}, '[A-Za-z0-9_-]{{{CORE_LETTERS}}}')"
    # C is the letter of 000010, the version.
    bits = f"from_base64(translate({core}, '-_', '+/'))::BIT"
    said = " + ".join(f"get_bit({bits}, {FIRST_PURPOSE_BIT - 1 + p})" for p in purposes)
    told = f"CASE WHEN {said} = {len(purposes)} THEN 'given' ELSE 'refused' END"
    return f"CASE WHEN {whole} AND {core} LIKE 'C%' THEN {told} END"


def gpc(text: str) -> str:
    """SQL: 'refused' where the header's value (an expression) is exactly 1, else NULL. A column of booleans says true."""
    return f"CASE WHEN {text} IN ('1', 'true') THEN 'refused' END"


def tcf_answer(text: object, purposes: Sequence[int]) -> str | None:
    """What `tcf` says, of one text: for the door, which has no engine.

    >>> tcf_answer("no TCF string", [1]) is None
    True
    """
    core = text.partition(".")[0][:CORE_LETTERS] if isinstance(text, str) else ""
    if len(core) < CORE_LETTERS or core[0] != "C" or not _LETTERS.fullmatch(core):
        return None
    bits = int.from_bytes(urlsafe_b64decode(core), "big")
    size = CORE_LETTERS * 6
    given = all(bits >> (size - FIRST_PURPOSE_BIT - p) & 1 for p in purposes)
    return "given" if given else "refused"
