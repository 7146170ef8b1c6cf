"""What a workspace's files say, as frozen nouns; `workspace.py` reads them and names each mistake by file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from tessera.decision_points import Point

RecordKind = Literal["person", "order", "order_line", "payment", "event", "post", "reading", "touch", "decision", "rate"]
SourceKind = Literal["file", "sql", "http", "mqtt", "decisions"]
"""How a source comes: files and queries are asked; what is sent to the door, or to a broker, and what is decided here comes by
itself."""
SENT: tuple[SourceKind, ...] = ("http", "mqtt", "decisions")
"""Kinds that come by themselves, and lie in a journal until they are landed."""
Signal = Literal["tcf", "gpc", "preferences"]
ConsentPart = Literal["wording", "language", "until"]
Verdict = Literal["clear", "masked", "generalised", "hidden"]
Basis = Literal["consent", "contract", "legal_obligation", "legitimate_interest", "vital_interest", "public_interest"]

FUNCTIONS = (
    "sql", "tables", "find", "show", "consents", "ledger", "explain", "approve", "customer_token", "metrics", "decide",
    "requests", "operate", "change",
)  # fmt: skip
"""What the HTTP door can do for those who work with us; access.yaml says which role may do which."""

DEFAULT_CAPS = {"email": 3, "phone": 1, "device_id": 1, "anonymous_id": 1}
"""A shared phone or browser joins nobody; an e-mail may join a customer's few accounts."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One quality rule of a contract: a metric on a column and the worst share of rows (percent) that may break it."""

    metric: str
    column: str | None
    at_most_percent: float
    dimension: str = "conformity"


@dataclass(frozen=True, kw_only=True)
class Field:
    """One property of a contract.

    maps_to: the column of our table that it fills (None: kept in `properties` when its category is not personal, sealed
    otherwise). identifier: the kind of identifier it holds (words.KINDS). joins: whether that identifier may join
    records (an unverified e-mail may not). joins_if: the boolean field that must be true in a row for its identifier to
    join. sealed: the value goes to the vault. consent: the purpose that it answers. signal: the answer is read from a consent
    manager's string ("tcf": given if it consents to all of tcf_purposes), from Sec-GPC ("gpc"), or from what an SDK repeats
    with every event ("preferences"). consent_part: what it says of the row's answers: the version of the words she saw, their
    language, until when they hold. physical: where the value lies at the source (a column, or a dotted path into JSON); the
    name if empty. expression: of JSON, the value as one SQL expression over such paths (data/expressions.py), or empty.
    date_format: how a date is written, as strptime says it ("%d/%m/%Y"). pattern, enum,
    minimum, maximum, max_length: what the value must satisfy, else Datatype-Mismatch.
    """

    name: str
    physical: str = ""
    expression: str = ""
    logical_type: str = "string"
    required: bool = False
    unique: bool = False
    primary_key: bool = False
    category: str = "system.operations"
    maps_to: str | None = None
    identifier: str | None = None
    joins: bool = True
    joins_if: str | None = None
    sealed: bool = False
    consent: str | None = None
    signal: Signal | None = None
    tcf_purposes: tuple[int, ...] = ()
    consent_part: ConsentPart | None = None
    date_format: str | None = None
    pattern: str | None = None
    enum: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = None
    line: int = 0

    @property
    def where(self) -> str:
        """The column or JSON path at the source."""
        return self.physical or self.name

    @property
    def personal(self) -> bool:
        """Whether the value says something of a person."""
        return self.category.startswith("user")

    @property
    def consents(self) -> bool:
        """Whether the value goes to the table of choices: an answer, or what is said of the row's answers."""
        return self.consent is not None or self.consent_part is not None

    @property
    def loose(self) -> bool:
        """Whether the identifier of some row, or of all, may join nothing."""
        return not self.joins or self.joins_if is not None

    @property
    def hidden(self) -> bool:
        """Whether the value goes to the vault for its category alone: personal, and without another place."""
        return self.personal and not (self.maps_to or self.identifier or self.consents)

    @property
    def unmapped(self) -> bool:
        """Whether the value is kept in `properties`."""
        return not (self.maps_to or self.sealed or self.identifier or self.consents or self.personal)


@dataclass(frozen=True, kw_only=True)
class Door:
    """How the tracking door takes a source that is sent to it (docs/collector.md).

    plan: the name of its tracking plan; empty: none. additional: what becomes of an event with properties that its plan does
    not name ("note": it goes on, and is counted). consent: what becomes of an event that says no itself to all of `purposes`
    (empty: to all that the contract's properties answer). dedupe_hours: for how long a message id is remembered; 0: not at
    all. event_bytes: of one event as JSON. address: what is kept of a network address. cookie_domain: empty: no cookie.
    """

    enabled: bool = True
    plan: str = ""
    additional: Literal["block", "note"] = "block"
    consent: Literal["drop", "anonymous", "keep"] = "keep"
    purposes: tuple[str, ...] = ()
    dedupe_hours: int = 24
    event_bytes: int = 32 * 1024
    address: Literal["generalise", "drop"] = "generalise"
    cookie_domain: str = ""


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """What others post to `/v1/webhook/SOURCE`.

    rows: the dotted path of the list inside a body whose elements are the rows; empty: the body is a row, or a list of rows.
    header, secret: where a sender writes the HMAC-SHA256 of the body, and the secret of it as written, with its `${NAME}`;
    both empty: nobody signs. encoding: how the signature is written.
    """

    rows: str = ""
    header: str = ""
    secret: str = ""
    encoding: Literal["hex", "base64"] = "hex"


