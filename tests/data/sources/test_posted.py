"""posted.py: any JSON becomes rows without a digit changed; what is no row is told, and never raises."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.data.sources.posted import ROWS_MOST, Form, Posted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
ANY = st.recursive(
    PLAIN, lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=4), some, max_size=4), max_leaves=8
)


def read(body: Any, form: Form | None = None, **said: str) -> Posted:
    return (form or Form()).read(body if isinstance(body, bytes) else json.dumps(body).encode(), NOW, said)


def test_numbers_stand_as_they_were_sent() -> None:
    assert read(b'{ "a" : 1.10,\n "b":12345678901234567890123 }').lines == [b'{"a":1.10,"b":12345678901234567890123}']
    form = Form(received=True)
    assert read(b'{"a":1.10,"b":1e400}', form, c="x").lines[0].startswith(b'{"a":1.10,"b":1e400,"receivedAt":"2026-03-01T12')


@given(ANY)
@settings(max_examples=30, deadline=None)
def test_every_element_is_a_row_or_refused(body: Any) -> None:
    elements = body if isinstance(body, list) else [body]
    objects = [e for e in elements if isinstance(e, dict)]
    for form, sent in ((Form(), body), (Form(rows=("a", "b"), around=("c",)), {"a": {"b": elements}})):
        found = read(sent, form)
        assert [json.loads(line) for line in found.lines] == objects and not found.whole
        assert len(found.refused) == len(elements) - len(objects)
        assert not any(b"\n" in line for line in found.lines)


@given(st.binary(max_size=40))
@settings(max_examples=30, deadline=None)
def test_no_bytes_break_it_and_what_is_no_json_is_said(data: bytes) -> None:
    found = Form(received=True).read(data, NOW)
    assert found.lines or found.refused or data.strip() == b"[]"


@pytest.mark.parametrize("body", [b"", b"{", b"{} {}", b"\xff", b"[" * 100_000, b"{'a': 1}", b'{"a":"\n"}', b"NaN"])
def test_what_is_no_json_is_refused_whole_with_what_came(body: bytes) -> None:
    found = read(body)
    assert found.whole and not found.lines and found.refused[0].text == body[: 64 << 10]


def test_rows_inside_see_the_named_members_around_them_and_no_other() -> None:
    form = Form(rows=("data", "lines"), around=("id", "gone"))
    found = read({"id": 7, "secret": 1, "data": {"lines": [{"sku": "a"}, {"sku": "b", "%": "mine"}]}}, form)
    assert [json.loads(line) for line in found.lines] == [{"sku": "a", "%": {"id": 7}}, {"sku": "b", "%": {"id": 7}}]
    for body in ({}, [], {"data": []}, {"data": {"lines": {}}}, 5):
        assert "data.lines" in read(body, form).whole


def test_what_a_topic_says_wins_over_what_a_message_says() -> None:
    assert json.loads(read({"device": "other", "v": 1}, device="d1").lines[0]) == {"device": "d1", "v": 1}


def test_a_time_of_its_own_is_kept() -> None:
    assert json.loads(read({"receivedAt": "x"}, Form(received=True)).lines[0]) == {"receivedAt": "x"}


def test_a_body_of_too_many_rows_is_refused_whole() -> None:
    assert len(read([{}] * ROWS_MOST).lines) == ROWS_MOST
    assert "at most 10,000" in read([{}] * (ROWS_MOST + 1)).whole
