"""SOURCES -> raw tables: what landing fills, one declared table for each of our words.

Every raw table holds key_id (whose row it is: the strongest identifier of the row; null is nobody), source, record_id
(the vault's record with all that is sealed of the row; null if nothing is), batch and properties (what a contract names
without a column of ours, as JSON). Identifiers themselves are never here.
"""

from __future__ import annotations

from tessera.lake.table import Column, Delete, Detach, Table

ID = "user.unique_id"
PSEUDONYM = "user.unique_id.pseudonymous"
CONTENT = "user.content"
BEHAVIOUR = "user.behavior"
PURCHASE = "user.behavior.purchase_history"
BROWSING = "user.behavior.browsing_history"
PLACE = "user.location"
CONTACT = "user.contact"
EMAIL = "user.contact.email"
PHONE = "user.contact.phone_number"
ADDRESS = "user.contact.address"
NAME = "user.name"
BORN = "user.demographic.date_of_birth"
DEMOGRAPHIC = "user.demographic"
DEVICE = "user.device"
SENSOR = "user.sensor"
CONSENT = "user.privacy_preferences"
ACCOUNT = "user.account"
SOCIAL = "user.social"
TRADE = "system.operations"
"""What stays of a sale when its person is gone: money, product, date."""


def _common() -> tuple[Column, ...]:
    return (
        Column(name="properties", type="VARCHAR", category=BEHAVIOUR, note="JSON of named, unmapped columns"),
        Column(name="source", type="VARCHAR"),
        Column(name="record_id", type="BIGINT", category=ID, note="the vault's record"),
        Column(name="batch", type="BIGINT"),
    )


_KEY = Column(name="key_id", type="INTEGER", category=PSEUDONYM, note="the strongest identifier of the row")
_WHEN = Column(name="occurred_at", type="TIMESTAMPTZ", category=TRADE)

RECORDS = Table(
    name="records",
    whose="key:key_id",
    columns=(
        _KEY,
        Column(name="row_key", type="VARCHAR", category=ID, note="keyed hash of the source's own row name"),
        Column(name="row_hash", type="VARCHAR", category=ID, note="keyed hash of the row as it came"),
        _WHEN,
        Column(name="vanished_at", type="TIMESTAMPTZ", category=ACCOUNT, note="gone at the source since"),
        Column(name="name", type="VARCHAR", category=NAME, sealed=True),
        Column(name="email", type="VARCHAR", category=EMAIL, sealed=True, key="email_key"),
        Column(name="phone", type="VARCHAR", category=PHONE, sealed=True, key="phone_key"),
        Column(name="address", type="VARCHAR", category=ADDRESS, sealed=True),
        Column(name="born", type="VARCHAR", category=BORN, sealed=True),
        Column(name="email_key", type="INTEGER", category=PSEUDONYM),
        Column(name="phone_key", type="INTEGER", category=PSEUDONYM),
        Column(name="city", type="VARCHAR", category=PLACE),
        Column(name="region", type="VARCHAR", category=PLACE),
        Column(name="country", type="VARCHAR", category=PLACE),
        Column(name="language", type="VARCHAR", category=DEMOGRAPHIC),
        Column(name="tier", type="VARCHAR", category=ACCOUNT),
        Column(name="since", type="TIMESTAMPTZ", category=ACCOUNT),
        *_common(),
    ),
    on_erase=Delete(),
    unique=("source", "row_key"),
    note="one row per person record of a source, its newest state",
)

ORDERS = Table(
    name="orders",
    whose="key:key_id",
    columns=(
        Column(name="order_id", type="VARCHAR", category=TRADE),
        _KEY,
        _WHEN,
        Column(name="status", type="VARCHAR"),
        Column(name="amount_cents", type="BIGINT"),
        Column(name="currency", type="VARCHAR"),
        Column(name="channel", type="VARCHAR", category=BEHAVIOUR),
        Column(name="country", type="VARCHAR", category=PLACE),
        Column(name="vanished_at", type="TIMESTAMPTZ"),
        *_common(),
    ),
    on_erase=Detach(also=("order_id",)),
    unique=("source", "order_id"),
    note="one row per order",
)

ORDER_LINES = Table(
    name="order_lines",
    whose="key:key_id",
    columns=(
        Column(name="order_id", type="VARCHAR", category=TRADE),
        Column(name="line", type="VARCHAR", category=TRADE, note="the line's own number, if it has one"),
        _KEY,
        _WHEN,
        Column(name="product_id", type="VARCHAR"),
        Column(name="description", type="VARCHAR"),
        Column(name="quantity", type="BIGINT"),
        Column(name="amount_cents", type="BIGINT"),
        Column(name="currency", type="VARCHAR"),
        Column(name="country", type="VARCHAR", category=PLACE),
        *_common(),
    ),
    on_erase=Detach(also=("order_id", "line")),
    unique=("source", "order_id", "line"),
    note="one row per line of an order; lines without a number are all kept",
)

