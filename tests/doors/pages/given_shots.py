"""Pictures of pages: taken the same way for README, docs and the tests, and compared by a browser's own eyes."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from given_pages import Open

KEPT = Path(__file__).parent / "shots"
THUMB = 160
"""Width in pixels of what is kept to compare with."""


@dataclass(frozen=True)
class Shot:
    """One page as somebody sees it. lens: ROLE/PURPOSE. hers: the number of the customer whose own page it is; 0 for staff."""

    name: str
    path: str
    lens: str = "owner/operate"
    hers: int = 0


COMPARED = (Shot("lineage", "/lineage/profiles"),)
"""Pages whose looks are held to, in both languages and themes, wide and narrow: such as show nobody, for the numbers of
people are given anew in each shop that is made."""

SHOWN = {
    Shot("customer", "/customers/17", "service/operate"): ("en", "zh"), Shot("me", "/me", hers=17): ("en", "zh"),
    Shot("attribution", "/attribution", "marketer/analytics"): ("en", "zh"), Shot("home", "/"): ("en",),
    Shot("explore", "/explore"): ("en",), Shot("lineage", "/lineage/profiles"): ("en",),
}  # fmt: skip
"""Pages that README and docs show -> in which languages."""


def window(house: Open, chromium: Any, shot: Shot, *, lang: str, theme: str, width: int) -> Any:
    """The page in a window of its own, still: nothing moves, and what comes from the clock stands."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    if shot.hers:
        page = house.sign_in_customer(context, shot.hers, lang=lang, theme=theme)
    else:
        page = house.sign_in(context, lens=shot.lens, lang=lang, theme=theme)
    page.goto(house.url + shot.path, wait_until="load")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(250)
    return page


COMPARE = """async ([now, kept, width]) => {
  const load = async (data) => {
    const image = new Image();
    image.src = "data:image/png;base64," + data;
    await image.decode();
    return image;
  };
  const drawn = (image) => {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = Math.round(image.height * width / image.width);
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    return canvas;
  };
  const a = drawn(await load(now));
  const made = a.toDataURL("image/png").split(",")[1];
  if (!kept) return { made, taller: 0, mean: 0, worst: 0 };
  const b = drawn(await load(kept)), height = Math.min(a.height, b.height);
  const [x, y] = [a, b].map((one) => one.getContext("2d").getImageData(0, 0, width, height).data);
  const block = 12, sums = new Map(); let total = 0;
  for (let i = 0; i < x.length; i += 4) {
    const d = (Math.abs(x[i] - y[i]) + Math.abs(x[i + 1] - y[i + 1]) + Math.abs(x[i + 2] - y[i + 2])) / 765, p = i / 4;
    total += d;
    const key = Math.floor((p % width) / block) + "," + Math.floor(p / width / block);
    sums.set(key, (sums.get(key) || 0) + d);
  }
  const worst = Math.max(...sums.values()) / (block * block);
  return { made, taller: Math.abs(a.height - b.height) / b.height, mean: total / (x.length / 4), worst };
}"""


def compared(chromium: Any, picture: bytes, kept: bytes | None) -> dict[str, Any]:
    """How far a picture is from the one that is kept: taller (share), mean and worst (of a block) distance of colours from 0
    to 1; made: its own small form as PNG."""
    blank = chromium.new_page()
    try:
        encoded = [base64.b64encode(p).decode() if p else "" for p in (picture, kept)]
        found: dict[str, Any] = blank.evaluate(COMPARE, [*encoded, THUMB])
    finally:
        blank.close()
    return found | {"made": base64.b64decode(found["made"])}


def written(house: Open, chromium: Any, folder: Path) -> None:
    """Writes SHOWN into a folder, in each theme."""
    folder.mkdir(parents=True, exist_ok=True)
    for shot, languages in SHOWN.items():
        for lang, theme in product(languages, ("light", "dark")):
            page = window(house, chromium, shot, lang=lang, theme=theme, width=1280)
            page.screenshot(path=str(folder / f"{shot.name}-{lang}-{theme}.png"))
            page.context.close()
