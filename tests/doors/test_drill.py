"""The drill: it passes on what we serve, and each of its checks finds the fault that it is there for."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from given_served import WIDE, copied, served

from tessera.doors.cli import main
from tessera.doors.drill import instance
from tessera.doors.drill.checks import CHECKS
from tessera.doors.drill.report import ITEMS, document, run
from tessera.doors.drill.shop import Shop
from tessera.doors.drill.target import Target
from tessera.doors.limits import Rate
from tessera.lake.state import State

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
LIMITS = replace(
    WIDE, answer=replace(WIDE.answer, seconds=1.0), wrong_key=Rate(burst=25, every_s=0.5), link=Rate(burst=20, every_s=5)
)
BY_NAME = {c.name: c for c in CHECKS}
Plant = Callable[[pytest.MonkeyPatch, Target], None]


@pytest.fixture(scope="module")
def target(drill_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    shop = copied(drill_shop, tmp_path_factory.mktemp("target") / "shop")
    with served(shop, LIMITS) as up:
        yield Target(url=up.url, shop=shop)


def test_every_item_of_the_list_has_a_check() -> None:
    assert {c.owasp for c in CHECKS} == set(ITEMS)


@pytest.mark.parametrize("name", [n for n in BY_NAME if n != "rates"])
def test_a_check_passes_on_what_we_serve(target: Target, name: str) -> None:
    outcome = run(BY_NAME[name], target)
    assert (outcome.verdict, outcome.says) == ("pass", "") and outcome.tried


def attribute(where: str, value: Any) -> Plant:
    return lambda patch, _: patch.setattr(where, value)


def _everybody(patch: pytest.MonkeyPatch, _: Target) -> None:
    patch.setattr("tessera.trust.access.row_condition", lambda *_: "TRUE")


def _without_consent(patch: pytest.MonkeyPatch, _: Target) -> None:
    from tessera.trust.permits import Permits

    patch.setattr(Permits, "name", lambda *_: None)


def _nobody_differs(patch: pytest.MonkeyPatch, _: Target) -> None:
    """Somebody hidden is answered otherwise than nobody."""
    from tessera.doors.http import api

    patch.setattr(api, "_shows_anybody", lambda *_: False)


def _any_key(patch: pytest.MonkeyPatch, target: Target) -> None:
    patch.setattr("tessera.trust.apikeys.hmac.compare_digest", lambda a, b: True)


def _key_in_clear(patch: pytest.MonkeyPatch, target: Target) -> None:
    assert target.shop
    State(target.shop.root / "var" / "state.db").put("apikey_note", "x", target.shop.keys["sales"])


def _telling(patch: pytest.MonkeyPatch, target: Target) -> None:
    """An error's text goes to the log, as a careless handler writes it."""
    from tessera.doors.http import answers

    assert target.shop
    path, old = target.shop.root / "var" / "log" / "extra.log", answers.of
    path.parent.mkdir(exist_ok=True)

    def of(error: Any, *rest: Any) -> Any:
        path.write_text(target.shop.people[0].email if target.shop else "")
        return old(error, *rest)

    patch.setattr(answers, "of", of)


def _no_shield(name: str) -> Plant:
    def plant(patch: pytest.MonkeyPatch, _: Target) -> None:
        from tessera.doors.http import shield

        patch.setattr(shield, "HEADERS", {k: v for k, v in shield.HEADERS.items() if k != name})

    return plant


def _named(patch: pytest.MonkeyPatch, _: Target) -> None:
    from tessera.doors.http import shield

    patch.setattr(shield, "HEADERS", {**shield.HEADERS, "x-powered-by": "tessera"})


def _any_path(patch: pytest.MonkeyPatch, _: Target) -> None:
    """A path is decoded and folded before it is looked up."""
    import posixpath
    from urllib.parse import unquote

    from tessera.doors.http.shield import Shield

    old = Shield.__call__

    async def call(self: Shield, scope: Any, receive: Any, send: Any) -> None:
        path = posixpath.normpath(unquote(scope.get("path", "/"))).replace("//", "/")
        await old(self, scope | {"path": path, "raw_path": path.encode()}, receive, send)

    patch.setattr(Shield, "__call__", call)


