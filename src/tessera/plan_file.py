"""tracking-plans/*.yaml -> tracking plans, in the YAML of RudderStack's command line (rudder/v1, and rudder/0.1 before it).

One file holds events, properties, custom types or one tracking plan (`kind`); they refer to each other by id. Each rule of a
plan becomes the JSON Schema of one event's facts. Source: RudderStack, tracking plans as code (rudder-iac).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tessera.config import EventRule, TrackingPlan
from tessera.yamlmarks import Faults, Piece, one_of, read
from tessera.yamlread import Section, choice, flag, items, label, section, text

NEW, OLD = ("rudder/v1",), ("rudder/0.1", "rudder/v0.1")
KINDS = {"events": "event", "properties": "property", "custom-types": "custom-type"}
PLANS = ("tracking-plan", "tp")
PASSED_OVER = ("categories",)
EVENT_TYPES = ("track", "identify", "page", "screen", "group")
TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")

_OPTIONS = {
    "min_length": "minLength", "max_length": "maxLength", "pattern": "pattern", "format": "format", "enum": "enum",
    "minimum": "minimum", "maximum": "maximum", "exclusive_minimum": "exclusiveMinimum",
    "exclusive_maximum": "exclusiveMaximum", "multiple_of": "multipleOf", "min_items": "minItems", "max_items": "maxItems",
    "unique_items": "uniqueItems",
}  # fmt: skip
"""What a property's `config` says, by JSON Schema's word for it; the older `propConfig` has those words themselves."""
_ITEMS = ("item_type", "item_types", "itemTypes")
_NEW_OPTIONS, _OLD_OPTIONS = (*_OPTIONS, "item_type", "item_types"), (*_OPTIONS.values(), "itemTypes")
_NUMBERS = ("minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems",
            "maxItems")  # fmt: skip
_EVENT = ("id", "name", "event_type", "description", "category")
_PROPERTY = ("id", "name", "type", "types", "description", "config", "propConfig", *_ITEMS)
_CUSTOM = ("id", "name", "type", "description", "config", "properties", "additional_properties", *_ITEMS)
_RULE = ("type", "id", "event", "properties", "additional_properties", "identity_section", "description")
_USE = ("property", "$ref", "required", "properties", "additional_properties")
FORMATS = ("date-time", "date", "time", "email", "uuid", "hostname", "ipv4", "ipv6", "uri")
_DEEPEST = 10


@dataclass
class _Catalog:
    """What rules refer to, by kind and reference (`#property:sku`, `#/properties/shop/sku`)."""

    event: dict[str, Section] = field(default_factory=dict)
    property: dict[str, Section] = field(default_factory=dict)
    custom: dict[str, Section] = field(default_factory=dict)

    def of(self, kind: str) -> dict[str, Section]:
        return {"event": self.event, "property": self.property, "custom-type": self.custom}[kind]


def plans(folder: Path, faults: Faults) -> dict[str, TrackingPlan] | None:
    """The plans in a folder, by id; None where one of the files has a mistake, which goes to `faults`."""
    catalog, found, before = _Catalog(), list[Section](), len(faults.lines())
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix in (".yaml", ".yml") and not path.name.startswith("."):
            root = read(path, f"{folder.name}/{path.name}", faults)
            if root is not None:
                _sorted(root, catalog, found)
    made: dict[str, TrackingPlan] = {}
    for spec in found:
        plan = TrackingPlan(id=spec.get("id", text(), ""), rules=_rules(spec, catalog))
        if plan.id in made:
            spec.at("id").wrong("an id that no other plan has")
        made[plan.id] = plan
    return made if len(faults.lines()) == before else None


def _sorted(root: Piece, catalog: _Catalog, found: list[Section]) -> None:
    """Puts what a file holds where it is looked for."""
    top = section(root, ("version", "kind", "metadata", "spec"), ("version", "kind", "metadata", "spec"))
    if top is None:
        return
    version = top.get("version", choice((*NEW, *OLD)), None)
    kind = top.get("kind", choice((*KINDS, *PLANS, *PASSED_OVER)), None)
    group = section(top.parts["metadata"], ("name", "import")) if "metadata" in top else None
    if version is None or kind is None or kind in PASSED_OVER or "spec" not in top:
        return
    if kind in PLANS:
        keys = ("id", "display_name", "description", "rules")
        if (spec := section(top.parts["spec"], keys, ("id", "rules"))) is not None:
            found.append(spec)
        return
    listed = "types" if kind == "custom-types" else kind
    spec = section(top.parts["spec"], (listed,), (listed,))
    known = {"events": _EVENT, "properties": _PROPERTY, "custom-types": _CUSTOM}[kind]
    for piece in items(spec.parts[listed]) if spec and listed in spec else ():
        entry = section(piece, known, ("id",))
        if entry is None or "id" not in entry:
            continue
        name = entry.get("id", text(), "")
        space = group.get("name", text(), "") if group else ""
        there = catalog.of(KINDS[kind])
        if (reference := f"#{KINDS[kind]}:{name}") in there:
            entry.at("id").wrong(f"an id that no other of the {kind} has")
        there[reference] = there[f"#/{kind}/{space}/{name}"] = entry


def _rules(spec: Section, catalog: _Catalog) -> tuple[EventRule, ...]:
    rules, seen = list[EventRule](), dict[tuple[str, str], int]()
    for piece in items(spec.parts["rules"]) if "rules" in spec else ():
        if _has_variants(piece):
            continue
        rule = section(piece, _RULE, ("type", "event"))
        if rule is None or rule.get("type", choice(("event_rule",)), None) is None:
            continue
        event, unplanned = _event(rule, catalog)
        if event is None:
            continue
        kind = event.get("event_type", choice(EVENT_TYPES), "track")
        name = event.get("name", text(), "") if kind == "track" else ""
        if kind == "track" and not name:
            event.piece.say("the key 'name' is missing or empty; a track event has one.")
        if (kind, name) in seen:
            rule.at("event").wrong(f"each event once (it has a rule on line {seen[kind, name]} already)")
        seen[kind, name] = piece.line
        usual = "traits" if kind in ("identify", "group") else "properties"
        where = rule.get("identity_section", choice(("properties", "traits", "context.traits")), usual)
        extra = rule.get("additional_properties", flag, unplanned)
        schema = _object(rule, catalog, extra, 0)
        rules.append(EventRule(type=kind, event=name, section=tuple(where.split(".")), schema=schema))
    return tuple(rules)


def _has_variants(piece: Piece) -> bool:
    """Rules that depend on a value are not read: half of such a rule would let through what the other half forbids."""
    for key, _ in piece.node.value if piece.kind == "map" else ():
        if key.value == "variants":
            Piece(key, piece.file, piece.faults).wrong("a rule without variants: write one event for each of them")
            return True
    return False


def _event(rule: Section, catalog: _Catalog) -> tuple[Section | None, bool]:
    """The event of a rule, and whether the older form lets it have further properties."""
    piece, unplanned = rule.at("event"), False
    if piece.kind == "map":
        old = section(piece, ("$ref", "allow_unplanned", "identity_section"), ("$ref",))
        if old is None or "$ref" not in old:
            return None, False
        piece, unplanned = old.at("$ref"), old.get("allow_unplanned", flag, False)
    return _referred(piece, catalog.event, "an event"), unplanned


def _referred(piece: Piece, there: Mapping[str, Section], what: str) -> Section | None:
    found = there.get(piece.raw)
    if found is None:
        known = [r for r in there if r.startswith("#/") == piece.raw.startswith("#/")]
        piece.wrong(f"{what} of this folder: {one_of(known)}" if known else f"{what} of this folder; there is none yet", known)
    return found


def _object(owner: Section, catalog: _Catalog, extra: bool, depth: int) -> dict[str, Any]:
    """The schema of an object with the properties that a rule, a nested property or a custom type names."""
    made: dict[str, Any] = {"type": "object", "properties": {}, "required": [], "additionalProperties": extra}
    if depth > _DEEPEST:
        owner.piece.wrong(f"at most {_DEEPEST} levels of properties", found="more")
        return made
    for piece in items(owner.parts["properties"]) if "properties" in owner else ():
        use = section(piece, _USE)
        at = use.parts.get("property") or use.parts.get("$ref") if use else None
        if use is None or at is None:
            if use is not None:
                piece.say("the key 'property' is missing or empty; it must be given.")
            continue
        prop = _referred(at, catalog.property, "a property")
        if prop is None:
            continue
        name = prop.get("name", text(), "") or prop.get("id", text(), "")
        if name in made["properties"]:
            at.wrong("each property once")
        schema = _property(prop, catalog, depth)
        if "properties" in use:
            nested = _object(use, catalog, use.get("additional_properties", flag, False), depth + 1)
            schema = {"type": "array", "items": nested} if schema.get("type") == "array" else nested
        made["properties"][name] = schema
        if use.get("required", flag, False):
            made["required"].append(name)
    return made


def _property(prop: Section, catalog: _Catalog, depth: int) -> dict[str, Any]:
    """The schema of one property's value."""
    types = prop.parts.get("types") or prop.parts.get("type")
    made = _typed(types, catalog, depth) if types else {}
    config = section(prop.parts["config"], _NEW_OPTIONS) if "config" in prop else None
    if config is None and "propConfig" in prop:
        config = section(prop.parts["propConfig"], _OLD_OPTIONS)
    for name, piece in config.parts.items() if config else ():
        if name not in _ITEMS:
            _option(_OPTIONS.get(name, name), piece, made)
    for key in _ITEMS:
        listed = prop.parts.get(key) or (config.parts.get(key) if config else None)
        if listed is not None:
            made["items"] = _typed(listed, catalog, depth)
    return made


