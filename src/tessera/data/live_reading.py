"""One JSON row read as landing will read it, in microseconds: whose it is, what it says, whether it breaks its contract.

The twin of `intake_reading`, which does the same in SQL over a million rows and takes a tenth of a second to plan. The live
engine may only guess what the next turn will say; tests/laws/test_live.py holds the two to the same answers. What the few
quick forms here do not know (an odd spelling of a time or a number) is asked of the engine, so that there is one meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from hashlib import md5
from threading import Lock
from typing import Any

import msgspec

from tessera.config import Field
from tessera.data.intake import FILLED, SHORTEST_PHONE, TAIL, Intake
from tessera.data.intake_checks import EMAIL
from tessera.data.intake_reading import NAMES
from tessera.data.intake_secrets import PHONE
from tessera.lake.engine import Connection, connect, value

Event = Mapping[str, Any]
Value = str | int | float | bool | datetime | None

_YES, _NO = frozenset(("true", "yes", "y", "1", "t")), frozenset(("false", "no", "n", "0", "f"))
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)")
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?")
_PHONE, _EMAIL = re.compile(PHONE), re.compile(EMAIL)
_JSON = msgspec.json.Encoder()


@dataclass(frozen=True)
class Read:
    """A row that will land. ids: its identifiers by kind, strongest first; firm: those that may join; columns: by name."""

    ids: dict[str, str]
    firm: frozenset[str]
    columns: dict[str, Value]


class LiveReading:
    """One contract over JSON rows. columns: the clear columns of its table that somebody will ask for, but url."""

    def __init__(self, intake: Intake, columns: frozenset[str]) -> None:
        self.intake, self.contract, self.table = intake, intake.contract, intake.table
        self.fields = self.contract.fields
        self._paths = [tuple(f.where.split(".")) for f in self.fields]
        self._at = {f.name: n for n, f in enumerate(self.fields)}
        parents = {p[:n] for p in self._paths for n in range(1, len(p))}
        self._parents = sorted(parents)
        checks = [(n, _Check(intake, f)) for n, f in enumerate(self.fields)]
        self._checks = [(n, check) for n, check in checks if not check.plain]
        self._loose = frozenset(intake.loose)
        self._ids = {k: [(n, f) for n, f in enumerate(self.fields) if f.identifier == k] for k in intake.kinds}
        listed = {f.maps_to for f in self.fields if f.enum}
        mapped: dict[str, list[int]] = {}
        for n, f in enumerate(self.fields):
            if f.maps_to and not f.sealed:
                mapped.setdefault(f.maps_to, []).append(n)
        self._mapped = mapped
        self._columns = [c for c in self.table.columns if c.name in columns and c.name in mapped]
        texts = [c.name for c in self.table.columns if c.type == "VARCHAR" and c.name in mapped and self._clear(c.name)]
        self._asked = [c for c in texts if c not in listed]
        self._own = {c for c in texts if any(f.identifier and f.maps_to == c for f in self.fields)}
        self._wholes = sorted({*(c.name for c in self._columns), *self._asked, *self._own})
        self._unmapped = [self._at[f.name] for f in intake.unmapped]

    def read(self, event: Event) -> Read | None:
        """What a row says; None where it breaks the contract, or has an odd shape: it goes to quarantine."""
        for parent in self._parents:
            if not _shape(event, parent):
                return None
        texts: list[str | None] = []
        for path, f in zip(self._paths, self.fields, strict=True):
            given = _found(event, path)
            if f.identifier and isinstance(given, dict | list):
                return None
            texts.append(_text(given))
        ids = {k: found for k, some in self._ids.items() if (found := self._identifier(k, some, texts)) is not None}
        if self.contract.record == "event" and self._ids and not ids:
            return None
        for n, check in self._checks:
            if check.broken(texts[n], ids):
                return None
        firm = frozenset([k for k in ids if k not in self._loose or self._firm(k, texts)])
        return Read(ids=ids, firm=firm, columns=self._told(texts, ids))

    def _identifier(self, kind: str, some: list[tuple[int, Field]], texts: list[str | None]) -> str | None:
        found = [(f, normalised(kind, text)) for n, f in some if (text := texts[n]) is not None]
        if len(some) > 1 and kind in self._loose:
            found.sort(key=lambda each: not self._verified(each[0], texts))
        return next((told for _, told in found if told is not None), None)

    def _firm(self, kind: str, texts: list[str | None]) -> bool:
        return any(
            texts[n] is not None and normalised(kind, str(texts[n])) is not None and self._verified(f, texts)
            for n, f in self._ids[kind]
        )

    def _verified(self, f: Field, texts: list[str | None]) -> bool:
        if f.joins_if is None:
            return f.joins
        return (texts[self._at[f.joins_if]] or "").lower() in _YES

    def _clear(self, column: str) -> bool:
        return column not in FILLED and not self.table.column(column).sealed and not column.endswith("_key")

    def _told(self, texts: list[str | None], ids: Mapping[str, str]) -> dict[str, Value]:
        """The columns that were asked for, without what would leak."""
        told: dict[str, Value] = {}
        leaky: bool | None = None
        whole = {name: self._whole(name, texts) for name in self._wholes}
        for c in self._columns:
            text = whole[c.name]
            if c.type != "VARCHAR":
                f = self.fields[self._mapped[c.name][0]]
                told[c.name] = typed(text, c.type, f.date_format)
                continue
            if leaky is None:
                leaky = self._leaky(whole, texts, ids)
            if text is not None and leaky and (c.name in self._own or leaks(text, ids)):
                text = self._hashed(text) if c.name in NAMES else None
            told[c.name] = text
        return told

    def _hashed(self, text: str) -> str:
        """As `intake_reading` has it: a name that holds an identifier still finds its like."""
        return "h" + md5((self.intake.salt + text).encode(), usedforsecurity=False).hexdigest()

    def _whole(self, column: str, texts: list[str | None]) -> str | None:
        places = self._mapped[column]
        if len(places) == 1:
            return texts[places[0]]
        return " ".join([t for n in places if (t := texts[n]) is not None]) or None

    def _leaky(self, whole: Mapping[str, str | None], texts: list[str | None], ids: Mapping[str, str]) -> bool:
        asked = [whole[c] for c in self._asked] + [texts[n] for n in self._unmapped]
        if leaks(" ".join([t for t in asked if t is not None]), ids):
            return True
        return any(whole[c] is not None for c in self._own)


class _Check:
    """What one field of a row may break; see `intake_checks.violation`."""

    def __init__(self, intake: Intake, f: Field) -> None:
        self.f, self.kinds = f, intake.kinds
        self.target = "amount_cents" if f.maps_to == "unit_price" else str(f.maps_to)
        known = self.target in intake.table.names and not f.sealed and self.target not in FILLED
        column = intake.table.column(self.target) if known else None
        self.held = column.type if column is not None and not column.sealed and column.type != "VARCHAR" else None
        self.kind = _KIND.get(f.logical_type)
        if f.logical_type == "string" and (self.held or f.maps_to == "unit_price"):
            self.kind = "DOUBLE" if self.target == "amount_cents" else self.held
        self.exact = self.target == "amount_cents" and (intake.contract.amounts != "cents" or f.maps_to == "unit_price")
        self.pattern = re.compile(f.pattern) if f.pattern else None
        self.numeric = self.kind is not None and f.logical_type in ("string", "integer", "number")
        self.plain = not (
            f.required or self.kind or self.held or self.pattern or f.enum or f.max_length is not None
            or f.identifier == "email" or f.minimum is not None or f.maximum is not None
        )  # fmt: skip

    def broken(self, text: str | None, ids: Mapping[str, str]) -> bool:
        """Whether the field's text is not what the contract says."""
        f = self.f
        if text is None:
            return f.required
        if self.kind is not None:
            found = typed(text, self.kind, f.date_format)
            if found is None or (f.logical_type == "integer" and typed(text, "DOUBLE") != found):
                return True
            if self.numeric and _number_leaks(text, ids):
                return True
        if self.held is not None and self._lost(text):
            return True
        if self.pattern is not None and not self.pattern.fullmatch(text):
            return True
        if f.identifier == "email" and not _EMAIL.fullmatch(text):
            return True
        if (f.enum and text not in f.enum) or (f.max_length is not None and len(text) > f.max_length):
            return True
        return self._beyond(text)

    def _lost(self, text: str) -> bool:
        if not self.exact:
            return typed(text, str(self.held), self.f.date_format) is None
        try:
            return not abs(Decimal(text)) < Decimal(10) ** 12
        except InvalidOperation:
            return True

    def _beyond(self, text: str) -> bool:
        low, high = self.f.minimum, self.f.maximum
        if low is None and high is None:
            return False
        found = typed(text, _KIND.get(self.f.logical_type, "VARCHAR"), self.f.date_format)
        if not isinstance(found, int | float):
            return False
        return (low is not None and found < low) or (high is not None and found > high)