@dataclass(frozen=True, kw_only=True)
class Mqtt:
    """A broker, and what is subscribed to there. Credentials stand in the contract's `connection`.

    rows: as in Webhook. protocol: of MQTT. ca: a PEM file with the authorities to trust, as written; empty: the machine's.
    """

    rows: str = ""
    protocol: Literal["5", "3.1.1"] = "5"
    ca: str = ""


@dataclass(frozen=True, kw_only=True)
class Contract:
    """One data contract (ODCS v3.1) and how its source is read.

    sync: "append" takes each row once; "snapshot" takes each file or query as the whole truth (rows that are gone are
    marked); "cursor" reads rows whose cursor column has moved. amounts: "cents" (integers) or "units" (decimals).
    rank: which source wins when two give a value (higher first). derive_orders: order lines also fill `orders`. door: of kind
    "http" alone.
    path, connection: as written; `workspace.resolve` fills in `${NAME}` and the workspace's folder when they are used.
    webhook, mqtt: what a source of kind http that is no tracking API, or one of kind mqtt, says of itself; None for others.
    """

    name: str
    file: Path
    kind: SourceKind
    record: RecordKind
    fields: tuple[Field, ...]
    format: str = "csv"
    path: str = ""
    connection: str = ""
    query: str = ""
    cursor: str | None = None
    sync: Literal["append", "snapshot", "cursor"] = "append"
    amounts: Literal["cents", "units"] = "cents"
    currency: str | None = None
    rank: int = 0
    department: str = "unowned"
    goal_percent: float = 95.0
    fresh_hours: float | None = None
    keep_days: int | None = None
    derive_orders: bool = False
    rules: tuple[Rule, ...] = ()
    version: str = "1.0.0"
    door: Door = Door()
    webhook: Webhook | None = None
    mqtt: Mqtt | None = None


