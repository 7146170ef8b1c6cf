"""A workspace's files -> Config: all of them read, every mistake named by file and line."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from tessera import decision_file, insight_file, interests_file
from tessera._version import VERSION
from tessera.config import (
    DEFAULT_CAPS,
    Access,
    ChainConfig,
    Config,
    Contract,
    InsightConfig,
    Purpose,
    RequestsConfig,
    SegmentsConfig,
    Serve,
    Topic,
)  # fmt: skip
from tessera.contract_file import CURRENCY, contract
from tessera.envtext import broken_reference, resolve, secret_in_clear
from tessera.errors import BadWorkspace
from tessera.plan_file import plans
from tessera.policy_files import access, purposes
from tessera.serve_file import alerts, serve
from tessera.yamlmarks import Faults, Piece, read
from tessera.yamlread import Section, choice, day, flag, many, section, text, whole

__all__ = ["FORMAT", "load", "resolve"]

FORMAT = 1
"""The version of the workspace's shape that this Tessera reads."""

_SETTINGS = (
    "version", "name", "languages", "currency", "time_zone", "as_of", "history_days", "sweep_days", "memory", "threads",
    "caps", "requests", "chain", "serve", "alerts",
)  # fmt: skip


def load(
    root: Path,
    *,
    words: Mapping[str, Collection[str]],
    tables: Mapping[str, Collection[str]] | None = None,
    env: Mapping[str, str] | None = None,
    expressions: Callable[[str], str | None] | None = None,
    rules: decision_file.Judge | None = None,
) -> Config:
    """All that the files of the workspace at `root` say.

    words: kind of record -> columns that `mapsTo` may name; where they come as a mapping, its values are the columns'
    data categories, which a property that names none takes over. tables: table -> columns that a row rule may name
    (None: unchecked). env: where `${NAME}` is looked up (None: the process's environment). expressions: says of a property's
    expression why it may not be used, rules: the same of a decision's rule (None: unchecked).
    Raises BadWorkspace with one line for each mistake.
    """
    faults = Faults()
    top = _settings(root, faults)
    languages = top.get("languages", many(_LANGUAGE), Config.languages) if top else Config.languages
    known = _purposes(root, faults, languages, tables)
    allowed = _access(root, faults, known, tables)
    segments = _segments(root, faults, known)
    served = serve(top.parts["serve"]) if top and "serve" in top else Serve()
    planned = plans(root / "tracking-plans", faults)
    known_env = os.environ if env is None else env
    sources = _sources(root, faults, words, known, known_env, planned, served, expressions)
    decisions = decision_file.points(root / decision_file.SOURCE, faults, known, rules)
    if decisions:
        sources = (*sources, decision_file.contract(faults, [c.name for c in sources]))
    caps = section(top.parts["caps"], tuple(DEFAULT_CAPS)) if top and "caps" in top else None
    chain = _chain(top.parts["chain"]) if top and "chain" in top else None
    made = Config(root=root, name="") if top is None else Config(
        root=root,
        name=top.get("name", text(), ""),
        languages=languages,
        currency=top.get("currency", CURRENCY, Config.currency),
        time_zone=top.get("time_zone", _time_zone, Config.time_zone),
        history_days=top.get("history_days", whole(1, 3650), Config.history_days),
        sweep_days=top.get("sweep_days", whole(1, 30), Config.sweep_days),
        memory=top.get("memory", _MEMORY, Config.memory),
        threads=top.get("threads", whole(1, 1024), None),
        as_of=top.get("as_of", _as_of, Config.as_of),
        caps={kind: caps.get(kind, whole(1, 1000), cap) if caps else cap for kind, cap in DEFAULT_CAPS.items()},
        sources=sources,
        decisions=decisions,
        plans=planned or {},
        purposes=known or {},
        access=allowed,
        segments=segments,
        insight=_insight(root, faults),
        topics=_topics(root, faults),
        requests=_requests(top),
        chain=chain,
        serve=served,
        alerts=alerts(top.parts["alerts"], mail=served.mail is not None) if "alerts" in top else None,
    )  # fmt: skip
    if faults:
        raise BadWorkspace(faults.lines())
    return made


def _required(root: Path, file: str, faults: Faults) -> Piece | None:
    if not (root / file).exists():
        faults.add(file, None, f"the file is missing in {root}; `tessera init` in an empty folder writes one.")
        return None
    return read(root / file, file, faults)


def _settings(root: Path, faults: Faults) -> Section | None:
    """tessera.yaml; what stands in another version's files is not judged, only its version."""
    if not root.is_dir():
        raise BadWorkspace([f"{root}: no such folder; `tessera init {root}` makes a workspace there."])
    piece = _required(root, "tessera.yaml", faults)
    _check_format(piece)
    return section(piece, _SETTINGS, ("version", "name")) if piece else None


def _check_format(piece: Piece | None) -> None:
    for key, value in piece.node.value if piece and piece.kind == "map" else ():
        written = str(value.value)
        if key.value != "version" or written == str(FORMAT):
            continue
        line = value.start_mark.line + 1
        if written.isdecimal() and int(written[:9]) > FORMAT:
            mend = f"this Tessera ({VERSION}) reads {FORMAT}. Update it: pip install -U tessera-cdp."
        else:
            mend = f"expected {FORMAT}. Make a new workspace with `tessera init` and carry your settings over."
        raise BadWorkspace([f"tessera.yaml:{line}: found workspace version {written[:20]!r}; {mend}"])


