"""The checks of the drill, in the order in which they run: the last ones use up what the limits give."""

from __future__ import annotations

from tessera.doors.drill import authority, customers, outside, pages, surface
from tessera.doors.drill.report import Check

CHECKS = (
    Check(owasp="API1", name="persons x roles x routes", run=authority.objects),
    Check(owasp="API1", name="questions and look-ups", run=authority.questions),
    Check(owasp="API1", name="customers", run=customers.herself),
    Check(owasp="API2", name="credentials", run=authority.credentials),
    Check(owasp="API3", name="properties", run=authority.properties),
    Check(owasp="API4", name="caps", run=surface.resources),
    Check(owasp="API5", name="functions x roles", run=authority.functions),
    Check(owasp="API3", name="pages x roles x people", run=pages.seen),
    Check(owasp="API7", name="addresses", run=outside.addresses, inside=False),
    Check(owasp="API8", name="TLS", run=surface.tls, inside=False),
    Check(owasp="API8", name="headers", run=surface.headers, inside=False),
    Check(owasp="API8", name="paths", run=surface.paths, inside=False),
    Check(owasp="API8", name="SQL escapes", run=surface.escapes),
    Check(owasp="API8", name="CSV exports", run=surface.exports),
    Check(owasp="API9", name="inventory", run=surface.inventory, inside=False),
    Check(owasp="API10", name="answers of others", run=outside.answers, inside=False),
    Check(owasp="API6", name="letters and tokens", run=customers.knocking),
    Check(owasp="API8", name="logs", run=surface.logs),
    Check(owasp="API2", name="guessing keys", run=authority.guessing),
    Check(owasp="API4", name="rates", run=surface.rates),
)