@dataclass(frozen=True, kw_only=True)
class EventRule:
    """What a tracking plan says of one event. type: of the call; event: the name of a track, else empty. section: where its
    facts lie. schema: what they must satisfy (JSON Schema, draft 7)."""

    type: str
    event: str
    section: tuple[str, ...]
    schema: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrackingPlan:
    """A tracking plan, by its id: the events that a source may send."""

    id: str
    rules: tuple[EventRule, ...]


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """Why data is used: fideslang data_use, plain sentences per language, lawful basis, categories, keep_days.

    bit: its place in the consent mask; in an open workspace as it was first given (trust/bits.py). recipients: who is
    given data for it, outside of the workspace. holds: of a legal duty, the columns of each table that it keeps after an
    erasure, for keep_days from the row's own day.
    """

    name: str
    data_use: str
    basis: Basis
    sentence: dict[str, str]
    version: str = "1"
    categories: tuple[str, ...] = ()
    keep_days: int | None = None
    bit: int = 0
    line: int = 0
    recipients: tuple[str, ...] = ()
    holds: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def needs_consent(self) -> bool:
        """Whether no record means no."""
        return self.basis == "consent"


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One line of the matrix: for these roles, purposes and categories (prefixes; "*" for all) the verdict."""

    roles: tuple[str, ...]
    purposes: tuple[str, ...]
    categories: tuple[str, ...]
    verdict: Verdict
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class RowRule:
    """For a role, only rows of these tables that satisfy the condition: column in values ("$region": the actor's)."""

    roles: tuple[str, ...]
    tables: tuple[str, ...]
    column: str
    values: tuple[str, ...]
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Someone who works with us, her roles and attributes (region, team).

    name: "user:NAME" (of the machine), "account:NAME" (signs in with a password), "oidc:SUBJECT", "key:NAME" (a program).
    """

    name: str
    roles: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Allow:
    """One line of what may be done through the HTTP door: these roles may use these functions (FUNCTIONS)."""

    roles: tuple[str, ...]
    functions: tuple[str, ...]
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Approval:
    """How many different people, each in one of these roles, must approve a change that gives anybody anything."""

    people: int
    roles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may see what for what; nothing written means no.

    contact: who can allow what is refused. changes: None where a change acts without anybody's approval. functions: what
    each role may do through the HTTP door, beside what the grants let it see.
    """

    roles: tuple[str, ...]
    actors: tuple[Actor, ...]
    grants: tuple[Grant, ...]
    row_rules: tuple[RowRule, ...] = ()
    contact: str = "the workspace's owner"
    changes: Approval | None = None
    functions: tuple[Allow, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SegmentRule:
    """A segment by rule: who is in it, of whom the condition `when` is true, and its words."""

    name: str
    en: str
    zh: str
    when: str


@dataclass(frozen=True, kw_only=True)
class SegmentsConfig:
    """segments.yaml: how many segments (None: chosen), the seed, and the purpose they are made for; figures of one's own, by
    name, and segments by rule."""

    k: int | None = None
    seed: int = 7
    purpose: str = "analytics"
    features: dict[str, str] = field(default_factory=dict)
    rules: tuple[SegmentRule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class InsightConfig:
    """insight.yaml: what each model is told, by its name; see insight_file.py for what may stand there. without: insights that
    are not made."""

    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    without: frozenset[str] = frozenset()

    def of(self, model: str) -> Mapping[str, Any]:
        """The settings of one model, defaults filled in; empty for what has none."""
        return self.models.get(model, {})


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One topic of interests.yaml. en, zh: what it is called. words_en, words_zh: words that tell of it. products: beginnings
    of the numbers of products that belong to it."""

    name: str
    en: str
    zh: str
    words_en: tuple[str, ...] = ()
    words_zh: tuple[str, ...] = ()
    products: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RequestsConfig:
    """How long a request of a customer may take: days (of work, if `working`), and what one extension adds."""

    days: int = 30
    working: bool = False
    extension_days: int = 60


@dataclass(frozen=True, kw_only=True)
class ChainConfig:
    """Where the ledger is anchored. url, key: as written, with their references (${NAME}); for kind "ethereum" alone.

    contract: the contract's address; empty before `tessera anchor deploy`. every_hours: how old the last anchor is when a
    turn makes the next one. consents: whether the root over all consents that hold is anchored too.
    """

    kind: Literal["embedded", "ethereum"]
    url: str = ""
    contract: str = ""
    key: str = ""
    every_hours: int = 24
    consents: bool = True


@dataclass(frozen=True, kw_only=True)
class Oidc:
    """Where staff sign in by OpenID Connect. client_secret: as written, with its `${NAME}`."""

    issuer: str
    client_id: str
    client_secret: str


@dataclass(frozen=True, kw_only=True)
class Mail:
    """How mail leaves: an SMTP server that is spoken to over TLS. password: as written, with its `${NAME}`; user empty: no
    sign-in there."""

    host: str
    sender: str
    port: int = 465
    user: str = ""
    password: str = ""


@dataclass(frozen=True, kw_only=True)
class TlsFiles:
    """A certificate chain and its private key, PEM: paths as written, with their `${NAME}`, below the workspace or absolute."""

    cert: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Serve:
    """The HTTP door. url: under which others reach it, without a path. mail: None keeps letters in var/outbox. tls: None makes
    a certificate for localhost. turn_every_s: from the end of one turn to the next; None runs none. metrics_port: where this
    machine alone reads the metrics; None nowhere. proxies: addresses and networks (CIDR) whose X-Forwarded-For is believed."""

    url: str = ""
    oidc: Oidc | None = None
    mail: Mail | None = None
    tls: TlsFiles | None = None
    turn_every_s: int | None = 300
    metrics_port: int | None = None
    proxies: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AlertsConfig:
    """Who is told of trouble. mail: addresses, written to by `serve.mail`. webhook: the name (`${NAME}`) of a URL that is
    posted to; empty for none. disk_percent: how much of the disk has to be free."""

    mail: tuple[str, ...] = ()
    webhook: str = ""
    disk_percent: int = 10


@dataclass(frozen=True, kw_only=True)
class Config:
    """All that a workspace's files say.

    as_of: "today" or a date (ISO) at which times become ages. caps: per kind of identifier, how many distinct user ids
    it may join before it is hot and joins nobody. memory, threads: the engine's limits (DuckDB's words). chain: None where
    the ledger is anchored nowhere.
    """

    root: Path
    name: str
    languages: tuple[str, ...] = ("en", "zh")
    currency: str = "EUR"
    time_zone: str = "UTC"
    history_days: int = 30
    sweep_days: int = 7
    memory: str = "4GB"
    threads: int | None = None
    as_of: str = "today"
    caps: dict[str, int] = field(default_factory=lambda: dict(DEFAULT_CAPS))
    sources: tuple[Contract, ...] = ()
    decisions: tuple[Point, ...] = ()
    plans: dict[str, TrackingPlan] = field(default_factory=dict)
    purposes: dict[str, Purpose] = field(default_factory=dict)
    access: Access = field(default_factory=lambda: Access(roles=(), actors=(), grants=()))
    segments: SegmentsConfig = field(default_factory=SegmentsConfig)
    insight: InsightConfig = field(default_factory=InsightConfig)
    topics: tuple[Topic, ...] = ()
    requests: RequestsConfig = field(default_factory=RequestsConfig)
    chain: ChainConfig | None = None
    serve: Serve = Serve()
    alerts: AlertsConfig | None = None

    def day(self, now: datetime) -> date:
        """The day at which times become ages: the one that as_of fixes, or that of this moment (UTC)."""
        return now.astimezone(UTC).date() if self.as_of == "today" else date.fromisoformat(self.as_of)

    @property
    def var(self) -> Path:
        """Where the machine's own files lie; not in git, 0700."""
        return self.root / "var"
