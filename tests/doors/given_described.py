"""A served shop with a source for SDKs and one for webhooks, and its OpenAPI document as schemathesis reads it: each route can
be asked in any form, in the name of somebody who may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import schemathesis
from given_served import Served, copied, served
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi import checks

from tessera.doors.drill.shop import Shop
from tessera.doors.tracked import write_key

WEB = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:drill:web
name: web
version: 1.0.0
status: active
servers:
  - server: door
    type: api
    location: /v1
    customProperties:
      - {property: consent, value: anonymous}
      - {property: consentPurposes, value: [analytics]}
      - {property: trackingPlan, value: shop}
customProperties:
  - {property: record, value: event}
schema:
  - name: events
    properties:
      - {name: messageId, required: true, unique: true, customProperties: [{property: mapsTo, value: message_id}]}
      - {name: type, required: true, customProperties: [{property: mapsTo, value: type}]}
      - {name: event, customProperties: [{property: mapsTo, value: event}]}
      - {name: anonymousId, customProperties: [{property: identifier, value: anonymous_id}]}
      - {name: userId, customProperties: [{property: identifier, value: user_id}]}
      - {name: timestamp, logicalType: timestamp, required: true, customProperties: [{property: mapsTo, value: occurred_at}]}
      - {name: url, physicalName: context.page.url, customProperties: [{property: mapsTo, value: url}]}
      - {name: analytics, physicalName: context.consent.categoryPreferences.analytics,
         customProperties: [{property: consent, value: analytics}]}
      - {name: gpc, physicalName: context.gpc,
         customProperties: [{property: consent, value: sharing}, {property: signal, value: gpc}]}
"""
HOOK = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:drill:hook
name: hook
version: 1.0.0
status: active
servers:
  - {server: hook, type: api, location: /v1/webhook/hook}
customProperties:
  - {property: record, value: order}
schema:
  - name: orders
    properties:
      - {name: order, physicalName: id, required: true, primaryKey: true,
         customProperties: [{property: mapsTo, value: order_id}]}
      - {name: customer, physicalName: customer.id, customProperties: [{property: identifier, value: user_id}]}
      - {name: at, physicalName: receivedAt, logicalType: timestamp, required: true,
         customProperties: [{property: mapsTo, value: occurred_at}]}
      - {name: cents, logicalType: integer, customProperties: [{property: mapsTo, value: amount_cents}]}
"""
PLAN = """\
version: rudder/v1
kind: tracking-plan
metadata: {name: shop}
spec:
  id: shop
  rules:
    - type: event_rule
      id: viewed
      event: "#event:viewed"
      additional_properties: true
"""
EVENTS = """\
version: rudder/v1
kind: events
metadata: {name: shop}
spec:
  events:
    - {id: viewed, name: Product Viewed, event_type: track}
"""

HELP = """\
decision: help
purpose: operate
on: [Product Viewed]
candidates:
  - {id: chat, when: here.page = 'cart' OR orders > 1, show: {text: Chat}}
  - {id: call, show: [1, 2]}
