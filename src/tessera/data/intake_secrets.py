"""What of a raw row is sealed, and what of its clear texts would leak, as SQL; a layer of `intake_reading`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tessera.config import Field
from tessera.data import signals
from tessera.data.intake import ANSWERS, TAIL, Intake, normalised
from tessera.data.intake_raw import Raw
from tessera.lake.engine import literal, name

PHONE = (
    r"(\+|%2[bB])[0-9][0-9 ()./-]{6,}|(^|[\s:=(/])00[1-9][0-9]{0,2}[ ().-][0-9 ().-]{5,}[0-9]|[\s:=(]00[1-9][0-9]{7,}"
)
"""An international number anywhere; one that begins with 00 only beside other words: alone it may be a product's."""

NAMED_PARTS = ("wording", "language")
NAMED = "[A-Za-z0-9][A-Za-z0-9._-]{0,39}"
"""How the version of a wording and a language are written: they stand in clear beside the answer."""

UNDERSTOOD = ", ".join(literal(word) for words in ANSWERS.values() for word in words)
"""The answers to a purpose that landing understands, as a list in SQL."""


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Of one contract's rows: _s_<name> (what is sealed), _l_<column> (which clear text leaks), _leaky, _lost, _extra.

    Expressions over the layers below: _f<n>, _id_<kind>, _loose_<kind>, _t_<column>, _tail.
    """

    intake: Intake
    raw: Raw

    @property
    def fields(self) -> tuple[Field, ...]:
        """The contract's."""
        return self.intake.contract.fields

    def sealed(self) -> dict[str, str]:
        """Sealed texts: by the table's sealed column where one is mapped, by the field's name otherwise."""
        grouped: dict[str, list[str]] = {}
        for f in self.fields:
            if f.sealed or self.intake.hides(f):
                grouped.setdefault(str(f.maps_to) if self.intake.column_hides(f) else f.name, []).append(self.raw.text(f))
            elif f.signal == signals.TCF:
                # The evidence of what she said, as it came; one string answers several purposes.
                grouped[f.where] = [self.raw.text(f)]
            elif f.identifier and f.loose and not f.maps_to:
                # The row may keep no key of it, so its value is kept as any personal value is.
                grouped.setdefault(f.name, []).append(f"CASE WHEN {name('_loose_' + f.identifier)} THEN {self.raw.text(f)} END")
        return {k: v[0] if len(v) == 1 else f"nullif(concat_ws(' ', {', '.join(v)}), '')" for k, v in grouped.items()}

    def leaky(self, texts: list[str]) -> str:
        """Whether any clear text of the row may leak: asked once over all of them, before each is asked."""
        listed = {f.maps_to for f in self.fields if f.enum}
        mapped = {f.maps_to for f in self.fields}
        asked = [self._whole(c) for c in texts if c in mapped - listed] + [self.raw.text(f) for f in self.intake.unmapped]
        own = " OR ".join(self._own(c) for c in texts if self._own(c))
        leak = self.leak(f"concat_ws(' ', {', '.join(asked)})") if asked else "FALSE"
        return f"({leak} OR {own})" if own else leak

    def leak(self, text: str) -> str:
        """Whether a clear text holds an identifier: an e-mail, an international phone number, or one of the row's own
        (its phone number in any spelling)."""
        mail = f"contains({text}, '@') OR contains({text}, '%40') OR contains({text}, '＠')"
        some = f"(contains({text}, '+') OR contains({text}, '00') OR contains({text}, '%2'))"
        # CASE, since an AND evaluates both of its sides for every row.
        phone = f"CASE WHEN {some} THEN regexp_matches({text}, {literal(PHONE)}) ELSE FALSE END"
        own = "".join(
            f" OR (length({i}) >= 8 AND contains({text}, {i}))" for i in (name("_id_" + k) for k in self.intake.kinds)
        )
        if "phone" in self.intake.kinds:
            bare = f"contains(translate({text}, ' ()-./', ''), _tail)"
            own += f" OR CASE WHEN length(_tail) = {TAIL} AND contains({text}, right(_tail, 2)) THEN {bare} END"
        return f"coalesce({mail} OR {phone}{own}, FALSE)"

    def leaks(self, column: str) -> str:
        """Whether the clear text of a column leaks, be it in the part of a url that is cut off."""
        own = self._own(column)
        return f"({self.leak(self._whole(column))}{f' OR {own}' if own else ''})"

    def _own(self, column: str) -> str:
        """A clear column that a contract fills from an identifier always leaks, however short it is."""
        own = any(f.identifier and f.maps_to == column for f in self.fields)
        return f"{name('_t_' + column)} IS NOT NULL" if own else ""

    def _whole(self, column: str) -> str:
        """The text in which a leak is looked for: of a url also the part that is cut off."""
        if column == "url":
            whole = (self.raw.text(f) for f in self.fields if f.maps_to == "url" and not f.sealed)
            return next(whole, "NULL::VARCHAR")
        return name("_t_" + column)

    def properties(self) -> str:
        """JSON of the clear values that have no column of their own."""
        if not self.intake.unmapped:
            return "NULL::VARCHAR"
        cells = ((f.name, self.raw.text(f)) for f in self.intake.unmapped)
        cell = "{0}, CASE WHEN CASE WHEN _leaky THEN {1} ELSE FALSE END THEN NULL ELSE {2} END"
        pairs = ", ".join(cell.format(literal(n), self.leak(t), t) for n, t in cells)
        return f"json_object({pairs})::VARCHAR"

    def blob(self, sealed: Mapping[str, str], texts: list[str], extra: bool) -> str:
        """JSON of what is sealed: the named, `extra` (what no contract names) and `moved` (clear texts that leaked, and
        what else of a row has no place)."""
        cells = [f"{literal(c)}, {name('_s_' + c)}" for c in sealed]
        present = [f"{name('_s_' + c)} IS NOT NULL" for c in sealed]
        if extra:
            cells.append("'extra', _extra")
            present.append("coalesce(_extra, '{}') <> '{}'")
        moved = {c: (name("_l_" + c), self._whole(c)) for c in texts}
        plain = {f.name: self.raw.text(f) for f in self.intake.unmapped}
        moved |= {n: (f"CASE WHEN _leaky THEN {self.leak(t)} ELSE FALSE END", t) for n, t in plain.items()}
        lost = {f.name: (f"({self._lost(f)})", self.raw.text(f)) for f in self.fields if self._lost(f)}
        if moved or lost:
            pairs = ", ".join(f"{literal(c)}, CASE WHEN {w} THEN {t} END" for c, (w, t) in (moved | lost).items())
            when = " OR ".join(w for w, _ in (moved | lost).values())
            cells.append(f"'moved', CASE WHEN {when} THEN json_object({pairs}) END")
            present.append(f"({when})")
        if not cells:
            return "NULL::VARCHAR"
        return f"CASE WHEN {' OR '.join(present)} THEN json_object({', '.join(cells)})::VARCHAR END"

    def named(self, text: str) -> str:
        """Whether a text is the name of a wording or of a language, and no identifier."""
        return f"(regexp_full_match({text}, {literal(NAMED)}) AND NOT {self.leak(text)})"

    def any_lost(self) -> str:
        """Whether a text of the row would be kept nowhere, were it not sealed."""
        lost = [f"coalesce({self._lost(f)}, FALSE)" for f in self.fields if self._lost(f)]
        return f"({' OR '.join(lost)})" if lost else "FALSE"

    def _lost(self, f: Field) -> str:
        """When a field's text would be kept nowhere: no identifier, although it stands in the place of one; or an
        answer that nobody understands."""
        text = self.raw.text(f)
        if f.signal == signals.TCF:
            return ""
        if f.signal == signals.GPC:
            return f"{text} IS NOT NULL AND {signals.gpc(text)} IS NULL"
        if f.consent:
            return f"{text} IS NOT NULL AND lower({text}) NOT IN ({UNDERSTOOD})"
        if f.consent_part in NAMED_PARTS:
            return f"{text} IS NOT NULL AND NOT {self.named(text)}"
        if f.identifier and not f.sealed and not self.intake.column_hides(f):
            chosen = name("_id_" + f.identifier)
            if sum(g.identifier == f.identifier for g in self.fields) > 1:
                return f"{text} IS NOT NULL AND {normalised(f.identifier, text)} IS DISTINCT FROM {chosen}"
            return f"{text} IS NOT NULL AND {chosen} IS NULL" if f.identifier == "phone" else ""
        return ""