_KIND = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE", "timestamp": "TIMESTAMPTZ"}


def normalised(kind: str, text: str) -> str | None:
    """The one spelling of an identifier, as `intake.normalised` has it in SQL.

    >>> normalised("phone", "0049 (30) 123-456"), normalised("email", "Ana@Shop.example")
    ('+4930123456', 'ana@shop.example')
    """
    if kind == "email":
        return text.lower()
    if kind == "phone":
        digits = re.sub("^00", "+", re.sub("[^0-9+]", "", text))
        return digits if len(digits) >= SHORTEST_PHONE and "@" not in text else None
    return text


def leaks(text: str | None, ids: Mapping[str, str]) -> bool:
    """Whether a clear text holds an identifier; see `intake_secrets.Secrets.leak`."""
    if text is None:
        return False
    if "@" in text or "%40" in text or "＠" in text:
        return True
    if ("+" in text or "00" in text or "%2" in text) and _PHONE.search(text):
        return True
    for one in ids.values():
        if len(one) >= 8 and one in text:
            return True
    tail = ids.get("phone", "")[-TAIL:]
    return len(tail) == TAIL and tail in text.translate(_BARE)


_BARE = str.maketrans("", "", " ()-./")


def _number_leaks(text: str, ids: Mapping[str, str]) -> bool:
    if len(text) < TAIL:
        return False
    tail = ids.get("phone", "")[-TAIL:]
    return text.startswith("+") or text in ids.values() or (len(tail) == TAIL and text.endswith(tail))


