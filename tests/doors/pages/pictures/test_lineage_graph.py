"""Lineage as a picture: lanes, places, what is grouped."""

from __future__ import annotations

import re

from tessera.doors.pages.pictures.lineage_graph import GAP_Y, MOST, TALL, WIDE, Node, draw, grouped, lanes, near, placed, reach

EDGES = {("crm", "records"), ("shop", "orders"), ("records", "profiles"), ("orders", "profiles"), ("orders", "value"),
         ("profiles", "features"), ("features", "segments"), ("segments", "features")}  # fmt: skip


def node(name: str, lane: int = 0, **more: object) -> Node:
    return Node(id=name, name=name, to=f"/lineage/{name}", said=name, lane=lane, **more)  # type: ignore[arg-type]


def test_no_arrow_goes_back_and_a_circle_ends() -> None:
    found = lanes(EDGES, "profiles")
    assert found["profiles"] == 0 and found["records"] == -1 and found["crm"] == -2 and found["features"] == 1
    assert all(found[a] < found[b] for a, b in EDGES - {("segments", "features"), ("orders", "value")})


def test_a_step_each_way_and_one_beyond_what_was_opened() -> None:
    assert near(EDGES, "profiles", 1, 1) == {"profiles", "records", "orders", "features"}
    assert near(EDGES, "profiles", 1, 1, {"records"}) == {"profiles", "records", "orders", "features", "crm"}
    assert near(EDGES, "profiles", 9, 9) == reach(EDGES, "profiles", -1) | reach(EDGES, "profiles", 1) | {"profiles"}


def test_cards_of_a_lane_do_not_overlap() -> None:
    at = lanes(EDGES, "profiles")
    made = placed([node(n, lane) for n, lane in at.items()], EDGES)
    for a in made:
        for b in made:
            assert a is b or abs(a.x - b.x) >= WIDE or abs(a.y - b.y) >= TALL + GAP_Y - 1e-6


def test_a_lane_stands_in_the_order_of_its_neighbours() -> None:
    crossed = {("a1", "b2"), ("a2", "b1"), ("b1", "c"), ("b2", "c")}
    made = {n.id: n for n in placed([node(n, lane) for n, lane in lanes(crossed, "c").items()], crossed)}
    assert (made["a1"].y < made["a2"].y) == (made["b2"].y < made["b1"].y)


def test_beyond_the_most_the_fullest_lane_ends_in_one_card() -> None:
    many = [node("middle", 0, chosen=True), *(node(f"n{i}", 1) for i in range(100))]
    kept, gone = grouped(many)
    assert len(kept) == MOST and len(gone) == 100 - (MOST - 2)
    [other] = [n for n in kept if n.id not in {m.id for m in many}]
    assert other.name == f"+{len(gone)}" and set(gone.values()) == {other.id}
    assert any(n.chosen for n in kept)


def test_few_are_not_grouped() -> None:
    assert grouped([node("a"), node("b", 1)])[1] == {}


def test_a_card_is_a_link_with_a_sentence_and_its_place_for_the_keyboard() -> None:
    more = {"more": 2, "more_to": "/lineage/profiles?open=records", "more_said": "Show 2"}
    card = node("records", low=True, locked=True, below="93%", **more)
    svg = draw(placed([card, node("profiles", 1, chosen=True)], EDGES), EDGES, "What <profiles> is made of")
    assert 'aria-label="What &lt;profiles&gt; is made of"' in svg
    link = r'<a class="nd" href="/lineage/records" id="n-records" data-lane="0" data-row="0" aria-label="records"'
    assert re.search(link, svg)
    assert 'aria-current="true"' in svg and 'class="ed bad"' in svg and ">+2<" in svg and 'class="lk"' in svg


def test_a_name_is_cut_where_the_card_ends_a_chinese_one_earlier() -> None:
    svg = draw(placed([node("x" * 40), node("表" * 40, 1)], set()), set(), "")
    long, chinese = re.findall(r">([x表]+)…<", svg)
    assert 20 <= len(long) <= 23 and 10 <= len(chinese) <= 13
