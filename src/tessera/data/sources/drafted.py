"""A contract for a source that is only being looked at: what its columns seem to hold, what each would become, and the YAML.

What is proposed is a beginning, to be judged by whoever knows the source; nothing here lands a row or shows a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tessera.config import Contract, RecordKind, SourceKind
from tessera.contract_field import IDENTIFIER_CATEGORY
from tessera.data.sources import checked
from tessera.data.sources.names import Keeper
from tessera.data.sources.proposed import proposed
from tessera.lake.state import State

MOST_COLUMNS = 40
"""Columns that are mapped one by one; what a contract does not name is sealed, so further ones are safe and unused."""

Kind = Literal["file", "sql", "http"]
Format = Literal["csv", "json", "parquet"]
Sync = Literal["snapshot", "append", "cursor"]

_ISO_DAY, _ISO = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
_DOTTED, _SLASHED = re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}"), re.compile(r"\d{1,2}/\d{1,2}/\d{4}")
_FLAGS = {"true", "false", "yes", "no", "t", "f", "y", "n"}
_KEYS: dict[str, str] = {
    "order": "order_id", "payment": "payment_id", "event": "message_id", "post": "post_id", "touch": "touch_id",
}  # fmt: skip
"""Of a kind of record, the column of ours that names a row."""

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "name": ("full_name", "fullname", "customer_name", "display_name"),
    "address": ("street", "street_address", "address_line"),
    "born": ("birthday", "birth_date", "birthdate", "dob", "date_of_birth"),
    "since": ("joined", "created_at", "registered_at", "signup_date", "signed_up", "member_since"),
    "occurred_at": (
        "occurred_at", "timestamp", "ordered_at", "paid_at", "created_at", "date", "time", "updated_at", "at", "order_date",
        "posted_at", "sent_at", "invoice_date",
    ),
    "amount_cents": ("amount", "total", "price", "sum", "value", "revenue", "cost", "amount_cents", "total_cents"),
    "product_id": ("product", "sku", "item", "item_id", "stock_code"), "quantity": ("qty", "count", "units"),
    "order_id": ("order", "order_no", "order_number", "invoice", "invoice_no"), "line": ("line_no", "line_number"),
    "event": ("event_name", "action"), "url": ("page_url", "page"), "channel": ("source", "medium", "utm_source"),
    "campaign": ("campaign_name", "utm_campaign"), "metric": ("sensor", "measure"), "text": ("body", "content", "message"),
    "language": ("lang", "locale"), "country": ("country_code",), "rate": ("exchange_rate",), "valid_from": ("date", "day"),
}  # fmt: skip
"""A column of ours, and how others call it."""

_IDENTIFIERS = (
    ("user_id", re.compile(r"^(customer|user|person|member|client|account)_?(id|no|nr|number)?$")),
    ("email", re.compile(r"e_?mail")), ("phone", re.compile(r"phone|mobile|^tel")),
    ("device_id", re.compile(r"^device(_?id)?$|serial")), ("anonymous_id", re.compile(r"anonymous|cookie|visitor")),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the source, and what it would become.

    pattern: what its samples look like; filled: the share of them that holds anything. type: its logical type; date_format: of
    a date that is not ISO. use: `identifier:KIND`, `maps:COLUMN`, `consent:PURPOSE`, `keep` (open, among the properties) or
    empty: sealed. key: whether it names the row.
    """

    name: str
    type: str = "string"
    category: str = "user"
    use: str = ""
    key: bool = False
    pattern: str = ""
    filled: float = 0.0
    date_format: str = ""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A source as somebody describes it. path: of files, below the workspace. connection: of a database, with its references.
    table: what is read there. cursor: of sync `cursor`, the column that moves. fresh_hours, keep_days: what is promised."""

    name: str
    record: RecordKind
    kind: Kind
    department: str = ""
    path: str = ""
    format: Format = "csv"
    connection: str = ""
    table: str = ""
    sync: Sync = "append"
    cursor: str = ""
    fresh_hours: int | None = None
    keep_days: int | None = None
    amounts: Literal["cents", "units"] = "units"
    currency: str = ""
    columns: tuple[Column, ...] = field(default=())

    @property
    def file(self) -> str:
        """Where its contract would lie, below the workspace."""
        return f"sources/{self.name}.odcs.yaml"


def look(draft: Draft, root: Path, state: State, secrets: Keeper) -> tuple[list[str], checked.Samples]:
    """Sentences on whether it is reached, and samples by column, which stay here. Raises BadSource."""
    kind: SourceKind = draft.kind
    contract = Contract(
        name=draft.name, file=root / draft.file, kind=kind, record=draft.record, fields=(), format=draft.format,
        path=draft.path, connection=draft.connection, query=f"SELECT * FROM {draft.table}" if draft.kind == "sql" else "",
    )  # fmt: skip
    return checked.looked(contract, root, state, secrets)


def guessed(draft: Draft, samples: Mapping[str, Sequence[str]], ours: Collection[str], consents: Collection[str]) -> Draft:
    """The draft with what each column seems to be. ours: the columns that the record can fill; consents: the purposes that a
    column may answer."""
    made: list[Column] = []
    taken: set[str] = set()
    many = max(map(len, samples.values()), default=0)
    for name, values in list(samples.items())[:MOST_COLUMNS]:
        column = _column(name, [v for v in values if v and v.strip()], many, draft.record, ours, consents, taken)
        taken.add(column.use)
        made.append(column)
    wanted = "identifier:user_id" if draft.record == "person" else f"maps:{_KEYS.get(draft.record, '')}"
    keys = [c.name for c in made if c.use == wanted]
    made = [replace(c, key=c.name in keys[:1]) for c in made]
    whole = any(c.use == "maps:amount_cents" and c.name.casefold().endswith("cents") for c in made)
    return replace(draft, columns=tuple(made), amounts="cents" if whole else draft.amounts)


def _column(
    name: str, values: list[str], many: int, record: str, ours: Collection[str], consents: Collection[str], taken: set[str]
) -> Column:
    seems = proposed(name, values)
    plain = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.rpartition(".")[2]).lower()).strip("_")
    kind, date_format = _type(values)
    use = _use(plain, kind, seems.pattern if seems else "", record, ours, consents, taken)
    what, _, which = use.partition(":")
    category = seems.category if seems else "user"
    if what == "identifier":
        category, kind = IDENTIFIER_CATEGORY[which], "string"
    elif what == "maps" and isinstance(ours, Mapping):
        category = ours[which]
    elif what == "consent":
        category, kind = "user.privacy_preferences", "boolean"
    elif not what and category.startswith(("system", "user.behavior")):
        use = "keep"
    return Column(
        name=name, type=kind, category=category, use=use, pattern=seems.pattern if seems else "",
        filled=len(values) / many if many else 0.0, date_format=date_format,
    )  # fmt: skip


def _use(
    plain: str, kind: str, pattern: str, record: str, ours: Collection[str], consents: Collection[str], taken: set[str]
) -> str:
    if record != "rate":
        for identifier, regex in _IDENTIFIERS:
            fits = regex.search(plain) and (identifier != "email" or pattern == "e-mail") and kind != "boolean"
            if fits and f"identifier:{identifier}" not in taken:
                return f"identifier:{identifier}"
    answers = [p for p in consents if p in plain and f"consent:{p}" not in taken]
    if answers and (kind == "boolean" or plain.startswith("consent")):
        return f"consent:{answers[0]}"
    if plain in ours and f"maps:{plain}" not in taken:
        return f"maps:{plain}"
    dated = {"occurred_at", "since", "valid_from", "received_at"}
    for column, names in _SYNONYMS.items():
        if column in ours and plain in names and f"maps:{column}" not in taken:
            if column in dated and kind not in ("date", "timestamp"):
                continue
            return f"maps:{column}"
    if record == "order" and plain == "id":
        return "maps:order_id"
    return "identifier:user_id" if record == "person" and plain == "id" and "identifier:user_id" not in taken else ""


def _type(values: Sequence[str]) -> tuple[str, str]:
    """The logical type that all samples have, and the format of a date that is not ISO."""
    if not values:
        return "string", ""
    if all(v.strip().lower() in _FLAGS for v in values):
        return "boolean", ""
    for regex, kind in ((_ISO_DAY, "date"), (_ISO, "timestamp"), (re.compile(r"-?(0|[1-9]\d{0,17})"), "integer")):
        if all(regex.fullmatch(v.strip()) for v in values):
            return kind, ""
    if all(_ISO_DAY.match(v.strip()) for v in values):
        return "timestamp", ""
    if all(re.fullmatch(r"-?\d+(\.\d+)?", v.strip()) for v in values):
        return "number", ""
    if all(_DOTTED.fullmatch(v.strip()) for v in values):
        return "date", "dd.MM.yyyy"
    if all(_SLASHED.fullmatch(v.strip()) for v in values):
        return "date", "MM/dd/yyyy" if any(int(v.strip().split("/")[1]) > 12 for v in values) else "dd/MM/yyyy"
    return "string", ""


def text(draft: Draft, ours: Collection[str], workspace: str) -> str:
    """The contract, as it would be written. ours: the columns that the record can fill."""
    lines = [
        "apiVersion: v3.1.0", "kind: DataContract", f"id: {_said(f'urn:{_plain(workspace)}:contract:{draft.name}')}",
        f"name: {draft.name}", "version: 1.0.0", "status: active",
        *([f"team: {{name: {_said(draft.department)}}}"] if draft.department else []),
        "", "servers:", *_server(draft), "", "customProperties:", _property("record", draft.record),
    ]  # fmt: skip
    if draft.kind != "http":
        lines.append(_property("sync", draft.sync))
        lines += [_property("cursor", draft.cursor)] if draft.sync == "cursor" else []
    if any(c.use == "maps:amount_cents" for c in draft.columns):
        lines.append(_property("amounts", draft.amounts))
        if draft.currency and not any(c.use == "maps:currency" for c in draft.columns):
            lines.append(_property("currency", draft.currency))
    promised = []
    if draft.fresh_hours:
        promised.append(f"  - {{property: latency, value: {draft.fresh_hours}, unit: h}}")
    if draft.keep_days:
        promised.append(f"  - {{property: retention, value: {draft.keep_days}, unit: d}}")
    lines += ["", "slaProperties:", *promised] if promised else []
    lines += ["", "schema:", f"  - name: {draft.name}", "    properties:"]
    filled = {c.use.partition(":")[2] for c in draft.columns if c.use.startswith("maps:")}
    for column in draft.columns:
        lines += _lines(column, set(ours) - filled)
    return "\n".join(lines) + "\n"


def _server(draft: Draft) -> list[str]:
    if draft.kind == "file":
        return [f"  - {{server: files, type: local, path: {_said(draft.path)}, format: {draft.format}}}"]
    if draft.kind == "http":
        return ["  - {server: door, type: api, location: /v1}"]
    kind = "sqlite" if draft.connection.startswith("sqlite") else "custom"
    return [
        "  - server: database", f"    type: {kind}", "    customProperties:",
        f"      - {{property: connection, value: {_said(draft.connection)}}}",
        f"      - {{property: table, value: {_said(draft.table)}}}",
    ]  # fmt: skip


def _lines(column: Column, free: set[str]) -> list[str]:
    what, _, which = column.use.partition(":")
    stem = column.name.rpartition(".")[2] or column.name
    made = [f"      - name: {_said(stem)}"]
    if stem != column.name:
        made.append(f"        physicalName: {_said(column.name)}")
    if column.type != "string":
        made.append(f"        logicalType: {column.type}")
    if column.date_format and column.type in ("date", "timestamp"):
        made.append(f"        logicalTypeOptions: {{format: {_said(column.date_format)}}}")
    made += ["        required: true", "        primaryKey: true"] if column.key else []
    made.append("        customProperties:")
    if what == "identifier":
        made.append(f"    {_property('identifier', which, 6)}")
        made += [f"    {_property('mapsTo', which, 6)}"] if which in free else []
    elif what == "maps":
        made.append(f"    {_property('mapsTo', which, 6)}")
    elif what == "consent":
        made.append(f"    {_property('consent', which, 6)}")
    if what != "consent":
        made.append(f"    {_property('category', column.category, 6)}")
    return made


def _property(name: str, value: str, indent: int = 2) -> str:
    return f"{' ' * indent}- {{property: {name}, value: {_said(value)}}}"


def _said(value: str) -> str:
    """A YAML scalar on one line, quoted where it may be taken for something else."""
    plain = re.fullmatch(r"[A-Za-z_][\w./ -]*[\w]|[A-Za-z_]", value) and value.lower() not in ("null", "true", "false", *_FLAGS)
    return value if plain else json.dumps(value, ensure_ascii=False)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "tessera"
