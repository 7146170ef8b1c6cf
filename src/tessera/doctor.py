"""Whether a workspace is in order: each check a sentence, and what to do where it is not."""

from __future__ import annotations

import os
import platform
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from tessera._version import VERSION
from tessera.app import App, settings
from tessera.config import Config
from tessera.errors import BadSource, BadWorkspace, Busy, TesseraError
from tessera.trust import shares
from tessera.words import listed

State = Literal["ok", "warning", "fault"]

PACKAGES = ("duckdb", "deltalake", "pyarrow", "cryptography", "sqlglot")
LITTLE_BYTES = 2 << 30
LEAST_BYTES = 200 << 20


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at. do: what mends it, empty if nothing needs to be done."""

    name: str
    state: State
    says: str
    do: str = ""


def examine(root: Path, wait_s: float) -> Iterator[Check]:
    """Looks at files, rights, disk and keys, then opens the workspace and looks at ledger, batches and sources."""
    yield _versions()
    try:
        config = settings(root)
    except BadWorkspace as bad:
        for fault in bad.faults:
            yield Check(name="files", state="fault", says=fault, do="Mend the file.")
        return
    yield Check(name="files", state="ok", says=f"{len(config.sources)} sources, {len(config.purposes)} purposes.")
    yield _space(config.var if config.var.is_dir() else root)
    yield from _rights(config.var)
    try:
        with App(root, wait_s=wait_s, doing="tessera doctor", config=config) as app:
            yield from inside(app)
            yield from _sources(app, app.config)
    except Busy as busy:
        yield Check(name="open", state="warning", says=str(busy), do="Run the doctor again when it is free.")
    except TesseraError as error:
        yield Check(name="open", state="fault", says=str(error), do="See above; a copy of var/ brings it back.")


def _versions() -> Check:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            return Check(
                name="versions", state="fault", says=f"{package} is not installed.", do=f"pip install {package}"
            )
    return Check(
        name="versions", state="ok", says=f"tessera {VERSION}, Python {platform.python_version()}, {listed(found)}."
    )


def _space(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    says = f"{free / 2**30:.1f} GB free."
    if free < LEAST_BYTES:
        return Check(name="disk", state="fault", says=says, do="Free some space; the next write may fail.")
    if free < LITTLE_BYTES:
        return Check(name="disk", state="warning", says=says, do="Free some space before a large turn.")
    return Check(name="disk", state="ok", says=says)


def _rights(var: Path) -> Iterator[Check]:
    """var/ and what is secret in it are for their owner alone."""
    secret = [var, var / "keys", var / "keys" / "master.key", var / "vault.db", var / "state.db", var / "ledger"]
    open_to_others = [p for p in secret if p.exists() and stat.S_IMODE(p.stat().st_mode) & 0o077]
    for path in open_to_others:
        yield Check(name="rights", state="fault", says=f"{path} may be touched by others.", do=f"chmod go-rwx {path}")
    if not open_to_others:
        yield Check(name="rights", state="ok", says="var/ and its keys are for their owner alone.")
    if "TESSERA_MASTER_KEY" in os.environ:
        yield Check(name="keys", state="ok", says="The master key comes from TESSERA_MASTER_KEY.")
    elif (var / "keys" / "master.key").exists():
        yield Check(name="keys", state="ok", says="The master key lies in var/keys/master.key. Keep a copy elsewhere.")
    else:
        yield Check(
            name="keys", state="ok", says="No master key yet; the first command that opens the workspace makes one."
        )


def around(config: Config) -> Iterator[Check]:
    """What is looked at beside the open workspace: packages, disk, rights and the master key."""
    yield _versions()
    yield _space(config.var if config.var.is_dir() else config.root)
    yield from _rights(config.var)


def inside(app: App) -> Iterator[Check]:
    """What is looked at in an open workspace; no source is asked."""
    yield Check(name="open", state="ok", says=f"The workspace opens; key {app.secrets.fingerprint()}.")
    if app.ledger.fault:
        yield Check(
            name="ledger", state="fault", says=app.ledger.fault, do="tessera ledger verify; then call for help."
        )
    else:
        mended = f" On opening, {app.ledger.mended}." if app.ledger.mended else ""
        yield Check(name="ledger", state="ok", says=f"{len(app.ledger)} entries.{mended}")
    yield from _anchors(app)
    yield _access(app)
    yield from _tables(app)
    unfinished = len(app.state.items("open")) + len(app.state.items("manifest"))
    if unfinished:
        yield Check(name="batches", state="fault", says=f"{unfinished} batches are unfinished.", do="tessera turn")
    else:
        yield Check(name="batches", state="ok", says="No batch is unfinished.")
    yield _recovery(app)
    yield _sweep(app)
    waiting = sum(app.quarantine.waiting().values())
    if waiting:
        yield Check(
            name="quarantine", state="warning", says=f"{waiting} rows wait for repair.", do="tessera quarantine list"
        )


def _anchors(app: App) -> Iterator[Check]:
    """Of a workspace with a chain, whether anchors come as often as it says; asks no chain."""
    if (asked := app.anchors.asked) is None:
        return
    heads, overdue = app.anchors.heads(), app.anchors.overdue()
    says = f"{len(heads)} heads are anchored on {heads[-1].contract}." if heads else "No head is anchored yet."
    if overdue:
        says = f"{says} The last anchor is more than {asked.every_hours * 2} hours old."
        yield Check(name="anchors", state="warning", says=says, do="tessera anchor now")
    else:
        yield Check(name="anchors", state="ok", says=says)


def _access(app: App) -> Check:
    if app.standing.waiting:
        return Check(name="access", state="warning", says=app.standing.told, do="tessera access changes")
    return Check(name="access", state="ok", says=f"Version {app.standing.version} of the matrix is in force.")


def _tables(app: App) -> Iterator[Check]:
    """Every file that the newest versions name is there; every amount can be told in the workspace's currency."""
    broken = {t: missing for t in app.lake.tables if app.lake.version(t) is not None and (missing := app.lake.missing(t))}
    for table, missing in broken.items():
        yield Check(
            name=f"table {table}",
            state="fault",
            says=f"{len(missing)} of its files are gone, such as {missing[0]}.",
            do="Put them back from a backup; or move all of var/ but var/keys away and run: tessera turn",
        )
    if not broken:
        yield Check(name="tables", state="ok", says="Every file of every table is there.")
        for currency, many in app.unrated():
            yield Check(
                name="rates",
                state="warning",
                says=f"{many} orders in {currency} have no rate of their day, so no sum of money counts them.",
                do="Give the rates as a source (record: rate); see docs/workspace.md.",
            )