PAYMENTS = Table(
    name="payments",
    whose="key:key_id",
    columns=(
        Column(name="payment_id", type="VARCHAR", category=TRADE),
        Column(name="order_id", type="VARCHAR", category=TRADE),
        _KEY,
        _WHEN,
        Column(name="method", type="VARCHAR"),
        Column(name="status", type="VARCHAR"),
        Column(name="amount_cents", type="BIGINT"),
        Column(name="currency", type="VARCHAR"),
        *_common(),
    ),
    on_erase=Detach(also=("payment_id", "order_id")),
    unique=("source", "payment_id"),
    note="one row per payment",
)

EVENTS = Table(
    name="events",
    whose="key:key_id",
    columns=(
        Column(name="message_id", type="VARCHAR", category=PSEUDONYM),
        Column(name="type", type="VARCHAR", category=BEHAVIOUR, note="track, page, identify, screen, group, alias"),
        Column(name="event", type="VARCHAR", category=BEHAVIOUR, note="its name, as in 'Product Viewed'"),
        _KEY,
        Column(name="occurred_at", type="TIMESTAMPTZ", category=BEHAVIOUR),
        Column(name="received_at", type="TIMESTAMPTZ", category=BEHAVIOUR),
        Column(name="product_id", type="VARCHAR", category=BROWSING),
        Column(name="amount_cents", type="BIGINT", category=BROWSING),
        Column(name="currency", type="VARCHAR", category=BROWSING),
        Column(name="url", type="VARCHAR", category=BROWSING, note="without query and fragment"),
        Column(name="channel", type="VARCHAR", category=BEHAVIOUR),
        Column(name="campaign", type="VARCHAR", category=BEHAVIOUR),
        Column(name="device", type="VARCHAR", category=DEVICE, note="kind of device"),
        Column(name="country", type="VARCHAR", category=PLACE),
        *_common(),
    ),
    on_erase=Delete(),
    unique=("source", "message_id"),
    note="one row per tracked event (Segment's spec)",
)

POSTS = Table(
    name="posts",
    whose="key:key_id",
    columns=(
        Column(name="post_id", type="VARCHAR", category=PSEUDONYM),
        _KEY,
        Column(name="occurred_at", type="TIMESTAMPTZ", category=SOCIAL),
        Column(name="network", type="VARCHAR", category=SOCIAL),
        Column(name="language", type="VARCHAR", category=DEMOGRAPHIC),
        Column(name="text", type="VARCHAR", category=CONTENT, sealed=True),
        *_common(),
    ),
    on_erase=Delete(),
    unique=("source", "post_id"),
    note="one row per post; its text may name a person, so it is sealed",
)

READINGS = Table(
    name="readings",
    whose="key:key_id",
    columns=(
        _KEY,
        Column(name="occurred_at", type="TIMESTAMPTZ", category=SENSOR),
        Column(name="metric", type="VARCHAR", category=SENSOR),
        Column(name="value", type="DOUBLE", category=SENSOR),
        Column(name="unit", type="VARCHAR"),
        Column(name="model", type="VARCHAR", category=DEVICE),
        Column(name="error_code", type="VARCHAR", category=SENSOR),
        *_common(),
    ),
    on_erase=Delete(),
    note="one row per device reading",
)

TOUCHES = Table(
    name="touches",
    whose="key:key_id",
    columns=(
        Column(name="touch_id", type="VARCHAR", category=PSEUDONYM),
        _KEY,
        Column(name="occurred_at", type="TIMESTAMPTZ", category=BEHAVIOUR),
        Column(name="channel", type="VARCHAR", category=BEHAVIOUR),
        Column(name="campaign", type="VARCHAR", category=BEHAVIOUR),
        Column(name="kind", type="VARCHAR", category=BEHAVIOUR, note="impression, click, open"),
        Column(name="amount_cents", type="BIGINT", note="what the touch cost"),
        Column(name="currency", type="VARCHAR"),
        *_common(),
    ),
    on_erase=Delete(),
    unique=("source", "touch_id"),
    note="one row per campaign touch",
)

DECISIONS = Table(
    name="decisions",
    whose="key:key_id",
    columns=(
        Column(name="decision_id", type="VARCHAR", category=PSEUDONYM),
        _KEY,
        Column(name="occurred_at", type="TIMESTAMPTZ", category=BEHAVIOUR),
        Column(name="decision", type="VARCHAR", note="at which point: its name in decisions/"),
        Column(name="purpose", type="VARCHAR", note="what her data was used for"),
        Column(name="candidate", type="VARCHAR", category=BEHAVIOUR, note="what was shown"),
        Column(name="product_id", type="VARCHAR", category=BROWSING),
        Column(name="chosen_by", type="VARCHAR", category=BEHAVIOUR, note="learned, explored, control, nothing_left"),
        Column(name="context", type="VARCHAR", category=BEHAVIOUR, note="the situation, as far as it is learned by"),
        Column(name="reason", type="VARCHAR", category=BEHAVIOUR, note="JSON: what could be shown, what not, and why"),
        *_common(),
    ),
    on_erase=Delete(),
    unique=("source", "decision_id"),
    note="one row per decision what to show a person",
)

