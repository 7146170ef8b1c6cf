"""A new source from a description: looked at, its contract proposed, judged, and written; by a page, which has less say than a
shell: files below the workspace alone, no secret in clear, and no name of a secret that is the house's own.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tessera import contract_file
from tessera.app import App
from tessera.config import RecordKind
from tessera.data.expressions import refused
from tessera.data.sources import drafted
from tessera.data.sources.checked import Samples
from tessera.data.sources.drafted import Column, Draft
from tessera.envtext import missing, resolve, secret_in_clear
from tessera.errors import BadInput, BadSource, BadWorkspace, NotAllowed
from tessera.house import settings, words
from tessera.trust.entries import Use
from tessera.yamlmarks import Faults

RECORDS: tuple[RecordKind, ...] = ("person", "order", "order_line", "payment", "event", "post", "reading", "touch", "rate")
"""What a source may bring; decisions are made here."""

_REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)")
_NAME, _TABLE = re.compile(contract_file.NAME), re.compile(r"[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*){0,2}")


def ours(record: str) -> Mapping[str, str]:
    """The columns that a record of a source can fill, with their categories."""
    return words()[record]


def looked(app: App, draft: Draft) -> tuple[list[str], Draft]:
    """Whether the source is reached, in sentences; and the draft with what each of its columns seems to be. Raises BadInput for
    what a page may not reach, BadSource for what cannot be reached."""
    allowed(app, draft)
    consents = [p.name for p in app.config.purposes.values() if p.needs_consent]
    read = draft if draft.kind == "file" else replace(draft, connection=resolve(draft.connection, os.environ, app.config.root))
    told, samples = drafted.look(read, app.config.root, app.state, app.secrets)
    found: Samples = {n: v for n, v in samples.items() if n.isprintable()}
    if not found:
        raise BadSource(draft.name, "it has no columns yet.", "Put rows into it, and look again.")
    return told, drafted.guessed(draft, found, ours(draft.record), consents)


def tracking(name: str, app: App) -> Draft:
    """A source for what SDKs and servers send to the tracking door: one event a row, in the form of Segment's spec."""
    maps, known = ours("event"), [p.name for p in app.config.purposes.values() if p.needs_consent]
    columns = [
        Column(name="messageId", use="maps:message_id", category=maps["message_id"], key=True),
        Column(name="type", use="maps:type", category=maps["type"]),
        Column(name="event", use="maps:event", category=maps["event"]),
        Column(name="userId", use="identifier:user_id", category="user.unique_id"),
        Column(name="anonymousId", use="identifier:anonymous_id", category="user.unique_id.pseudonymous"),
        Column(name="traits.email", use="identifier:email", category="user.contact.email"),
        Column(name="timestamp", type="timestamp", use="maps:occurred_at", category=maps["occurred_at"]),
        Column(name="receivedAt", type="timestamp", use="maps:received_at", category=maps["received_at"]),
        Column(name="properties.product_id", use="maps:product_id", category=maps["product_id"]),
        Column(name="properties.price", type="number", use="maps:amount_cents", category=maps["amount_cents"]),
        Column(name="properties.currency", use="maps:currency", category=maps["currency"]),
        Column(name="context.page.url", use="maps:url", category=maps["url"]),
        Column(name="context.campaign.source", use="maps:channel", category=maps["channel"]),
        *(
            Column(name=f"context.consent.categoryPreferences.{p}", type="boolean", use=f"consent:{p}")
            for p in known
        ),
    ]  # fmt: skip
    return Draft(
        name=name, record="event", kind="http", department="website", columns=tuple(columns), currency=app.config.currency
    )