"""

CONFORMS = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance,
]  # fmt: skip
NO_REQUEST = b"Invalid HTTP request received."
"""What is answered to what is no HTTP (a head that is too large, a byte that no address has): before any route is known."""


@dataclass(eq=False)
class Described:
    """The server, and its document. write_keys: by source. customer: the headers of one who is in."""

    up: Served
    schema: Any
    write_keys: Mapping[str, str]
    customer: Mapping[str, str] = field(default_factory=dict)

    @property
    def operations(self) -> list[Any]:
        return [one.ok() for one in self.schema.get_all_operations()]

    def tagged(self, tag: str) -> list[Any]:
        return [one for one in self.operations if tag in one.tags]

    def shown(self, operation: Any) -> dict[str, str]:
        """The headers of somebody whom the route lets in."""
        raw = operation.definition.raw
        asked = {name for one in raw.get("security", ()) for name in one}
        if "customer" in asked:
            return dict(self.customer)
        if "apiKey" in asked:
            return {"Authorization": f"Bearer {self.up.shop.keys['owner']}"}
        if "writeKey" in asked:
            return {"X-Write-Key": self.write_keys["hook" if "webhook" in operation.path else "web"]}
        return {"Origin": self.up.url}

    def breakable(self, operation: Any) -> bool:
        """Whether there is a form of it that the document does not allow."""
        raw = operation.definition.raw
        content = raw.get("requestBody", {}).get("content", {}).get("application/json", {})
        told = content and content["schema"].get("$ref") != "#/components/schemas/Anything"
        return bool(told) or any(p["schema"].get("type") != "string" or len(p["schema"]) > 2 for p in raw.get("parameters", ()))

    def _named(self, case: Any) -> None:
        """Puts things that there are where the forms have made up some, so that not every answer is that there is none."""
        named = self.real | ({"purpose": "analytics"} if "consents/{purpose}" in case.path else {})
        for part in (case.path_parameters, case.query, case.body):
            if isinstance(part, dict):
                part |= {name: value for name, value in named.items() if name in part}
        case.headers.pop("Authorization", None)

    @cached_property
    def real(self) -> dict[str, Any]:
        """Of parameters and fields by name: one that there is."""
        return {
            "purpose": "operate", "role": "owner", "of_role": "sales", "table": "profiles", "person": self.up.person(1),
            "entry": 0, "asked": 1, "source": "hook", "key": self.write_keys["web"], "writeKey": self.write_keys["web"],
            "identifier": self.up.shop.people[0].email, "question": "SELECT * FROM profiles", "event": "Product Viewed",
            "decision": "help",
        }  # fmt: skip

    def enter(self) -> None:
        """A customer comes in from the owner's own pages."""
        vouched = {"kind": "user_id", "identifier": self.up.shop.people[0].id}
        token = self.up.ask("POST", "/v1/me/token", vouched, role="owner").json["token"]
        told = self.up.ask("POST", "/v1/me/session", {"token": token})
        assert told.status == 200
        self.customer = {"Cookie": told.headers["set-cookie"].partition(";")[0], "Origin": self.up.url}

    def probe(self, operation: Any, examples: int, *, broken: bool = False, fresh: bool = False) -> list[int]:
        """Asks a route in so many forms, and holds each answer against the document; returns the statuses. broken: in forms
        that the document does not allow. fresh: in other forms with each run, and not always about what there is."""
        mode, statuses = GenerationMode.NEGATIVE if broken else GenerationMode.POSITIVE, list[int]()

        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=not fresh, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans() if fresh else st.just(not broken))
        def asked(case: Any, real: bool) -> None:
            headers = self.shown(operation)
            if real:
                self._named(case)
            answer = case.call(headers=headers, allow_redirects=False, timeout=30)
            statuses.append(answer.status_code)
            if answer.content != NO_REQUEST:
                case.validate_response(answer, checks=CONFORMS, headers=headers)

        asked()
        return statuses


@contextmanager
def described(shop: Shop, folder: Path) -> Iterator[Described]:
    """Serves a copy of the shop with its two more sources, and reads its document."""
    load_all_checks()
    made = copied(shop, folder)
    for name, text in (("web", WEB), ("hook", HOOK)):
        (made.root / "sources" / f"{name}.odcs.yaml").write_text(text, "utf-8")
    (made.root / "tracking-plans").mkdir(exist_ok=True)
    for name, text in (("shop", PLAN), ("events", EVENTS)):
        (made.root / "tracking-plans" / f"{name}.yaml").write_text(text, "utf-8")
    (made.root / "decisions").mkdir(exist_ok=True)
    (made.root / "decisions" / "help.yaml").write_text(HELP, "utf-8")
    with served(made) as up:
        with up.desk.app() as app:
            keys = {name: write_key(app.secrets, name) for name in ("web", "hook")}
        schema = schemathesis.openapi.from_dict(up.ask("GET", "/v1/openapi.json").json)
        schema.config.update(base_url=up.url)
        it = Described(up, schema, keys)
        it.enter()
        yield it
