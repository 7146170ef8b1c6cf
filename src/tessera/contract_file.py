"""One data contract (ODCS v3.1) -> a Contract: what its source is, how it is read, what is promised of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Literal, TypedDict, cast, get_args

from tessera import odcs
from tessera.config import SENT, Contract, Door, Field, Mqtt, Purpose, RecordKind, Rule, SourceKind, Webhook
from tessera.contract_door import check, settings
from tessera.contract_field import Known, field
from tessera.contract_sent import mqtt, mqtt_address, reference, webhook
from tessera.envtext import resolve
from tessera.yamlmarks import Faults, Piece, one_of, read
from tessera.yamlread import Section, choice, custom_section, flag, items, number, section, text, whole

RECORDS = get_args(RecordKind)
NAME = r"[a-z][a-z0-9_-]{0,62}"
CURRENCY = text(r"[A-Z]{3}", "a currency of three capital letters, such as EUR")

_HOURS = {"min": 1 / 60, "minute": 1 / 60, "h": 1.0, "hr": 1.0, "hour": 1.0, "d": 24.0, "day": 24.0, "w": 168.0,
          "wk": 168.0, "week": 168.0, "month": 730.0, "y": 8760.0, "yr": 8760.0, "year": 8760.0}  # fmt: skip
_MISSING_RULE = ("nullValues", "missingValues")


class _Source(TypedDict):
    kind: SourceKind
    format: str
    path: str
    connection: str
    query: str
    door: Door
    webhook: Webhook | None
    mqtt: Mqtt | None


def contract(
    path: Path,
    file: str,
    faults: Faults,
    *,
    words: Mapping[str, Collection[str]],
    purposes: Mapping[str, Purpose] | None,
    env: Mapping[str, str],
    plans: Collection[str] | None = (),
    url: str = "",
    expressions: Callable[[str], str | None] | None = None,
) -> tuple[Contract, Piece] | None:
    """The contract in a file and where its name stands; None if nothing can be made of it. Mistakes go to `faults`.

    plans: the names of the workspace's tracking plans; None: some could not be read, so the name goes unchecked.
    url: under which others reach our door.
    """
    root = read(path, file, faults)
    top = section(root, odcs.CONTRACT, ("apiVersion", "kind", "id", "name", "version", "status", "schema", "servers",
                                        "customProperties")) if root else None  # fmt: skip
    if top is None:
        return None
    top.get("apiVersion", choice(odcs.VERSIONS), None)
    top.get("kind", choice(("DataContract",)), None)
    top.get("id", text(), None)
    top.get("status", choice(("proposed", "draft", "active", "deprecated", "retired")), None)
    ours = custom_section(top, odcs.OUR_CONTRACT, ("record",))
    record = ours.get("record", choice(RECORDS), None)
    table = _only(top, "schema", "write one contract for each table")
    schema = section(table, odcs.SCHEMA, ("name", "properties")) if table else None
    source = _source(top, schema, env, plans, url)
    fields: tuple[Field, ...] = ()
    rules: tuple[Rule, ...] = ()
    if schema and record:
        fields, rules = _properties(schema, Known(record, words.get(record, ()), purposes, _types(schema), expressions))
        _check_expressions(schema, fields, source["format"])
    sync = ours.get("sync", choice(("append", "snapshot", "cursor")), "append")
    cursor = ours.get("cursor", text(), None)
    if fields:
        _check_reading(ours, fields, sync, cursor, source["kind"], record)
        check(top, source["door"], fields)
    fresh, keep = _promises(top)
    made = Contract(
        name=top.get("name", text(NAME, "a name of small letters, digits, '_' and '-'"), ""),
        file=path,
        record=cast(RecordKind, record or "event"),
        fields=fields,
        cursor=cursor,
        sync=cast(Literal["append", "snapshot", "cursor"], sync),
        amounts=cast(Literal["cents", "units"], ours.get("amounts", choice(("cents", "units")), "cents")),
        currency=ours.get("currency", CURRENCY, None),
        rank=ours.get("rank", whole(0, 1000), 0),
        department=_department(top),
        goal_percent=ours.get("goalPercent", number(0, 100), _goal(rules)),
        fresh_hours=fresh,
        keep_days=keep,
        derive_orders=_derives(ours, record),
        rules=rules,
        version=top.get("version", text(), "1.0.0"),
        **source,
    )
    return made, top.at("name")


def _only(top: Section, key: str, hint: str) -> Piece | None:
    """The one value of a list."""
    values = items(top.parts[key]) if key in top else []
    if key in top and len(values) != 1 and top.at(key).kind == "seq":
        top.at(key).wrong(f"one; {hint}", found=f"{len(values)} entries")
    return values[0] if values else None


def _source(
    top: Section, schema: Section | None, env: Mapping[str, str], plans: Collection[str] | None, url: str
) -> _Source:
    found = _Source(
        kind="file", format="csv", path="", connection="", query="", door=Door(dedupe_hours=0), webhook=None, mqtt=None
    )
    piece = _only(top, "servers", "the one that Tessera reads")
    server = section(piece, odcs.SERVER, ("server", "type")) if piece else None
    kind = server.get("type", choice(("local", odcs.DOOR, *odcs.SQL_SERVERS)), None) if server else None
    if server is None or kind is None:
        return found
    if kind == "local":
        for key in ("path", "format"):
            if key not in server:
                server.piece.say(f"the key {key!r} is missing or empty; a file source needs it.")
        found["path"] = server.get("path", lambda p: reference(p, env), "")
        found["format"] = server.get("format", choice(odcs.FORMATS), "csv")
        return found
    if kind == odcs.DOOR:
        found["kind"], found["format"] = "http", "json"
        found["webhook"] = webhook(server, env)
        if found["webhook"] is None:
            found["door"] = settings(server, plans, url)
        return found
    if kind == "custom" and (address := mqtt_address(server)):
        found["kind"], found["format"], found["connection"] = "mqtt", "json", address.raw
        found["mqtt"] = mqtt(server, address, env)
        return found
    found["kind"] = "sql"
    ours = custom_section(server, odcs.OUR_SERVER, ("connection",))
    found["connection"] = ours.get("connection", lambda p: _connection(p, env), "")
    table = ours.get("table", _table, None)
    if "table" in ours and "query" in ours:
        ours.at("table").wrong("only one of them", found="both table and query")
    if table is None and "query" not in ours and schema:
        table = schema.get("physicalName", _table, None)
        if "physicalName" not in schema:
            server.piece.say("the custom property 'query' or 'table' is missing; one of them says what to read.")
    found["query"] = ours.get("query", _query, "") or (f"SELECT * FROM {table}" if table else "")
    return found


def _connection(piece: Piece, env: Mapping[str, str]) -> str | None:
    written = reference(piece, env)
    if written and not re.match(r"[a-z][a-z0-9_+.-]*://", resolve(written, env, Path("/"))):
        piece.wrong("an address such as postgresql+psycopg://${SHOP_USER}:${SHOP_PASSWORD}@db/shop", found="no address")
    return written


def _table(piece: Piece) -> str | None:
    return text(r"[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*){0,2}", "the name of a table, such as shop.orders")(piece)


def _query(piece: Piece) -> str | None:
    query = text()(piece)
    if query is None:
        return None
    query = query.strip().removesuffix(";").rstrip()
    if ";" in query or not re.match(r"(?i)(select|with)\b", query):
        piece.wrong("one SELECT")
        return None
    return query


def _properties(schema: Section, known: Known) -> tuple[tuple[Field, ...], tuple[Rule, ...]]:
    fields: list[Field] = []
    rules = _rules(schema, None)
    seen: dict[str, int] = {}
    targets: dict[str, str] = {}
    for piece in items(schema.parts["properties"]) if "properties" in schema else ():
        prop = section(piece, odcs.PROPERTY, ("name",))
        if prop is None:
            continue
        made = field(prop, known)
        if (first := seen.setdefault(made.name.casefold(), made.line)) != made.line:
            piece.say(f"found the property {made.name!r} again, expected it once (it is on line {first}).")
        if made.maps_to and targets.setdefault(made.maps_to, made.name) != made.name:
            piece.say(f"{made.name!r} maps to {made.maps_to!r}, which {targets[made.maps_to]!r} fills already.")
        fields.append(made)
        rules += _rules(prop, made.name)
    return tuple(fields), tuple(rules)


def _types(schema: Section) -> dict[str, str]:
    """The logical type of each property by name, as it is written: one may refer to another that stands below it."""
    types = {}
    for piece in items(schema.parts["properties"]) if "properties" in schema else ():
        if (prop := section(piece, odcs.PROPERTY)) and "name" in prop:
            types[prop.at("name").raw] = prop.parts["logicalType"].raw if "logicalType" in prop else "string"
    return types


def _rules(owner: Section, column: str | None) -> list[Rule]:
    """The library rules of a schema or property; text and custom rules are for people and other tools."""
    rules = []
    for piece in items(owner.parts["quality"]) if "quality" in owner else ():
        rule = section(piece, odcs.QUALITY)
        if rule is None or rule.get("type", choice(("library", "text", "custom")), "library") in ("text", "custom"):
            continue
        metric = rule.get("metric", choice(tuple(odcs.METRICS)), None)
        if "metric" not in rule and rule.get("type", lambda p: p.raw, "library") == "library":
            piece.say(f"the key 'metric' is missing, expected {one_of(odcs.METRICS)}.")
        worst = _worst_percent(rule)
        if metric and worst is not None:
            dimension = rule.get("dimension", choice(odcs.DIMENSIONS), odcs.METRICS[metric])
            rules.append(Rule(metric=metric, column=column, at_most_percent=worst, dimension=dimension))
    return rules


def _worst_percent(rule: Section) -> float | None:
    given = [key for key in odcs.OPERATORS if key in rule]
    if len(given) != 1 or given[0] not in odcs.OPERATORS[:3]:
        piece = rule.at(given[0]) if given else rule.piece
        piece.wrong("one limit: mustBeLessOrEqualTo, mustBeLessThan or mustBe", found=" and ".join(given) or "no limit")
        return None
    worst = rule.get(given[0], number(0, 100), None)
    if rule.get("unit", lambda p: p.raw, "rows") != "percent" and worst:
        rule.at(given[0]).wrong("unit: percent beside it (without it, only 0)")
        return None
    return worst


def _goal(rules: tuple[Rule, ...]) -> float:
    whole_table = [r.at_most_percent for r in rules if r.column is None and r.metric in _MISSING_RULE]
    return 100.0 - min(whole_table) if whole_table else Contract.goal_percent


def _check_reading(
    ours: Section, fields: tuple[Field, ...], sync: str, cursor: str | None, kind: SourceKind, record: str | None
) -> None:
    """Whether the way of reading fits what there is to read."""
    names = [f.name for f in fields]
    if cursor and cursor not in names:
        ours.at("cursor").wrong(f"a property of this contract: {one_of(names)}", names)
    if (sync == "cursor") != ("cursor" in ours):
        ours.at("cursor").say("`sync: cursor` and a `cursor` property need each other; give both or neither.")
    if sync == "cursor" and kind == "file":
        ours.at("sync").wrong("append or snapshot: files have no cursor")
    if sync != "append" and kind in SENT:
        ours.at("sync").wrong("append: what is sent to us comes once, piece by piece", found=sync)
    if sync == "snapshot" and not any(f.primary_key for f in fields):
        ours.at("sync").wrong("a property with primaryKey: true, to tell which rows are gone", found="no primary key")
    if record == "person" and not any(f.identifier for f in fields):
        ours.at("record").wrong("at least one property with an identifier", found="a person record without one")


def _check_expressions(schema: Section, fields: tuple[Field, ...], format: str) -> None:
    """Expressions are over JSON: other shapes have columns, and databases compute them in their query."""
    if format != "json":
        for f in fields:
            if f.expression:
                schema.piece.say(f"{f.name!r} has an expression; expected it on JSON only, as this source comes as columns.")


def _derives(ours: Section, record: str | None) -> bool:
    derives = ours.get("deriveOrders", flag, False)
    if derives and record not in (None, "order_line"):
        ours.at("deriveOrders").wrong("it on the record 'order_line' only", found=f"deriveOrders on {record!r}")
    return derives


def _department(top: Section) -> str:
    """The team's name; the older form, a bare list of members, has none."""
    piece = top.parts.get("team")
    if piece is None or piece.kind == "seq":
        return Contract.department
    team = section(piece, odcs.TEAM, ("name",))
    return team.get("name", text(), Contract.department) if team else Contract.department


def _promises(top: Section) -> tuple[float | None, int | None]:
    """Freshness in hours (latency) and keeping in days (retention); other promises are not ours to check."""
    hours: dict[str, float] = {}
    for piece in items(top.parts["slaProperties"]) if "slaProperties" in top else ():
        sla = section(piece, odcs.SLA, ("property", "value"))
        name = sla.get("property", text(), None) if sla else None
        if sla is None or name not in ("latency", "retention"):
            continue
        if name in hours:
            piece.say(f"found {name!r} again, expected it once.")
        value = sla.get("value", number(0, 100_000), None)
        if "unit" not in sla:
            piece.say(f"the key 'unit' is missing or empty; {name} needs one, such as h or d.")
        unit = sla.get("unit", _unit, None)
        if value and unit:
            hours[name] = value * _HOURS[unit]
    keep = hours.get("retention")
    return hours.get("latency"), None if keep is None else max(1, round(keep / 24))


def _unit(piece: Piece) -> str | None:
    unit = piece.raw if piece.raw in _HOURS else piece.raw.removesuffix("s")
    if unit in _HOURS:
        return unit
    piece.wrong("a unit of time: min, h, d, week, month or y")
    return None