def _no_wall(patch: pytest.MonkeyPatch, _: Target) -> None:
    """Every question that was refused is answered instead."""
    from tessera.doors.http import answers

    old = answers.of
    patch.setattr(answers, "of", lambda e, v: answers.told(200, "", "") if "NotAllowed" in type(e).__name__ else old(e, v))


def _uncapped(patch: pytest.MonkeyPatch, _: Target) -> None:
    from tessera.trust.answers import Answers

    old = Answers.ask
    loose = replace(LIMITS.answer, rows=10**9, bytes=10**12)
    patch.setattr(Answers, "ask", lambda self, q, reader, caps=None: old(self, q, reader, caps and loose))


def _hidden_route(patch: pytest.MonkeyPatch, target: Target) -> None:
    """Something lives at an address that OpenAPI does not have."""
    from tessera.doors.http import shield

    old = shield._PATH

    class Open:
        def fullmatch(self, path: bytes) -> Any:
            return old.fullmatch(path)

    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") == "/v1/debug":
            scope = scope | {"path": "/v1/health", "raw_path": b"/v1/health"}
        await inner(self, scope, receive, send)

    inner = shield.Shield.__call__
    patch.setattr(shield, "_PATH", Open())
    patch.setattr(shield.Shield, "__call__", call)


def _taken_for_another(patch: pytest.MonkeyPatch, target: Target) -> None:
    from tessera.doors.http import me_data

    assert target.shop
    other = target.shop.people[1].number
    patch.setattr("tessera.trust.gate._hers", lambda table, reader: [])
    patch.setattr(me_data, "number", lambda reader: other)


def _forgotten(patch: pytest.MonkeyPatch, _: Target) -> None:
    """A token that was used is not remembered."""
    from tessera.doors import customer

    old = customer.enter

    def enter(app: Any, token: str) -> Any:
        found = old(app, token)
        for name in app.state.items(customer.ENTERED):
            app.state.drop(customer.ENTERED, name)
        return found

    patch.setattr(customer, "enter", enter)


PLANTED: list[tuple[str, str, Plant]] = [
    ("persons x roles x routes", "a row rule is dropped", _everybody),
    ("persons x roles x routes", "consent is not asked", _without_consent),
    ("persons x roles x routes", "hidden is told from nobody", _nobody_differs),
    ("questions and look-ups", "a row rule is dropped", _everybody),
    ("questions and look-ups", "look-ups are not cut", attribute("tessera.people.People.visible", lambda s, r, p: list(p))),
    ("customers", "a customer is taken for another", _taken_for_another),
    ("customers", "another site may change", attribute("tessera.doors.http.callers.same_origin", lambda request: None)),
    ("letters and tokens", "a token opens again", _forgotten),
    ("letters and tokens", "nobody counts letters", attribute("tessera.doors.limits.Meter.take", lambda s, w: 0.0)),
    ("credentials", "every key of a known id opens", _any_key),
    ("properties", "a masked column is clear", attribute("tessera.trust.access.veiled", lambda c, text, s: text)),
    ("properties", "unknown parameters pass", attribute(
        "starlette.datastructures.ImmutableMultiDict.multi_items", lambda self: [])),
    ("caps", "questions have no cap", _uncapped),
    ("caps", "bodies have no cap", attribute("tessera.doors.http.shield._Body.__init__", lambda s, r, m: None)),
    ("functions x roles", "nobody asks the functions", attribute("tessera.trust.functions.allowed", lambda a, roles, f: roles)),
    ("addresses", "only the standard library is asked", attribute(
        "tessera.outward.refused", lambda ip, own_network=False: "" if ip.is_global else "it is not")),
    ("headers", "no policy for content", _no_shield("content-security-policy")),
    ("headers", "no word on sniffing", _no_shield("x-content-type-options")),
    ("headers", "the software is named", _named),
    ("paths", "paths are decoded and folded", _any_path),
    ("SQL escapes", "the wall answers", _no_wall),
    ("CSV exports", "cells go as they are", attribute("tessera.doors.csvtext.safe", lambda text: text)),
    ("inventory", "a route that is not in OpenAPI", _hidden_route),
    ("answers of others", "answers are read whole", attribute("tessera.outward.post", lambda *a, **k: None)),
    ("logs", "an error's text is logged", _telling),
    ("guessing keys", "nobody counts attempts", attribute("tessera.doors.limits.Meter.take", lambda s, w: 0.0)),
]  # fmt: skip