def _typed(piece: Piece, catalog: _Catalog, depth: int) -> dict[str, Any]:
    """A type, several of them (a list, or in the older form with commas), or a custom type."""
    parts = items(piece) if piece.kind == "seq" else [piece]
    if len(parts) == 1 and parts[0].raw.startswith("#"):
        custom = _referred(parts[0], catalog.custom, "a custom type")
        if custom is None or depth > _DEEPEST:
            return {}
        if "properties" in custom:
            return _object(custom, catalog, custom.get("additional_properties", flag, False), depth + 1)
        return _property(custom, catalog, depth + 1)
    found = list[str]()
    for part in parts:
        for word in (w.strip() for w in part.raw.split(",")) if part.kind == "str" else (part.raw or part.kind,):
            if word in TYPES:
                found.append(word)
            else:
                part.wrong(f"a type: {one_of(TYPES)}, or a custom type such as #custom-type:address", TYPES)
    return {"type": found[0] if len(found) == 1 else found} if found else {}


def _option(name: str, piece: Piece, made: dict[str, Any]) -> None:
    """One condition on a value, as JSON Schema has it."""
    if name in _NUMBERS:
        value = scalar(piece)
        if isinstance(value, bool) or not isinstance(value, int | float):
            piece.wrong("a number")
            return
        made[name] = value
    elif name == "uniqueItems":
        made[name] = piece.raw == "true"
    elif name == "enum":
        made[name] = [scalar(value) for value in items(piece) if label(value) is not None]
    elif name == "format":
        made[name] = choice(FORMATS)(piece)
    elif (written := text()(piece)) is not None and _is_pattern(written, piece):
        made[name] = written


def _is_pattern(written: str, piece: Piece) -> bool:
    # Here: few workspaces have a plan, and every command reads its files.
    from jsonschema_rs import Draft7Validator, RegexOptions

    try:
        Draft7Validator({"pattern": written}, pattern_options=RegexOptions())
    except ValueError:
        piece.wrong("a regular expression without look-around and back-references")
        return False
    return True


def scalar(piece: Piece) -> Any:
    """A YAML scalar as the value that JSON has for it."""
    if piece.kind == "bool":
        return piece.raw.lower() in ("true", "yes", "on")
    try:
        if piece.kind == "int":
            return int(piece.raw.replace("_", ""), 0)
        if piece.kind == "float":
            return float(piece.raw)
    except ValueError:
        pass
    return None if piece.kind == "null" else piece.raw
