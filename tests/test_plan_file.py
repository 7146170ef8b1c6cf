"""plan_file.py: tracking plans in RudderStack's YAML, old and new; each mistake is told with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from given_workspace import ENV, WORDS, given
from tessera import odcs
from tessera.config import TrackingPlan
from tessera.errors import BadWorkspace
from tessera.plan_file import plans
from tessera.workspace import load
from tessera.yamlmarks import Faults

EVENTS = """\
version: rudder/v1
kind: events
metadata: {name: shop}
spec:
  events:
    - {id: viewed, name: Product Viewed, event_type: track, category: "#category:browsing"}
    - {id: signed_up, event_type: identify}
"""
PROPERTIES = """\
version: rudder/v1
kind: properties
metadata: {name: shop}
spec:
  properties:
    - {id: sku, name: sku, type: string, config: {min_length: 2, pattern: "^[a-z0-9]+$"}}
    - {id: price, name: price, types: [number, "null"], config: {minimum: 0}}
    - {id: way, name: way, type: string, config: {enum: [web, app]}}
    - {id: tags, name: tags, type: array, item_types: [string], config: {max_items: 3}}
    - {id: mail, name: email, type: string, config: {format: email}}
    - {id: place, name: place, type: object}
    - {id: home, name: home, type: "#custom-type:address"}
"""
TYPES = """\
version: rudder/v1
kind: custom-types
metadata: {name: shop}
spec:
  types:
    - id: address
      name: Address
      type: object
      properties: [{property: "#property:sku", required: true}]
"""
PLAN = """\
version: rudder/v1
kind: tracking-plan
metadata: {name: shop}
spec:
  id: shop
  display_name: The shop
  rules:
    - type: event_rule
      id: viewed
      event: "#event:viewed"
      additional_properties: false
      properties:
        - {property: "#property:sku", required: true}
        - {property: "#property:price"}
        - {property: "#property:way"}
        - {property: "#property:tags"}
        - {property: "#property:home"}
        - property: "#property:place"
          additional_properties: true
          properties: [{property: "#property:sku", required: true}]
    - type: event_rule
      event: "#event:signed_up"
      additional_properties: true
      properties: [{property: "#property:mail", required: true}]
"""
FILES = {"events.yaml": EVENTS, "properties.yaml": PROPERTIES, "types.yaml": TYPES, "shop.yaml": PLAN}
OLD = """\
version: rudder/v0.1
kind: tp
metadata: {name: old}
spec:
  id: old
  rules:
    - type: event_rule
      event: {$ref: "#/events/shop/viewed", allow_unplanned: true}
      properties: [{$ref: "#/properties/shop/sku", required: true}]
"""


def written(folder: Path, **changed: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (FILES | {n + ".yaml": t for n, t in changed.items()}).items():
        (folder / name).write_text(text, "utf-8")
    return folder


def read(folder: Path) -> dict[str, TrackingPlan]:
    faults = Faults()
    found = plans(folder, faults)
    assert found is not None and not faults, faults.lines()
    return found


def test_a_plan_becomes_the_schema_of_each_event(tmp_path: Path) -> None:
    viewed, signed_up = read(written(tmp_path))["shop"].rules
    assert (viewed.type, viewed.event, viewed.section) == ("track", "Product Viewed", ("properties",))
    assert viewed.schema["required"] == ["sku"] and viewed.schema["additionalProperties"] is False
    sku = {"type": "string", "minLength": 2, "pattern": "^[a-z0-9]+$"}
    of_sku = {"type": "object", "properties": {"sku": sku}, "required": ["sku"]}
    assert viewed.schema["properties"] == {
        "sku": sku,
        "price": {"type": ["number", "null"], "minimum": 0},
        "way": {"type": "string", "enum": ["web", "app"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
        "home": of_sku | {"additionalProperties": False},
        "place": of_sku | {"additionalProperties": True},
    }
    assert (signed_up.type, signed_up.event, signed_up.section) == ("identify", "", ("traits",))


def test_the_older_form_is_read_too(tmp_path: Path) -> None:
    (rule,) = read(written(tmp_path, old=OLD))["old"].rules
    assert rule.event == "Product Viewed" and rule.schema["additionalProperties"] is True
    assert rule.schema["required"] == ["sku"]


def test_a_workspace_without_plans_has_none(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("shop", "#event:viewed", "#event:viewd", r"expected an event of this folder: .* mean '#event:viewed'\?"),
        ("shop", "#property:price", "#property:prize", r"Did you mean '#property:price'\?"),
        ("shop", "additional_properties: false", "additional_propertys: false", r"Did you mean 'additional_properties'\?"),
        ("shop", "kind: tracking-plan", "kind: trackingplan", r"Did you mean 'tracking-plan'\?"),
        ("shop", "version: rudder/v1", "version: rudder/v2", "expected one of rudder/v1, rudder/0.1"),
        ("shop", "type: event_rule", "type: event", "expected one of event_rule"),
        ("shop", "      id: viewed\n", "      variants: []\n", "found 'variants', expected a rule without variants"),
        ("shop", "#event:signed_up", "#event:viewed", r"expected each event once \(it has a rule on line 8 already\)"),
        ("shop", "#property:price", "#property:sku", "expected each property once"),
        ("events", "event_type: track", "event_type: trak", r"expected one of track, .* Did you mean 'track'\?"),
        ("events", "id: signed_up", "id: viewed", "expected an id that no other of the events has"),
        ("properties", "type: string, config: {min", "type: text, config: {min", "expected a type: one of string"),
        ("properties", "min_length: 2", "min_len: 2", r"Did you mean 'min_length'\?"),
        ("properties", "min_length: 2", "min_length: two", "found 'two', expected a number"),
        ("properties", "^[a-z0-9]+$", "(?=a)b", "expected a regular expression without look-around"),
        ("properties", "format: email", "format: mail", r"Did you mean 'email'\?"),
        ("properties", "#custom-type:address", "#custom-type:adress", r"Did you mean '#custom-type:address'\?"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, file: str, old: str, new: str, told: str) -> None:
    text = FILES[file + ".yaml"]
    assert old in text
    written(tmp_path, **{file: text.replace(old, new, 1)})
    faults = Faults()
    assert plans(tmp_path, faults) is None
    line = text[: text.index(old)].count("\n") + 1
    assert any(re.search(rf"^{tmp_path.name}/{file}\.yaml:(\d+): .*{told}", f) for f in faults.lines()), faults.lines()
    assert any(f":{line}:" in f for f in faults.lines()) or "already" in told or "once" in told, faults.lines()


DOOR = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:acme:web
name: web
version: 1.0.0
status: active
servers:
  - server: door
    type: api
    location: /v1
    customProperties:
      - {property: trackingPlan, value: shop}
      - {property: consent, value: drop}
      - {property: consentPurposes, value: [marketing]}
      - {property: dedupeHours, value: 48}
      - {property: eventBytes, value: 4000000}
      - {property: address, value: drop}
customProperties:
  - {property: record, value: event}
schema:
  - name: events
    properties:
      - name: messageId
        customProperties: [{property: mapsTo, value: message_id}]
      - name: ads
        physicalName: context.consent.categoryPreferences.Ads
        customProperties: [{property: consent, value: marketing}, {property: signal, value: preferences}]
"""


