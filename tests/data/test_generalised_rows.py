"""generalised_rows.py: what a contract calls an address keeps its network, and nothing else of a row is touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.config import Contract, Field
from tessera.data.generalised_rows import ADDRESS, Places

AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605 Version/19.1 Mobile/15E Safari/604"


def places(*fields: Field) -> Places:
    return Places.of(Contract(name="hook", file=Path(), kind="http", record="event", fields=fields))


def ip(name: str, **more: Any) -> Field:
    return Field(name=name, category=ADDRESS, **more)


@pytest.mark.parametrize(
    ("field", "sent", "kept"),
    [
        (ip("ip"), {"ip": "203.0.113.77", "v": 1}, {"ip": "203.0.113.0", "v": 1}),
        (ip("ip"), {"ip": " 2001:db8:77:1::1 "}, {"ip": "2001:db8:77::"}),
        (ip("ip"), {"ip": "at home"}, {"ip": None}),
        (ip("ip"), {"ip": 7, "other": "203.0.113.77"}, {"ip": 7, "other": "203.0.113.77"}),
        (ip("at", physical="from.it.ip"), {"from": {"it": {"ip": "1.2.3.4"}}}, {"from": {"it": {"ip": "1.2.3.0"}}}),
        (ip("at", physical="from.it.ip"), {"from": ["1.2.3.4"]}, {"from": ["1.2.3.4"]}),
        (ip("at", physical="%.browser_ip"), {"%": {"browser_ip": "1.2.3.4"}}, {"%": {"browser_ip": "1.2.3.0"}}),
        (ip("at", expression="a[2].ip"), {"a": [1, {"ip": "1.2.3.5"}]}, {"a": [1, {"ip": "1.2.3.0"}]}),
        (ip("at", expression="a || b.c"), {"a": "1.2.3.4", "b": {"c": "5.6.7.8"}}, {"a": "1.2.3.0", "b": {"c": "5.6.7.0"}}),
        (ip("at", expression="CASE WHEN k = 'ip' THEN v END"), {"k": "ip", "v": "1.2.3.4"}, {"k": "ip", "v": "1.2.3.0"}),
        (ip("ip", identifier="device_id"), {"ip": "1.2.3.4"}, {"ip": "1.2.3.4"}),
        (Field(name="agent", maps_to="device"), {"agent": AGENT}, {"agent": "Safari 19 on iOS"}),
        (Field(name="agent", maps_to="device"), {"agent": "mobile"}, {"agent": "mobile"}),
        (Field(name="agent", maps_to="device"), {"agent": "curl/8.1"}, {"agent": "Other"}),
        (Field(name="note", category="user.content"), {"note": "1.2.3.4"}, {"note": "1.2.3.4"}),
    ],
)  # fmt: skip
def test_addresses_keep_their_network_and_user_agents_browser_and_system(field: Field, sent: Any, kept: Any) -> None:
    assert json.loads(places(field).generalise(json.dumps(sent).encode())) == kept


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.ip_addresses().map(str),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), some, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), ANY, max_size=3))
def test_nothing_changes_but_what_is_text_at_that_place(row: dict[str, Any]) -> None:
    found = json.loads(places(ip("x", physical="a.b"), ip("y", expression="c[1]")).generalise(json.dumps(row).encode()))

    def blanked(value: Any) -> Any:
        value = json.loads(json.dumps(value))
        if isinstance(value.get("a"), dict) and isinstance(value["a"].get("b"), str | None):
            value["a"].pop("b", None)
        if isinstance(value.get("c"), list) and value["c"] and isinstance(value["c"][0], str):
            value["c"][0] = ""
        return value

    assert blanked(found) == blanked(row)


def test_the_digits_of_other_members_stay_as_they_were_sent() -> None:
    row = b'{"n":1.10,"ip":"1.2.3.4","big":12345678901234567890123,"e":1e400}'
    assert places(ip("ip")).generalise(row) == row.replace(b"1.2.3.4", b"1.2.3.0")
    assert places(ip("other")).generalise(row) is row