def allowed(app: App, draft: Draft) -> None:
    """Raises BadInput for a name, a path or a connection that a page may not use."""
    root = app.config.root
    if not _NAME.fullmatch(draft.name):
        raise BadInput("A source is named in small letters, digits, '_' and '-', beginning with a letter, such as crm.")
    if draft.name in {c.name for c in app.config.sources} or (root / draft.file).exists():
        raise BadInput(f"There is a source {draft.name} already. Choose another name.")
    if draft.record not in RECORDS:
        raise BadInput(f"A source brings one of {', '.join(RECORDS)}.")
    if draft.kind == "file":
        _below(root, draft.path)
        return
    if draft.kind == "http":
        return
    if not _TABLE.fullmatch(draft.table):
        raise BadInput("Name a table of the database, such as shop.orders.")
    if secret_in_clear(draft.connection):
        raise BadInput("A password stands in clear. Name it, such as ${SHOP_PASSWORD}, and set it where the server runs.")
    _named(root, draft.connection)
    if absent := missing(draft.connection, os.environ):
        raise BadInput(f"${{{absent[0]}}} is not set where the server runs. Set it there, and start the server again.")
    if draft.connection.startswith("sqlite"):
        scheme, _, path = draft.connection.partition(":///")
        if "?" in path or "${" in path or not scheme.isalnum():
            raise BadInput("A SQLite file is named plainly, such as sqlite:///files/shop.db.")
        _below(root, path)
    elif "://" not in draft.connection:
        raise BadInput("A connection is an address such as postgresql+psycopg://${SHOP_USER}:${SHOP_PASSWORD}@db.example/shop.")


def _below(root: Path, path: str) -> None:
    """A path of the workspace, none of its own machine's, whatever links lead away."""
    parts = Path(path).parts
    if not path or "${" in path or Path(path).is_absolute() or ".." in parts or not path.isprintable():
        raise BadInput(f"Name files below {root}, such as files/crm-*.csv. Others stand in contracts that are written by hand.")
    if parts[0] in ("var", "*", "**") or parts[0].startswith("."):
        raise BadInput("var/ is the machine's own, and no source. Name a folder beside it, such as files/crm-*.csv.")
    home, var = root.resolve(), (root / "var").resolve()
    for found in glob.iglob(path, root_dir=root, recursive=True):
        real = (root / found).resolve()
        if not real.is_relative_to(home) or real.is_relative_to(var):
            raise BadInput("One of these files leads out of the workspace. Put the file itself there.")


def _named(root: Path, connection: str) -> None:
    """No secret of the house goes to a database: neither its own variables, nor those that tessera.yaml names."""
    own = set(_REFERENCE.findall((root / "tessera.yaml").read_text("utf-8")))
    for name in _REFERENCE.findall(connection):
        if name.startswith("TESSERA_") or name in own:
            raise BadInput(f"${{{name}}} is a secret of this house, and is sent to no source.")


def text(app: App, draft: Draft) -> str:
    """The contract as it would be written."""
    return drafted.text(draft, ours(draft.record), app.config.name)


def faults(app: App, draft: Draft) -> tuple[str, ...]:
    """What the contract of a draft still lacks or says wrongly, each with its line; empty where it can be used."""
    found, folder = Faults(), app.config.var / "spill"
    file = folder / f"draft-{os.getpid()}-{draft.name}.yaml"
    file.write_text(text(app, draft), "utf-8")
    try:
        contract_file.contract(
            file, draft.file, found, words=words(), purposes=app.config.purposes, env=os.environ,
            plans=tuple(app.config.plans), url=app.config.serve.url, expressions=refused,
        )  # fmt: skip
    finally:
        file.unlink(missing_ok=True)
    return found.lines()


def connect(app: App, draft: Draft, actor: str, role: str) -> Path:
    """Writes the contract of a new source, with an entry of the ledger; it holds from the next opening on. Never over a file
    that is there. Raises BadInput; BadWorkspace with what the contract lacks; NotAllowed where changes need a second person."""
    if app.config.access.changes is not None:
        ask = f"Have its YAML put into {draft.file} where the workspace is kept."
        raise NotAllowed("access.yaml (changes) asks for a second person, and a new source acts at once.", ask)
    allowed(app, draft)
    if wrong := faults(app, draft):
        raise BadWorkspace(wrong)
    target = app.config.root / draft.file
    made = target.with_name(f".{draft.name}.{os.getpid()}.new")
    try:
        target.parent.mkdir(exist_ok=True)
        with made.open("w", encoding="utf-8") as out:
            out.write(text(app, draft))
            out.flush()
            os.fsync(out.fileno())
        os.link(made, target)
    except FileExistsError:
        raise BadInput(f"There is a source {draft.name} already. Choose another name.") from None
    except OSError as no:
        raise BadInput(f"The contract cannot be written to {target.parent} ({no.strerror}).") from None
    finally:
        made.unlink(missing_ok=True)
    try:
        settings(app.config.root)
    except BadWorkspace:  # with it the workspace could not be opened again
        target.unlink()
        raise
    app.ledger.append(Use(actor=actor, role=role, act="change", purpose="operate", note=f"{draft.file} was written"))
    return target
