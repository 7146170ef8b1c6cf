"""The commands, one file for each group of nouns; each adds its own to the parser and imports late."""

from __future__ import annotations

from tessera.doors.commands import (
    access,
    account,
    anchor,
    apikey,
    attribution,
    backup,
    churn,
    consent,
    decide,
    doctor,
    drill,
    expiry,
    govern,
    key,
    ledger,
    model,
    open,
    person,
    propensity,
    quarantine,
    recommend,
    request,
    serve,
    source,
    sql,
    start,
    state,
    stream,
    table,
    trying,
    upgrade,
    upkeep,
    value,
)

GROUPS = (
    start.add, source.add, table.add, sql.add, person.add, consent.add, request.add, govern.add, state.add, access.add,
    quarantine.add, attribution.add, churn.add, propensity.add, value.add, recommend.add, upkeep.add, model.add,
    decide.add, stream.add, trying.add, expiry.add, ledger.add, anchor.add, key.add, backup.add, serve.add, open.add,
    account.add, apikey.add, drill.add, doctor.add, upgrade.add,
)  # fmt: skip
"""In the order in which `tessera --help` lists them."""
