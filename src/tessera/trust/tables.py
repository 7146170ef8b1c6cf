"""The tables that the gate itself needs: explicit choices, who is who, and today's answer per purpose."""

from __future__ import annotations

from tessera.lake.table import Column, Delete, Table

PSEUDONYM = "user.unique_id.pseudonymous"
CHOICE = "user.privacy_preferences"

DOOR = "tessera.me"
"""The source of what a customer says at her own door; no contract can have this name."""

CONSENTS = Table(
    name="consents",
    whose="key:key_id",
    columns=(
        Column(name="key_id", type="INTEGER", category=PSEUDONYM),
        Column(name="purpose", type="VARCHAR", category=CHOICE),
        Column(name="state", type="VARCHAR", category=CHOICE, note="given, refused, withdrawn; requested: she was asked"),
        Column(name="occurred_at", type="TIMESTAMPTZ", category=CHOICE),
        Column(name="until", type="TIMESTAMPTZ", category=CHOICE, note="null: until she says otherwise"),
        Column(name="wording", type="VARCHAR", category=CHOICE, note="version of the words she saw"),
        Column(name="language", type="VARCHAR", category=CHOICE),
        Column(name="source", type="VARCHAR"),
        Column(name="record_id", type="BIGINT", category=PSEUDONYM),
        Column(name="batch", type="BIGINT"),
    ),
    on_erase=Delete(),
    note="each explicit choice, per key and purpose",
)

MEMBERSHIP = Table(
    name="membership",
    whose="key:key_id",
    columns=(
        Column(name="key_id", type="INTEGER", category=PSEUDONYM),
        Column(name="person_id", type="INTEGER", category=PSEUDONYM),
    ),
    on_erase=Delete(),
    visible=False,
    unique=("key_id",),
    whole=True,
    note="key -> person; a merge or a split rewrites this table and no other",
)

MASK = Table(
    name="mask",
    whose="key:key_id",
    columns=(
        Column(name="key_id", type="INTEGER", category=PSEUDONYM),
        Column(name="person_id", type="INTEGER", category=PSEUDONYM),
        Column(name="mask", type="INTEGER", category=CHOICE, note="one bit for each purpose that she allows"),
    ),
    on_erase=Delete(),
    visible=False,
    unique=("key_id",),
    whole=True,
    note="today's answer of each key's person to each purpose",
)
"""A key that is joined to nobody is a person of its own, so every known key has one row."""

HELD = Table(
    name="held",
    whose="nobody",
    columns=(
        Column(name="duty", type="VARCHAR", note="the purpose that keeps it, and opens it"),
        Column(name="erasure", type="BIGINT", category=PSEUDONYM, note="the number of the erasure that it was kept from"),
        Column(name="of_table", type="VARCHAR", note="the table that the row lay in"),
        Column(name="occurred_at", type="TIMESTAMPTZ", category="user", note="the row's own moment"),
        Column(name="until", type="DATE", note="the day after which it goes"),
        Column(name="facts", type="VARCHAR", category="user", sealed=True, note="JSON of the columns that the duty names"),
        Column(name="batch", type="BIGINT"),
    ),
    compartment="duty",
    note="what legal duties keep of people who were erased; opens for the duty's own purpose alone",
)
"""Of nobody whom the house knows: whose it was, it knows only as the duty's own columns say it."""
