"""Every route of ours as the drill knows it: whose it is, and a request that is well formed. One that OpenAPI has and this
list has not makes the drill fail: a new route is drilled from the day it is born."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tessera.doors.drill.shop import FUNCTIONS, PURPOSE

Request = tuple[str, str, Any]


@dataclass(frozen=True, kw_only=True)
class Route:
    """whose: "public", a function of access.yaml, "session" (any signed-in staff), "customer", "browser" (a step of signing in,
    which keeps to rules of its own), "write key" (a source's) or "pages" (any page may ask, in any form). path and body: with
    {person} and {purpose} to be filled in. about: whether it names a person."""

    method: str
    path: str
    whose: str
    query: str = ""
    body: Any = None

    @property
    def about(self) -> bool:
        """Whether it names a person."""
        return "{person}" in self.path

    def filled(self, role: str, person: int) -> Request:
        """A request for a role's purpose about a person (or her entry)."""
        marks = {"{person}": str(person), "{purpose}": PURPOSE.get(role, "operate"), "{entry}": "0", "{asked}": "1",
                 "{kind}": "track", "{source}": "web", "{key}": "none"}  # fmt: skip

        def fill(value: Any) -> Any:
            if isinstance(value, dict):
                return {k: fill(v) for k, v in value.items()}
            if isinstance(value, str):
                for mark, text in marks.items():
                    value = value.replace(mark, text)
            return value

        return self.method, fill(self.path + self.query), fill(self.body)

    def free(self, role: str) -> bool:
        """Whether an API key of that role may use it."""
        return self.whose in ("public", "pages") or (self.whose in FUNCTIONS.get(role, set()))


_P = "?purpose={purpose}"
_NAMES = "track identify page screen group alias t i p s g a batch b import"
TRACKING = (
    *(("post", f"/v1/{name}") for name in _NAMES.split()), ("post", "/beacon/v1/{kind}"), ("post", "/api/s/{kind}"),
    ("post", "/api/s/s2s/{kind}"), ("post", "/v1/webhook/{source}"), ("get", "/pixel/v1/{kind}"), ("get", "/sourceConfig"),
    ("get", "/sourceConfig/"),
)  # fmt: skip
"""What a source's write key opens, and no key of ours."""
ROUTES = (
    Route(method="get", path="/v1/health", whose="public"),
    Route(method="get", path="/healthz", whose="public"),
    Route(method="get", path="/readyz", whose="public"),
    Route(method="get", path="/metrics", whose="metrics"),
    Route(method="get", path="/v1/openapi.json", whose="public"),
    Route(
        method="post", path="/v1/sql", whose="sql",
        body={"question": "SELECT count(*) FROM profiles", "purpose": "{purpose}"},
    ),
    Route(method="get", path="/v1/tables", whose="tables", query=_P),
    Route(
        method="post", path="/v1/persons/find", whose="find", body={"identifier": "x@example.org", "purpose": "{purpose}"}
    ),
    Route(method="get", path="/v1/persons/{person}", whose="show", query=_P),
    Route(method="get", path="/v1/persons/{person}/consents", whose="consents", query=_P),
    Route(method="get", path="/v1/ledger", whose="ledger"),
    Route(method="post", path="/v1/ledger/verify", whose="ledger"),
    Route(method="get", path="/v1/ledger/{entry}/proof", whose="ledger"),
    Route(
        method="get", path="/v1/access/explain", whose="explain", query="?purpose=operate&of_role=sales&table=profiles"
    ),
    Route(method="get", path="/v1/access/changes", whose="explain"),
    Route(method="post", path="/v1/access/approve", whose="approve", body={"change": "000000000000"}),
    Route(  # at a point that there is not: the drill shows nobody anything
        method="post", path="/v1/decide", whose="decide", body={"decision": "drilled", "userId": "nobody"}
    ),
    Route(method="get", path="/v1/decisions", whose="decide", query="?decision=drilled"),
    Route(method="post", path="/v1/session", whose="browser", body={"account": "nobody", "password": "not this one"}),
    Route(method="get", path="/v1/session", whose="session"),
    Route(method="delete", path="/v1/session", whose="session"),
    Route(method="get", path="/v1/session/oidc", whose="browser"),
    Route(method="get", path="/v1/session/oidc/back", whose="browser"),
    Route(method="post", path="/v1/me/link", whose="browser", body={"address": "nobody@example.org"}),
    Route(
        method="post", path="/v1/me/token", whose="customer_token", body={"kind": "email", "identifier": "nobody@example.org"}
    ),
    Route(  # to a purpose that there is not: the drill lets nobody in
        method="post", path="/v1/me/return", whose="customer_token",
        body={"act": "sign-in", "identifiers": {"email": "nobody@example.org"}, "choices": {"drilled": "refused"}},
    ),
    Route(method="get", path="/v1/me/enter", whose="browser"),
    Route(method="post", path="/v1/me/enter", whose="browser"),
    Route(method="post", path="/v1/me/session", whose="browser", body={"token": "x"}),
    Route(method="delete", path="/v1/me/session", whose="customer"),
    Route(method="get", path="/v1/me", whose="customer"),
    Route(method="get", path="/v1/me/uses", whose="customer"),
    Route(method="get", path="/v1/me/uses/{entry}/proof", whose="customer"),
    Route(method="get", path="/v1/me/consents", whose="customer"),
    Route(method="put", path="/v1/me/consents/{purpose}", whose="customer", body={"agree": True}),
    Route(method="get", path="/v1/me/requests", whose="customer"),
    Route(method="post", path="/v1/me/requests", whose="customer", body={"kind": "access"}),
    Route(method="get", path="/v1/me/requests/{asked}/receipt", whose="customer"),
    Route(method="get", path="/v1/me/requests/{asked}/copy", whose="customer"),
    *(Route(method=method, path=path, whose="write key", body=None if method == "get" else {}) for method, path in TRACKING),
    Route(method="post", path="/v1/m", whose="pages", body={}),
    Route(method="post", path="/v1/metrics", whose="pages", body={}),
    Route(method="get", path="/v1/projects/{key}/settings", whose="pages"),
    Route(method="get", path="/banner.js", whose="pages"),
)  # fmt: skip
