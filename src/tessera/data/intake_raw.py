"""A raw row as SQL: how to take a field out of it, for each shape of chunk; a layer of `intake_reading`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tessera.config import Contract, Field
from tessera.data import expressions
from tessera.data.chunk import Chunk
from tessera.data.expressions import Place
from tessera.lake.engine import literal, name

_NATIVE = {
    "integer": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UINTEGER", "UBIGINT", "HUGEINT", "USMALLINT", "UTINYINT"),
    "number": ("DOUBLE", "FLOAT", "DECIMAL", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UINTEGER", "UBIGINT"),
    "timestamp": ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S", "DATE"),
    "date": ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
    "boolean": ("BOOLEAN",),
}


class Raw:
    """A contract's fields in the rows of one chunk; types: the raw columns' DuckDB types by name."""

    def __init__(self, contract: Contract, chunk: Chunk, types: Mapping[str, str]) -> None:
        self.contract, self.json, self.relation = contract, chunk.shape == "json", chunk.relation
        self.columns, self.types = chunk.columns, dict(types)
        self.place = {f.name: i for i, f in enumerate(contract.fields)}
        self.computed = {f.name: expressions.compiled(f.expression) for f in contract.fields if f.expression}
        self.places: list[Place] = list(dict.fromkeys(p for e in self.computed.values() for p in e.places))
        named = [f.where for f in contract.fields if not f.expression] + [p.dotted for p in self.places]
        self.named = [where for where in named if where]
        parents = {".".join(parts[:n]) for where in self.named for parts in [where.split(".")] for n in range(1, len(parts))}
        # JSON whose shape is looked at: objects that hold named fields, and identifiers, which are no objects.
        self.parents = sorted(parents) if self.json else []
        identifiers = (f.where for f in contract.fields if f.identifier and not f.expression)
        self.shaped = [*self.parents, *identifiers] if self.json else []

    def layer(self) -> str:
        """The raw rows with each field's text as _f<n>; JSON is parsed once for all of them."""
        if not self.json:
            texts = {f"_f{i}": self._text(f) for f, i in zip(self.contract.fields, self.place.values(), strict=True)}
            return f"SELECT *, {items(texts)} FROM {self.relation}"
        own = [f for f in self.contract.fields if not f.expression]
        paths = ", ".join(literal(path) for path in [*(_path(f.where) for f in own), *(p.path for p in self.places)])
        taken = {f.name: f"_v[{i}]" for i, f in enumerate(own, 1)}
        at = {p: f"_v[{i}]" for i, p in enumerate(self.places, len(own) + 1)}
        taken |= {name: computed.sql(at) for name, computed in self.computed.items()}
        texts = {f"_f{i}": _trimmed(taken[name]) for name, i in self.place.items()}
        valid = f"SELECT rn, line AS _line, CASE WHEN json_valid(line) THEN line END AS line FROM {self.relation}"
        shaped = ", ".join(literal(_path(path)) for path in self.shaped)
        shapes = f", json_type(line, [{shaped}]) AS _p" if shaped else ""
        read = f"SELECT *, json_extract_string(line, [{paths}]) AS _v{shapes} FROM ({valid})"
        return f"SELECT *, {items(texts)} FROM ({read})"

    def misshapen(self) -> list[tuple[str, str]]:
        """Of JSON: conditions under which a place has another shape than the contract's paths say, with the place."""
        objects = [(f"_p[{i}] NOT IN ('OBJECT', 'NULL')", path) for i, path in enumerate(self.parents, 1)]
        rest = enumerate(self.shaped[len(self.parents) :], len(self.parents) + 1)
        return objects + [(f"_p[{i}] IN ('OBJECT', 'ARRAY')", path) for i, path in rest]

    def text(self, f: Field) -> str:
        """The field as trimmed text, NULL when empty."""
        return f"_f{self.place[f.name]}"

    def given(self, f: Field) -> str:
        """The field as its column has it, in the column's own type."""
        return name(f.where) if f.where in self.columns else "NULL::VARCHAR"

    def _text(self, f: Field) -> str:
        given = self.given(f)
        if f.where not in self.columns:
            return given
        return _trimmed(given) if self.types.get(f.where) == "VARCHAR" else f"{given}::VARCHAR"

    def native(self, f: Field) -> bool:
        """Whether the source's own type is already what the contract asks for."""
        kind = self.types.get(f.where, "VARCHAR").partition("(")[0]
        return not self.json and kind in _NATIVE.get(f.logical_type, ())

    def typed(self, f: Field) -> str:
        """The field in its logical type, NULL when it does not fit."""
        kind = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE"}.get(f.logical_type)
        return self.as_type(f, kind or ("TIMESTAMPTZ" if f.logical_type == "timestamp" else "VARCHAR"))

    def as_type(self, f: Field, kind: str) -> str:
        """The field as a DuckDB type, NULL when it does not fit."""
        own = self.types.get(f.where, "VARCHAR")
        if not self.json and own.partition("(")[0] != "VARCHAR" and f.where in self.columns:
            if own == "TIMESTAMP" and kind == "TIMESTAMPTZ":
                # A cast asks the calendar of the time zone for each row: ten times as long.
                own = self.given(f)
                quick = f"make_timestamptz(epoch_us({own}))"
                return f"CASE WHEN isfinite({own}) THEN {quick} ELSE TRY_CAST({own} AS {kind}) END"
            return self.given(f) if own == kind else f"TRY_CAST({self.given(f)} AS {kind})"
        text = self.text(f)
        if kind == "VARCHAR":
            return text
        if kind == "BOOLEAN":
            return (
                f"CASE WHEN lower({text}) IN ('true','yes','y','1','t') THEN TRUE "
                f"WHEN lower({text}) IN ('false','no','n','0','f') THEN FALSE END"
            )
        if f.date_format and kind in ("TIMESTAMPTZ", "DATE"):
            return f"try_strptime({text}, {literal(f.date_format)})::{kind}"
        return f"TRY_CAST({text} AS {kind})"

    def whole(self) -> str:
        """The row as it came."""
        if self.json:
            return "_line"
        return _object({c: f"{name(c)}::VARCHAR" for c in self.columns}) or "'{}'"

    def extra(self) -> str | None:
        """What no contract names, as JSON text; None when there can be nothing."""
        if self.json:
            return f"json_merge_patch(line, {literal(_holes(self.named))})::VARCHAR"
        rest = [c for c in self.columns if c not in self.named]
        if not rest:
            return None
        return f"json_merge_patch('{{}}', {_object({c: f'{name(c)}::VARCHAR' for c in rest})})::VARCHAR"


def items(named: Mapping[str, str]) -> str:
    """A SELECT list: expression AS alias, by alias."""
    return ", ".join(f"{expr} AS {alias}" for alias, expr in named.items())


def _trimmed(text: str) -> str:
    """Trimmed, NULL when empty; most texts need no copy (measured: half of the cost of a row's check)."""
    return f"CASE WHEN {text} < '!' OR ends_with({text}, ' ') THEN nullif(trim({text}), '') ELSE {text} END"


def _path(dotted: str) -> str:
    return "$" + "".join('."' + part.replace('"', '\\"') + '"' for part in dotted.split("."))


def _object(pairs: Mapping[str, str]) -> str:
    return f"json_object({', '.join(f'{literal(k)}, {v}' for k, v in pairs.items())})" if pairs else ""


def _holes(paths: list[str]) -> str:
    """A merge patch (RFC 7396) that removes the named paths and keeps the rest."""
    patch: dict[str, object] = {}
    for path in sorted(paths, key=lambda p: p.count(".")):
        *parents, leaf = path.split(".")
        at = patch
        for part in parents:
            below = at.setdefault(part, {})
            if not isinstance(below, dict):
                break
            at = below
        else:
            at[leaf] = None
    return json.dumps(patch)
