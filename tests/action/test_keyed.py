"""A stream keyed by person decides as the live engine: what was handed on is enough, whoever turns out to be whom."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import given_stream
import msgspec
import pytest
from pyroaring import BitMap

from given_tiny import DAY, Tiny, contract
from tessera import liveroom
from tessera.action.decide import Model
from tessera.action.handing import Handing, setting
from tessera.action.keyed import Forget, Setting, answers
from tessera.action.leave import Leave
from tessera.action.live_past import Made
from tessera.data.live_folds import micros
from tessera.errors import BadInput

FIELDS: dict[str, dict[str, Any]] = {
    "messageId": {"required": True, "unique": True, "mapsTo": "message_id", "category": "user.unique_id.pseudonymous"},
    "type": {"required": True, "mapsTo": "type", "category": "user.behavior"},
    "event": {"mapsTo": "event", "category": "user.behavior"},
    "userId": {"identifier": "user_id"},
    "mail": {"identifier": "email", "category": "user.contact.email"},
    "anonymousId": {"identifier": "anonymous_id"},
    "timestamp": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at", "category": "user.behavior"},
    "product": {"mapsTo": "product_id", "category": "user.behavior.browsing_history"},
    "price": {"logicalType": "number", "mapsTo": "amount_cents", "category": "user.behavior.browsing_history"},
    "device": {"mapsTo": "device", "category": "user.device"},
}

HOME = """\
decision: home_banner
purpose: personalise
on: [Product Viewed, Signed In]
control: 0.1
explore: 0.2
context: [event.device, products_viewed > 3]
candidates:
  - {id: welcome, when: products_viewed < 3, show: {text: 欢迎}}
  - {id: basket, when: cart_additions > 0 AND days_since(first_seen_at) < 30, weight: 1.5}
  - {id: next, recommend: true, most: 6}
outcome: {event: Product Added, within: 1h, same_product: true}
cap: {times: 2, within: 2h}
"""
NOTE = """\
decision: basket_note
purpose: marketing
on: [Product Added]
control: 0
candidates:
  - {id: gift, when: event.amount_cents >= 2500}
  - {id: post, when: last_product_id = 'p3'}
cap: {times: 1, within: 20m}
"""


def events(many: int, seed: int) -> list[dict[str, Any]]:
    """Of a few people, each with a browser or two, who sign in now and then."""
    some, told = Random(seed), []
    for number in range(many):
        who = some.randrange(8)
        name = some.choice(("Product Viewed",) * 4 + ("Product Added", "Signed In", ""))
        at = DAY + timedelta(minutes=number) - timedelta(minutes=some.randrange(90) if some.random() < 0.2 else 0)
        one = {
            "messageId": f"m{number - (some.random() < 0.03)}", "type": "track" if name else "page", "event": name,
            "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "anonymousId": f"a{who}{some.randrange(2)}", "device": some.choice(("phone", "laptop")),
            "userId": f"u{who // 2}" if some.random() < 0.15 else None, "mail": "a@b.example" if some.random() < 0.02 else None,
            "product": f"p{some.randrange(12)}" if name.startswith("Product") else None,
            "price": some.choice((9.9, 25, 120)) if name == "Product Added" else None,
        }  # fmt: skip
        told.append({name: value for name, value in one.items() if value is not None})
    return told


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_the_live_engine_hands_on_is_decided_as_it_decides_itself(seed: int, tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    for other in ("crm", "orders"):
        (tiny.root / "sources" / f"{other}.odcs.yaml").unlink()
    text = contract("events", FIELDS, path="x", format="json", record="event", sync="append", rank="5")
    tiny.write("events", text.replace("type: local, path: x, format: json", "type: api, location: /v1"))
    (tiny.root / "decisions").mkdir()
    for name, point in (("home", HOME), ("note", NOTE)):
        (tiny.root / "decisions" / f"{name}.yaml").write_text(point, "utf-8")
    expected, lines, joined, encode = [], [], 0, msgspec.json.Encoder().encode
    with tiny.open() as app:
        live = liveroom.made(app)
        liveroom.renew(app, live)
        state = live.state
        assert state
        for number in range(12):
            state.models["personalise"].nearby.seen(f"p{number}", f"p{(number * 5 + 1) % 12}")
        sent = encode(setting(state, {"events": 5}))
        handing = Handing(state)
        for number, event in enumerate(events(400, seed)):
            # Two take a consent back half way, one of them all, and one gives it again.
            one, two = ([live.key("anonymous_id", a)] if number > 200 else [] for a in ("a60", "a70"))
            refused, both = BitMap(one + (two if number < 300 else [])), BitMap(two if number < 300 else [])
            noes = {"personalise": refused, "marketing": both}
            state.leaves.follow({p: Leave(needs_consent=False, yes=BitMap(), no=no) for p, no in noes.items()})
            (took,) = live.accept("events", 1, [event])
            # The live engine learns on; the stream has the model that it was given.
            state.models = msgspec.json.decode(sent, type=Setting).models | {"marketing": Model()}
            at = micros(DAY) + number * 60_000_000
            handed = list(handing.lines(took, event_id=str(event["messageId"]), source="events", table="events", at=at))
            joined += sum(isinstance(line, Forget) for line in handed)
            lines += [encode(line).decode() for line in handed]
            for decider in state.points.pushed.get(took.event.get("event", ""), ()) if took.key else ():
                told = state.decide(
                    decider, took.key, "", event=took.event, here={}, event_id=str(event["messageId"]), at=at
                )
                if told.by != "no_consent":
                    state.made(took.key, Made(told.decision, told.candidate, told.product, told.context, told.at, by=told.by))
                    expected.append(msgspec.json.decode(encode(told)))
    found = [msgspec.json.decode(line)["decision"] for line in answers(msgspec.json.decode(sent, type=Setting), lines)]
    assert found == expected
    assert joined > 5 and len(found) > 200
    assert {told["by"] for told in found} >= {"learned", "explored"}
    assert {no["why"] for told in found for no in told["dropped"]} >= {"rule", "cap"}
    names = {"a@b.example", *(f"a{n}{m}" for n in range(8) for m in range(2)), *(f"u{n}" for n in range(4))}
    assert not [name for name in names for line in lines if f'"{name}"' in line]


def test_a_replay_gives_the_same_decisions_and_a_forgotten_person_begins_anew() -> None:
    told = list(given_stream.lines(400, people=20))
    once = list(answers(given_stream.setting(), told))
    assert once == list(answers(given_stream.setting(), told))
    person = msgspec.json.decode(once[0])["person"]
    again = list(answers(given_stream.setting(), [*told, msgspec.json.encode(Forget(person)).decode(), *told]))
    mine = [line for line in once if msgspec.json.decode(line)["person"] == person]
    assert [line for line in again[len(once) :] if msgspec.json.decode(line)["person"] == person] == mine


@pytest.mark.parametrize("line", ["", "{}", "[1]", '{"is":"event","person":7}', '{"is":"event","person":"p","id":"e"}'])
def test_a_line_that_is_none_is_refused_by_name(line: str) -> None:
    with pytest.raises(BadInput, match=r"docs/flink\.md"):
        list(answers(given_stream.setting(), [line]))
