"""What a column seems to hold, from samples of it: its pattern, and the data category that we would propose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

ENOUGH = 0.8
"""Which share of the samples must have a pattern."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A pattern's name, and a category of fideslang."""

    pattern: str
    category: str


_PATTERNS = (
    (re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), Proposal(pattern="e-mail", category="user.contact.email")),
    (
        re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?|\d{1,2}[./]\d{1,2}[./]\d{4}( \d\d:\d\d.*)?"),
        Proposal(pattern="date", category="system.operations"),
    ),
    (
        re.compile(r"(\d{1,3}\.){3}\d{1,3}|(?=.*::|(.*:){7})[0-9a-fA-F:]{3,39}"),
        Proposal(pattern="IP address", category="user.device.ip_address"),
    ),
    (
        re.compile(r"(?=(\D*\d){8,15}\D*$)(\+|00|0|\()[\d ()/.-]+|1[3-9]\d{9}"),
        Proposal(pattern="phone", category="user.contact.phone_number"),
    ),
    (re.compile(r"[+-]?\d+([.,]\d+)?"), Proposal(pattern="number", category="system.operations")),
    (
        re.compile(r"(?i)true|false|yes|no|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[\w-]{1,12}"),
        Proposal(pattern="code", category="system.operations"),
    ),
)
_TEXT = Proposal(pattern="text", category="user.content")

_NAMED = (
    (re.compile(r"birth|dob"), "user.demographic.date_of_birth"),
    (re.compile(r"street|address|zip|postcode|postal"), "user.contact.address"),
    (re.compile(r"(first|last|full|sur|family|given|customer)_?name|^name$"), "user.name"),
    (re.compile(r"(customer|user|person|member|account)_?(id|no|number)$"), "user.unique_id"),
    (re.compile(r"device|cookie"), "user.device"),
    (re.compile(r"iban|card|account_number"), "user.financial"),
)


def proposed(name: str, samples: Sequence[str]) -> Proposal | None:
    """The pattern that most samples have, and a category; the name decides where the pattern says little.

    None if there is no sample to tell from.

    >>> proposed("contact", ["a@b.at", "c@d.at"])
    Proposal(pattern='e-mail', category='user.contact.email')
    """
    values = [value.strip() for value in samples if value and value.strip()]
    if not values:
        return None
    found = next(
        (p for regex, p in _PATTERNS if sum(bool(regex.fullmatch(v)) for v in values) >= ENOUGH * len(values)), _TEXT
    )
    if found.category in ("system.operations", "user.content"):
        for regex, category in _NAMED:
            if regex.search(name.lower()):
                return Proposal(pattern=found.pattern, category=category)
    return found