def typed(text: str | None, kind: str, date_format: str | None = None) -> Value:
    """A text as a type of the engine's, None when it does not fit. kind: TIMESTAMPTZ, BIGINT, INTEGER, DOUBLE, ..."""
    if text is None or kind == "VARCHAR":
        return text
    if kind == "BOOLEAN":
        low = text.lower()
        return True if low in _YES else False if low in _NO else None
    quick = None if date_format else _QUICK.get(kind)
    if quick and quick[0].fullmatch(text):
        try:
            return quick[1](text)
        except ValueError:
            return None
    return _asked(text, kind, date_format)


_QUICK: dict[str, tuple[re.Pattern[str], Callable[[str], Value]]] = {
    "TIMESTAMPTZ": (_ISO, lambda text: datetime.fromisoformat(text).astimezone(UTC)),
    "BIGINT": (_WHOLE, int),
    "DOUBLE": (_NUMBER, float),
}


@lru_cache(10_000)
def _asked(text: str, kind: str, date_format: str | None) -> Value:
    cast = f"try_strptime($1, $2)::{kind}" if date_format else f"TRY_CAST($1 AS {kind})"
    with _ASKING:
        found: Value = value(_engine(), f"SELECT {cast}", [text, date_format] if date_format else [text])
    return found


_ASKING = Lock()


@cache
def _engine() -> Connection:
    return connect(memory="64MB", threads=1)


def _found(event: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if not isinstance(event, dict):
            return None
        event = event.get(part)
    return event


def _shape(event: Event, path: tuple[str, ...]) -> bool:
    """Whether what lies there is an object or nothing."""
    found = _found(event, path)
    return found is None or isinstance(found, dict)


def _text(given: Any) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str):
        given = _JSON.encode(given).decode()
    if given < "!" or given.endswith(" "):
        return given.strip(" ") or None
    return str(given)
