"""The part of /v1/openapi.json that is about decisions: their door is raw ASGI and describes nothing itself."""

from __future__ import annotations

from typing import Any

import msgspec

from tessera.doors.decide import MOST_HERE, PATH, STREAM, WORD, Ask

TAG = "decisions"
_KEY = [{"apiKey": list[str]()}]
_TEXT = {"type": "string"}
_REASON = {
    "type": "object", "required": ["context", "scored", "dropped"],
    "properties": {
        "context": _TEXT, "scored": {"type": "array", "items": {"type": "object"}},
        "dropped": {"type": "array", "items": {"type": "object"}},
    },
}  # fmt: skip
_SHOWN = {
    "type": "object", "required": ["id", "decision", "candidate", "product", "show", "by"],
    "properties": {
        "id": _TEXT, "decision": _TEXT, "candidate": _TEXT, "product": {"type": ["string", "null"]}, "show": {},
        "by": {"enum": ["learned", "explored", "control", "nothing_left", "no_consent"]}, "reason": _REASON,
    },
}  # fmt: skip


def add(told: dict[str, Any]) -> None:
    """Adds the paths, and the forms that they name."""
    _, parts = msgspec.json.schema_components([Ask], ref_template="#/components/schemas/{name}")
    ask = parts["Ask"]
    ask["properties"]["context"] |= {"maxProperties": MOST_HERE}
    ask["properties"]["context"]["additionalProperties"] = {"type": ["string", "number", "boolean", "null"], "maxLength": WORD}
    ask["properties"]["id"] |= {"maxLength": WORD}
    told["components"]["schemas"] |= {"DecideQuestion": ask, "Decision": _SHOWN}
    statuses = (400, 401, 403, 404, 405, 413, 422, 429, 500, 503)
    refused = {str(n): {"$ref": f"#/components/responses/Refused{n}"} for n in statuses}
    told["paths"][PATH] = {
        "post": {
            "tags": [TAG], "summary": "What to show this person, here, now", "operationId": "decide", "security": _KEY,
            "requestBody": {
                "required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/DecideQuestion"}}},
            },
            "responses": {
                "200": {
                    "description": "The decision, once it is safe on disk",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Decision"}}},
                },
                **refused,
            },
        }
    }  # fmt: skip
    told["paths"][STREAM] = {
        "get": {
            "tags": [TAG], "summary": "The decisions that events lead to, as server-sent events, from now on",
            "operationId": "decisions", "security": _KEY,
            "parameters": [
                {
                    "name": "decision", "in": "query", "required": False, "schema": _TEXT,
                    "description": "Of one point; else of all",
                }
            ],
            "responses": {"200": {"description": "One event for each", "content": {"text/event-stream": {}}}, **refused},
        }
    }  # fmt: skip
