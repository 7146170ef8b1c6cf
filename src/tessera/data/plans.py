"""A tracking plan, compiled: whether an event is what its source has announced, and what it breaks in RudderStack's words.

Messages name places of the plan and never a value or a name that the sender chose: those may be about somebody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tessera.config import TrackingPlan
from tessera.errors import BadInput

if TYPE_CHECKING:
    import jsonschema_rs

MOST_TOLD = 10
"""Violations that are told of one event."""

_NO_SECTION: dict[str, Any] = {}


class Violation(msgspec.Struct, frozen=True):
    """One way in which an event breaks its plan. meta: instancePath in the event, schemaPath in the plan's schema."""

    type: str
    message: str
    meta: dict[str, str]


class Plan:
    """A plan's rules, compiled. Raises BadInput for a rule that is no schema: with a bound that none can keep, say."""

    def __init__(self, plan: TrackingPlan) -> None:
        import jsonschema_rs  # here: a door without plans starts without it

        self._rules = {}
        for rule in plan.rules:
            try:
                # Patterns run in time linear to the text: what a sender writes must not stop the door.
                check = jsonschema_rs.Draft7Validator(
                    rule.schema, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
                )
            except ValueError as wrong:
                name = f"{rule.type} {rule.event!r}" if rule.event else rule.type
                reason = str(wrong).partition("\n")[0]
                raise BadInput(f"The tracking plan {plan.id!r} cannot be used for {name}: {reason}") from None
            self._rules[rule.type, rule.event] = (rule.section, check)

    def violations(self, event: dict[str, Any]) -> list[Violation]:
        """What is wrong with an event; empty if nothing is. Of calls that are no track, a plan may say nothing."""
        kind = event["type"]
        found = self._rules.get((kind, event["event"]) if kind == "track" else (kind, ""))
        if found is None:
            if kind != "track":
                return []
            return [Violation("Unplanned-Event", "the plan names no track with this name", {"instancePath": "/event"})]
        section, check = found
        part: Any = event
        for name in section:
            part = part.get(name, _NO_SECTION) if isinstance(part, dict) else _NO_SECTION
        try:
            if check.is_valid(part):
                return []
        except ValueError:  # a number or a depth that the checker does not take
            place = {"instancePath": "/" + "/".join(section)}
            return [Violation("Unknown-Violation", "the event could not be compared with its plan", place)]
        return [_told(error, section) for _, error in zip(range(MOST_TOLD), check.iter_errors(part), strict=False)]


def _told(error: jsonschema_rs.ValidationError, section: tuple[str, ...]) -> Violation:
    """An error without what the sender wrote."""
    path, kind, rule = [*section, *error.instance_path], error.kind.as_dict(), error.schema_path
    if error.kind.name == "required":
        name, message = "Required-Missing", f"the property {kind['property']!r} is missing"
    elif error.kind.name == "additionalProperties":
        name, message = "Additional-Properties", f"{len(kind['unexpected'])} properties that the plan does not name"
    elif error.kind.name == "type":
        name, message = "Datatype-Mismatch", "the value is of another type than the plan says"
    else:
        name, message = "Datatype-Mismatch", f"the value breaks {error.kind.name!r} of the plan"
    # A place in a list is a number; every other name on the way is one of the plan's own.
    place = "".join(f"/{part}" for part in path)
    return Violation(name, message, {"instancePath": place, "schemaPath": "/" + "/".join(str(part) for part in rule)})