def test_a_contract_says_how_the_door_takes_its_source(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    written(root / "tracking-plans")
    (root / "sources" / "web.odcs.yaml").write_text(DOOR)
    config = load(root, words=WORDS, env=ENV)
    door = next(c for c in config.sources if c.name == "web").door
    assert (door.plan, door.consent, door.purposes, door.dedupe_hours) == ("shop", "drop", ("marketing",), 48)
    assert (door.event_bytes, door.address, door.enabled, door.additional) == (4_000_000, "drop", True, "block")
    assert list(config.plans) == ["shop"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("value: shop}", "value: shp}", r"found 'shp', expected the id of a plan .* Did you mean 'shop'\?"),
        ("property: trackingPlan", "property: tracking_plan", r"Did you mean 'trackingPlan'\?"),
        ("property: dedupeHours", "property: dedupe_hours", r"Did you mean 'dedupeHours'\?"),
        ("value: drop}", "value: dropp}", r"found 'dropp', expected one of drop, anonymous, keep. Did you mean 'drop'\?"),
        ("[marketing]", "[marketng]", r"found 'marketng', expected a purpose .*: one of marketing. Did you mean 'marketing'\?"),
        ("value: 48", "value: 480", "found 480, expected a whole number from 0 to 168"),
        ("value: 4000000", "value: 5000000", "expected a whole number from 1024 to 4000000"),
        ("value: marketing}, {property: signal, value: preferences}", "value: marketing}", ""),
        ("address, value: drop", "cookieDomain, value: shop.example", "expected a domain .* which is not set"),
        ("address, value: drop", "cookieDomain, value: Shop", "expected a domain that you own"),
        ("{property: consent, value: marketing}, {property: signal, value: preferences}", "", "expected a property with the"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_settings_of_the_door_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    root = given(tmp_path / "acme")
    written(root / "tracking-plans")
    assert old in DOOR
    (root / "sources" / "web.odcs.yaml").write_text(DOOR.replace(old, new, 1))
    if not told:
        load(root, words=WORDS, env=ENV)
        return
    with pytest.raises(BadWorkspace) as caught:
        load(root, words=WORDS, env=ENV)
    assert any(re.search(rf"^sources/web.odcs.yaml:\d+: .*{told}", f) for f in caught.value.faults), caught.value.faults


def test_the_documented_contract_and_plan_are_a_workspace(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    (root / "tracking-plans").mkdir()
    page = (Path(__file__).parents[1] / "docs" / "collector.md").read_text("utf-8")
    contract, *planned = re.findall(r"```yaml\n(.*?)```", page, re.S)
    (root / "sources" / "web.odcs.yaml").write_text(contract, "utf-8")
    for number, text in enumerate(planned):
        (root / "tracking-plans" / f"{number}.yaml").write_text(text, "utf-8")
    config = load(root, words=WORDS, env=ENV)
    assert [r.event for r in config.plans["shop"].rules] == ["Product Viewed"]
    assert {f.signal for f in config.sources[-1].fields if f.consent} == {"gpc", "preferences"}


def test_the_page_of_the_collector_has_every_setting() -> None:
    page = (Path(__file__).parents[1] / "docs" / "collector.md").read_text("utf-8")
    assert [name for name in odcs.OUR_DOOR if f"\n| `{name}` |" not in page] == []
