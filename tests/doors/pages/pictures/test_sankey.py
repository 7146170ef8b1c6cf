"""The flow picture as a text: widths by weight, a sentence for each ribbon, hatched where it was stopped."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

from tessera.doors.pages.pictures.sankey import TALL, THIN, Node, Ribbon, sankey

NODES = (
    Node(id="web", column=0, label="Website <b>", note="9", hue="lapis", says="Website: 9"),
    Node(id="shop", column=0, label="Orders", note="3", hue="verd", says="Orders: 3"),
    Node(id="fit", column=1, label="Fit", note="9", hue="lapis", says="Fit: 9", to="#choice-fit"),
    Node(id="ads", column=1, label="Ads", note="3", hue="terra", says="Ads: left out 3 times"),
    Node(id="us", column=2, label="Us", note="9", hue="slate", says="Us: 9"),
    Node(id="no", column=2, label="Blocked", note="3", hue="terra", says="Blocked: 3"),
)
RIBBONS = (
    Ribbon(start="web", end="fit", weight=9, hue="lapis", says="web for fit"),
    Ribbon(start="shop", end="ads", weight=3, hue="verd", says="orders kept out", stopped=True),
    Ribbon(start="fit", end="us", weight=9, hue="lapis", says="fit to us"),
    Ribbon(start="ads", end="no", weight=3, hue="terra", says="ads blocked", stopped=True),
)


def drawn(nodes: tuple[Node, ...] = NODES, ribbons: tuple[Ribbon, ...] = RIBBONS) -> ET.Element:
    text = sankey(nodes, ribbons, ("from", "for", "to"), "where it went", "flow")
    assert "style=" not in text and "on" not in re.findall(r"\s(on)[a-z]+=", text)
    return ET.fromstring(text)


def width(path: ET.Element) -> float:
    """How wide a ribbon begins: between the first and the last y of its outline."""
    ys = [float(y) for y in re.findall(r"M\d+ ([\d.]+)|([\d.]+)Z", path.get("d", "")) for y in y if y]
    return round(ys[1] - ys[0], 1)


def test_ribbons_are_as_wide_as_they_weigh_and_stopped_ones_are_hatched() -> None:
    paths = {p.get("id"): p for p in drawn().iter("path")}
    assert width(paths["web--fit"]) == round(9 * TALL / 12, 1) == 3 * width(paths["shop--ads"])
    assert paths["shop--ads"].get("fill") == "url(#flow-stopped)" and "stopped" in paths["shop--ads"].get("class", "")
    assert paths["web--fit"].get("fill") is None and "f-lapis" in paths["web--fit"].get("class", "")


def test_each_ribbon_and_bar_says_itself_and_the_keyboard_reaches_it() -> None:
    picture = drawn()
    assert picture.get("role") == "group" and picture.get("aria-label") == "where it went"
    for path in picture.iter("path"):
        assert path.get("tabindex") == "0" and path.get("aria-label")
    (link,) = picture.iter("a")
    assert (link.get("href"), link.get("aria-label")) == ("#choice-fit", "Fit: 9")
    assert "Website <b>" in "".join(picture.itertext()), "a name is text, never markup"


def test_the_thinnest_is_still_seen_and_bars_of_a_column_never_overlap() -> None:
    ribbons = (*RIBBONS, Ribbon(start="shop", end="fit", weight=0.001, hue="verd", says="a trace"))
    picture = drawn(ribbons=ribbons)
    assert width({p.get("id"): p for p in picture.iter("path")}["shop--fit"]) == THIN
    drawn_ = [r for r in picture.iter("rect") if r.get("rx")]
    bars = [(float(r.get("x", 0)), float(r.get("y", 0)), float(r.get("height", 0))) for r in drawn_]
    for x in {x for x, _, _ in bars}:
        column = sorted((y, y + h) for at, y, h in bars if at == x)
        assert all(below[0] > above[1] for above, below in pairwise(column))


def test_nothing_is_drawn_of_nothing() -> None:
    assert list(drawn((), ()).iter("path")) == []