def _recovery(app: App) -> Check:
    """A lost master key can be rebuilt, and not by whoever has this machine alone."""
    made, lying = app.state.get("keys", "shares"), shares.lying(app.config.var / "keys")
    if made is None:
        return Check(
            name="recovery", state="warning", says="The master key has no recovery shares: if it is lost, all is.",
            do="tessera key shares",
        )  # fmt: skip
    says = f"Any {made['threshold']} of {made['count']} shares rebuild the master key."
    if lying:
        return Check(
            name="recovery", state="warning", says=f"{says} {len(lying)} of them still lie on this machine.",
            do=f"Take each file of {lying[0].parent} to another place, and remove it here.",
        )  # fmt: skip
    return Check(name="recovery", state="ok", says=says)


def _sweep(app: App) -> Check:
    due = app.rights.due()
    if due is None:
        return Check(name="erasures", state="ok", says="Nobody waits for a sweep.")
    day = due.astimezone(UTC).date().isoformat()
    many = len(app.permits.blocked_persons)
    if due <= app.clock():
        return Check(
            name="erasures", state="fault", says=f"The sweep of {many} people was due on {day}.", do="tessera turn"
        )
    return Check(name="erasures", state="ok", says=f"{many} people wait for the sweep, due on {day}.")


def _sources(app: App, config: Config) -> Iterator[Check]:
    for contract in config.sources:
        try:
            told = app.check(contract.name)
        except BadSource as bad:
            yield Check(name=f"source {contract.name}", state="fault", says=bad.reason, do=bad.mend)
            continue
        missing = [t for t in told if t.startswith("Missing") and "(required)" in t]
        if missing:
            yield Check(
                name=f"source {contract.name}",
                state="warning",
                says=" ".join(missing),
                do=f"tessera source check {contract.name}",
            )
        else:
            yield Check(name=f"source {contract.name}", state="ok", says="It is reached.")