RATES = Table(
    name="rates",
    whose="nobody",
    columns=(
        Column(name="currency", type="VARCHAR"),
        Column(name="valid_from", type="DATE"),
        Column(name="rate", type="DOUBLE", note="workspace currency for one unit of this currency"),
        Column(name="source", type="VARCHAR"),
        Column(name="batch", type="BIGINT"),
    ),
    unique=("currency", "valid_from"),
    note="dated exchange rates into the workspace's currency",
)

LINKS = Table(
    name="links",
    whose="key:key_a,key_b",
    columns=(
        Column(name="key_a", type="INTEGER", category=PSEUDONYM),
        Column(name="kind_a", type="TINYINT", category=PSEUDONYM),
        Column(name="key_b", type="INTEGER", category=PSEUDONYM),
        Column(name="kind_b", type="TINYINT", category=PSEUDONYM),
        Column(name="source", type="VARCHAR"),
        Column(name="occurred_at", type="TIMESTAMPTZ", category=BEHAVIOUR, note="first seen together"),
        Column(name="rows", type="BIGINT", category=BEHAVIOUR),
        Column(name="batch", type="BIGINT"),
    ),
    on_erase=Delete(),
    visible=False,
    note="two identifiers seen in one row: the evidence of identity",
)

QUARANTINE = Table(
    name="quarantine",
    whose="key:key_id,key_2,key_3,key_4,key_5",
    columns=(
        Column(name="quarantine_id", type="BIGINT"),
        Column(name="source", type="VARCHAR"),
        Column(name="reason", type="VARCHAR", note="RudderStack's violation types"),
        Column(name="field", type="VARCHAR"),
        Column(name="at", type="TIMESTAMPTZ"),
        Column(name="state", type="VARCHAR", note="open, replayed"),
        Column(name="shape", type="VARCHAR", note="columns, json or text"),
        Column(name="record_id", type="BIGINT", category=ID, note="the row as it came, sealed"),
        Column(name="key_id", type="INTEGER", category=PSEUDONYM),
        Column(name="key_2", type="INTEGER", category=PSEUDONYM),
        Column(name="key_3", type="INTEGER", category=PSEUDONYM),
        Column(name="key_4", type="INTEGER", category=PSEUDONYM),
        Column(name="key_5", type="INTEGER", category=PSEUDONYM),
        Column(name="row_hash", type="VARCHAR", category=ID, note="keyed hash of the row: it waits here once"),
        Column(name="batch", type="BIGINT"),
    ),
    keep_days=90,
    on_erase=Delete(),
    visible=False,
    note="rows that broke their contract, sealed, with the reason",
)

TOUCHED = Table(
    name="touched",
    whose="key:key_id",
    columns=(
        Column(name="key_id", type="INTEGER", category=PSEUDONYM),
        Column(name="batch", type="BIGINT"),
    ),
    on_erase=Delete(),
    visible=False,
    note="keys whose rows were replaced or marked by a batch",
)

CORRECTED = "desk/correction"
"""The source of what customers corrected at our desk; no contract can have this name."""

CHOSEN = "desk/sign-in"
"""The source of what customers chose at our own door."""

CONTESTED = Table(
    name="contested",
    whose="key:key_id",
    columns=(
        Column(name="key_id", type="INTEGER", category=PSEUDONYM),
        Column(name="source", type="VARCHAR"),
        Column(name="row_key", type="VARCHAR", category=ID, note="of the record"),
        Column(name="row_hash", type="VARCHAR", category=ID, note="of its state: one that is sent anew is judged anew"),
        Column(name="fields", type="INTEGER", category=ACCOUNT, note="one bit for each field (profiles.CONTESTABLE)"),
    ),
    on_erase=Delete(),
    visible=False,
    unique=("source", "row_key"),
    note="values of records that their customer has corrected, so that they are passed over",
)

RAW = {
    "person": RECORDS,
    "order": ORDERS,
    "order_line": ORDER_LINES,
    "payment": PAYMENTS,
    "event": EVENTS,
    "post": POSTS,
    "reading": READINGS,
    "touch": TOUCHES,
    "decision": DECISIONS,
    "rate": RATES,
}
"""The raw table of each kind of record that a contract may name."""

LATEST_WINS = ("records", "orders", "order_lines", "payments", "rates")
"""Tables of states: a later row of the same name replaces the earlier. Rows of the others are acts: the first stays."""