def planted() -> Iterator[Any]:
    """Each fault; of several that one check has to find, all but the first run with the heavy tests, and so does what takes
    longest to find."""
    seen = {"customers"}
    for name, fault, plant in PLANTED:
        marks = [pytest.mark.heavy] if name in seen else []
        seen.add(name)
        yield pytest.param(name, fault, plant, id=f"{name}: {fault}", marks=marks)


@pytest.mark.parametrize(("name", "fault", "plant"), list(planted()))
def test_a_check_finds_a_planted_fault(
    target: Target, name: str, fault: str, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert target.shop
    if name in ("logs",):
        (target.shop.root / "var" / "log" / "extra.log").unlink(missing_ok=True)
    plant(monkeypatch, target)
    outcome = run(BY_NAME[name], target)
    (target.shop.root / "var" / "log" / "extra.log").unlink(missing_ok=True)
    assert outcome.verdict == "fail" and "broke off" not in outcome.says, (fault, outcome)


def test_a_key_in_clear_is_found(drill_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = copied(drill_shop, tmp_path / "shop")
    with served(shop, LIMITS) as up:
        found = Target(url=up.url, shop=shop)
        _key_in_clear(monkeypatch, found)
        assert "in clear in var/state.db" in run(BY_NAME["credentials"], found).says


def test_a_server_that_never_slows_anybody_is_found(drill_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = copied(drill_shop, tmp_path / "shop")
    with served(shop, replace(WIDE, address=Rate(burst=40, every_s=0.5))) as up:
        assert run(BY_NAME["rates"], Target(url=up.url, shop=shop)).verdict == "pass"
        monkeypatch.setattr("tessera.doors.limits.Meter.take", lambda s, w: 0.0)
        assert "are all answered" in run(BY_NAME["rates"], Target(url=up.url, shop=shop)).says


def test_tls_1_2_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An own instance, with TLS, whose server takes an older version too."""
    import http.server
    import threading

    from tessera.doors.certificate import self_signed

    cert, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as up:
        up.socket = context.wrap_socket(up.socket, server_side=True)
        threading.Thread(target=up.serve_forever, daemon=True).start()
        outcome = run(BY_NAME["TLS"], Target(url=f"https://localhost:{up.server_port}", cert=cert))
        up.shutdown()
    assert outcome.verdict == "fail" and "TLSv1_2 is taken" in outcome.says
    assert run(BY_NAME["TLS"], Target(url="http://cdp.example.org")).verdict == "fail"


def test_a_check_that_tries_nothing_or_breaks_has_failed(target: Target) -> None:
    from tessera.doors.drill.report import Check

    def broken(*_: Any) -> None:
        raise RuntimeError

    for bad in (lambda *_: None, broken):
        assert run(Check(owasp="API1", name="x", run=bad), target).verdict == "fail"
    assert run(BY_NAME["credentials"], Target(url="http://localhost:1")).verdict == "not run"
    assert run(BY_NAME["headers"], Target(url="http://localhost:1")).verdict == "fail"


def test_the_command_drills_a_running_instance_from_outside(target: Target, capsys: Any) -> None:
    assert main(["drill", target.url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, json.loads((SCHEMAS / "drill.json").read_text("utf-8")))
    verdicts = {i["owasp"]: i["verdict"] for i in told["items"]}
    assert verdicts["API8"] == verdicts["API7"] == "pass" and verdicts["API1"] == "not run"
    assert main(["drill", "nonsense"]) == 2


@pytest.mark.heavy
def test_the_drill_of_an_own_instance_finds_nothing() -> None:
    """Every check over a `tessera serve` of its own, with TLS; a minute, for the server's own limits hold it back."""
    from datetime import UTC, datetime

    with instance.own() as own:
        report = document(own, [run(c, own) for c in CHECKS], datetime.now(UTC))
    assert report["ok"], [c for c in report["checks"] if c["verdict"] == "fail"]
    assert {i["verdict"] for i in report["items"]} == {"pass"}
