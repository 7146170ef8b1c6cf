"""The commands, one file for each group of nouns; each adds its own to the parser and imports late."""

from __future__ import annotations

from tessera.doors.commands import (
    access,
    account,
    apikey,
    backup,
    consent,
    doctor,
    drill,
    key,
    ledger,
    person,
    quarantine,
    serve,
    source,
    sql,
    start,
    state,
    table,
)

GROUPS = (
    start.add, source.add, table.add, sql.add, person.add, consent.add, state.add, access.add, quarantine.add, ledger.add,
    key.add, backup.add, serve.add, account.add, apikey.add, drill.add, doctor.add,
)  # fmt: skip
"""In the order in which `tessera --help` lists them."""
