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