def _purposes(
    root: Path, faults: Faults, languages: Collection[str], tables: Mapping[str, Collection[str]] | None
) -> dict[str, Purpose] | None:
    """None if the file cannot be read: then nobody is told that a purpose is unknown."""
    piece = _required(root, "purposes.yaml", faults)
    return (purposes(piece, languages, tables) or None) if piece else None


def _access(
    root: Path, faults: Faults, known: Collection[str] | None, tables: Mapping[str, Collection[str]] | None
) -> Access:
    piece = _required(root, "access.yaml", faults)
    return access(piece, known, tables) if piece else Access(roles=(), actors=(), grants=())


def _segments(root: Path, faults: Faults, known: Collection[str] | None) -> SegmentsConfig:
    """segments.yaml; a workspace without it takes the defaults."""
    path = root / "segments.yaml"
    piece = read(path, path.name, faults) if path.exists() else None
    top = section(piece, ("k", "seed", "purpose")) if piece else None
    if top is None:
        return SegmentsConfig()
    return SegmentsConfig(
        k=top.get("k", whole(2, 50), None),
        seed=top.get("seed", whole(0, 2**31 - 1), SegmentsConfig.seed),
        purpose=top.get("purpose", text() if known is None else choice(known), SegmentsConfig.purpose),
    )


def _insight(root: Path, faults: Faults) -> InsightConfig:
    """insight.yaml; a workspace without it takes the defaults."""
    path = root / "insight.yaml"
    piece = read(path, path.name, faults) if path.exists() else None
    return insight_file.insight(piece) if piece else insight_file.DEFAULT


def _topics(root: Path, faults: Faults) -> tuple[Topic, ...]:
    """interests.yaml; a workspace without it has no topics."""
    path = root / "interests.yaml"
    piece = read(path, path.name, faults) if path.exists() else None
    return interests_file.topics(piece) if piece else ()


def _requests(top: Section | None) -> RequestsConfig:
    """How long a customer's request may take."""
    spec = section(top.parts["requests"], ("days", "working", "extension_days")) if top and "requests" in top else None
    if spec is None:
        return RequestsConfig()
    return RequestsConfig(
        days=spec.get("days", whole(1, 90), RequestsConfig.days),
        working=spec.get("working", flag, RequestsConfig.working),
        extension_days=spec.get("extension_days", whole(1, 90), RequestsConfig.extension_days),
    )


def _chain(piece: Piece) -> ChainConfig | None:
    """Where the ledger is anchored. A node's address may hold a token and a key is one, so both may come by reference,
    and the key has to."""
    top = section(piece, ("kind", "url", "contract", "key", "every_hours", "consents"), ("kind",))
    if top is None:
        return None
    kind = top.get("kind", choice(("embedded", "ethereum")), "embedded")
    for name in ("url", "contract", "key"):
        if kind == "embedded" and name in top:
            top.at(name).say(f"found {name!r} for the embedded chain, which has none. Write kind: ethereum, or leave it out.")
    if kind == "ethereum" and "url" not in top:
        piece.say("the key 'url' is missing or empty; it must be given for kind: ethereum, such as ${CHAIN_URL}.")
    return ChainConfig(
        kind="ethereum" if kind == "ethereum" else "embedded",
        url=top.get("url", _address, ""),
        contract=top.get("contract", text(r"0x[0-9a-fA-F]{40}", "an address: 0x and 40 hexadecimal digits, in quotes"), ""),
        key=top.get("key", text(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", "a reference to the environment, such as ${CHAIN_KEY}"), ""),
        every_hours=top.get("every_hours", whole(1, 24 * 31), ChainConfig.every_hours),
        consents=top.get("consents", flag, ChainConfig.consents),
    )


def _address(piece: Piece) -> str | None:
    """A node's address: no secret stands in it in clear."""
    found = text()(piece)
    if found is not None and (broken_reference(found) or secret_in_clear(found)):
        piece.wrong("an address without a secret in clear, such as ${CHAIN_URL}", found="a secret, or a broken ${")
        return None
    return found


def _sources(
    root: Path,
    faults: Faults,
    words: Mapping[str, Collection[str]],
    known: Mapping[str, Purpose] | None,
    env: Mapping[str, str],
    planned: Collection[str] | None,
    served: Serve,
    expressions: Callable[[str], str | None] | None,
) -> tuple[Contract, ...]:
    folder = root / "sources"
    contracts: dict[str, Contract] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        file = f"sources/{path.name}"
        if path.suffix not in (".yaml", ".yml") or path.name.startswith("."):
            continue
        if not path.name.endswith(".odcs.yaml"):
            faults.add(file, None, "found another ending, expected .odcs.yaml; without it nobody reads this contract.")
            continue
        made = contract(
            path, file, faults, words=words, purposes=known, env=env, plans=planned, url=served.url, expressions=expressions
        )
        if made is None:
            continue
        source, name = made
        if source.name in contracts:
            first = contracts[source.name].file.name
            name.wrong("another name", found=f"{source.name!r}, which sources/{first} has already")
        elif source.name:
            contracts[source.name] = source
    return tuple(contracts.values())


_MEMORY = text(r"[1-9]\d*(\.\d+)? ?[MGT]i?B", "an amount of memory, such as 4GB")
_LANGUAGE = text(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?", "a language code, such as en or zh")


def _time_zone(piece: Piece) -> str | None:
    try:
        ZoneInfo(piece.raw)
    except (ValueError, OSError, KeyError):
        piece.wrong("a time zone, such as Europe/Zurich", available_timezones())
        return None
    return piece.raw


def _as_of(piece: Piece) -> str | None:
    if piece.raw == "today":
        return piece.raw
    date = day(piece)
    return date.isoformat() if date else None
