"""The OpenAPI document and the door are one: schemathesis asks each route in good and bad forms in the name of somebody who
may, and no answer is a fault of ours, or one that the document does not tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from given_served import Served

from tessera.data.tracking import BATCHES, FIRST_LETTERS, TYPES
from tessera.doors.banner import Banner
from tessera.doors.collect import IGNORED, PREFIXES, Collector
from tessera.doors.decide import PATH, STREAM
from tessera.doors.drill.shop import Shop
from tessera.doors.http import openapi_tracking
from tessera.doors.http.site import ROUTERS

if TYPE_CHECKING:
    from given_described import Described

TAGS = ("about", "sign in", "staff", "customer", "tracking", "decisions")
SAME = {f"/v1/{letter}" for letter in FIRST_LETTERS} | {
    "/v1/b", "/v1/import", "/v1/page", "/v1/screen", "/v1/group", "/api/s/{kind}", "/api/s/s2s/{kind}", "/sourceConfig/",
    "/v1/metrics", "/healthz", STREAM,
}  # fmt: skip
"""Not asked in the quick run: further names of paths, paths whose events differ in their type alone, and an answer that does
not end by itself."""

KNOCKS = {"POST /v1/session", "POST /v1/me/session", "POST /v1/me/enter"}
"""Who asks there is not known yet, and what lets her in is not made up."""

SLOW = {
    "POST /v1/session", "POST /v1/batch", "GET /v1/me", "GET /v1/me/requests/{asked}/copy", "GET /v1/persons/{person}",
    "GET /v1/session/oidc/back",
}  # fmt: skip
"""A password costs a tenth of a second on purpose, a batch schemathesis as long to make, others look at all of a person."""


@pytest.fixture(scope="module")
def it(drill_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    from given_described import described  # schemathesis takes a second or two to import: not where it is only collected

    with described(drill_shop, tmp_path_factory.mktemp("described") / "shop") as made:
        yield made


def probed(it: Described, operation: Any, examples: int, *, fresh: bool) -> None:
    """Whoever may ask is not refused for who she is, each time: else only refusals would be seen."""
    statuses = it.probe(operation, examples, fresh=fresh)
    assert operation.label in KNOCKS or not {401, 403} >= set(statuses), operation.label
    if it.breakable(operation):
        it.probe(operation, examples if fresh else 1, broken=True, fresh=fresh)
    if operation.label == "DELETE /v1/me/session":
        it.enter()


@pytest.mark.parametrize("tag", TAGS)
def test_no_form_of_a_request_is_answered_by_a_fault_or_in_a_form_that_is_not_told(it: Described, tag: str) -> None:
    asked = [one for one in it.tagged(tag) if one.path not in SAME]
    assert asked
    for operation in asked:
        probed(it, operation, 1 if operation.label in SLOW else 2, fresh=False)


@pytest.mark.heavy
@pytest.mark.parametrize("tag", TAGS)
def test_the_same_with_many_forms_of_each(it: Described, tag: str) -> None:
    for operation in (one for one in it.tagged(tag) if one.path != STREAM):
        probed(it, operation, 20 if operation.label in SLOW else 60, fresh=True)


def test_the_document_has_the_paths_of_the_tracking_door_and_no_others(it: Described) -> None:
    told = it.up.ask("GET", "/v1/openapi.json").json
    kinds = {*TYPES, *FIRST_LETTERS, *BATCHES}
    posted = {f"/v1/{kind}" for kind in kinds} | {f"{prefix}{{kind}}" for prefix in PREFIXES[1:]} | set(IGNORED)
    routes = {(m.lower(), r.path) for router in ROUTERS for r in router.routes for m in r.methods}
    ours = {(m, path) for path, at in told["paths"].items() for m in at} - routes - {("get", "/v1/openapi.json")}
    deciding = {("post", PATH), ("get", STREAM)}
    assert {path for method, path in ours - deciding if method == "post"} == posted | {"/v1/webhook/{source}"}
    assert ours - deciding == {(method, path) for method, path, _ in openapi_tracking.operations()}
    for _, path in ours - deciding:
        scope = {"path": path.replace("{kind}", "track").replace("{key}", "k").replace("{source}", "hook")}
        assert Collector.takes(scope) or Banner.takes(scope)


def test_every_reference_in_the_document_leads_somewhere_and_none_to_what_we_never_answer(it: Described) -> None:
    text = it.up.ask("GET", "/v1/openapi.json").body.decode()
    told = json.loads(text)
    for part in text.split('"$ref":')[1:]:
        at: Any = told
        for name in part.split('"')[1].removeprefix("#/").split("/"):
            at = at[name]
        assert at
    assert "HTTPValidationError" not in text


@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [("/v1/track", "GET", "POST, OPTIONS"), ("/v1/track", "PUT", "POST, OPTIONS"), ("/v1/webhook/hook", "GET", "POST, OPTIONS"),
     ("/sourceConfig", "POST", "GET, OPTIONS"), ("/pixel/v1/track", "DELETE", "GET, OPTIONS"), ("/v1/sql", "GET", "POST"),
     ("/v1/session", "PUT", "DELETE, GET, POST"), ("/v1/me/requests", "DELETE", "GET, POST"),
     ("/v1/openapi.json", "POST", "GET")],
)  # fmt: skip
def test_a_method_that_a_path_does_not_take_is_405_with_those_that_it_takes(
    it: Described, path: str, method: str, allow: str
) -> None:
    told = it.up.ask(method, path, role="owner")
    assert (told.status, told.headers["allow"]) == (405, allow)


@pytest.mark.parametrize("path", ["/v1/projects/x", "/sourceConfigs", "/beacon/v1/nothing", "/api/s/no", "/pixel/v1/alias"])
def test_what_is_no_path_of_the_tracking_door_is_404(it: Described, path: str) -> None:
    assert {it.up.ask(method, path).status for method in ("GET", "PUT")} <= {404, 405}
    assert 404 in {it.up.ask(method, path).status for method in ("GET", "POST")}


def test_a_form_with_too_many_fields_is_told_so(it: Described) -> None:
    form = b"&".join(b"a%d=1" % n for n in range(6))
    told = it.up.ask("POST", "/v1/me/enter", form, headers={"Origin": it.up.url})
    assert (told.status, told.json["error"]["kind"]) == (400, "BadInput")


def test_a_banner_with_too_many_parameters_is_told_so(it: Described) -> None:
    told = it.up.ask("GET", "/banner.js?" + "&".join(f"a{n}=1" for n in range(9)))
    assert told.status == 400 and told.body.startswith(b"console.warn(")


def test_text_that_utf8_has_no_bytes_for_is_misread_wherever_it_stands(it: Described) -> None:
    def told(up: Served, body: bytes) -> int:
        return up.ask("POST", "/v1/me/requests", body, headers=it.customer).status

    assert told(it.up, b'{"kind": "correction", "changes": {"name": "\\ud800"}}') == 422
    assert told(it.up, b'{"kind": "correction", "changes": {"\\udfff": "x"}}') == 422
    assert told(it.up, '{"kind": "correction", "changes": {"name": "Zoë 佐伊"}}'.encode()) == 201


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_choice_that_ends_outside_of_the_calendar_is_misread(it: Described, moment: str) -> None:
    told = it.up.ask("PUT", "/v1/me/consents/analytics", {"agree": True, "until": moment}, headers=it.customer)
    assert told.status == 422
