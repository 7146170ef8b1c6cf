"""Writes what the pages bring along of other projects, from their npm packages: htmx, the font Inter, icons of Lucide.

`npm install --prefix /tmp/assets htmx.org@2.0.11 lucide-static@1.62.0 @fontsource-variable/inter@5.3.0`, then
`python docs/make_assets.py /tmp/assets/node_modules`. An icon that a template names has to be one of ICONS.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

STATIC = Path(__file__).parents[1] / "src" / "tessera" / "doors" / "pages" / "static"

TAKEN = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "licences/htmx.txt",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter.woff2",
    "@fontsource-variable/inter/LICENSE": "licences/inter.txt",
    "lucide-static/LICENSE": "licences/lucide.txt",
}  # fmt: skip

ICONS = """
activity arrow-down arrow-right arrow-up award ban bell book-open box calendar chart-column chart-line chart-pie
chart-scatter check chevron-down chevron-left chevron-right circle-alert circle-check circle-help circle-x clock
columns-3 copy cpu credit-card database download eye eye-off file-check file-code file-diff file-text filter flame
flask-conical gauge git-branch git-compare globe hand heart heart-pulse history house inbox info key-round layers
layout-grid link list lock log-out mail map menu message-circle minus moon mouse-pointer-click network package pause
pencil phone play plug plus radio receipt refresh-cw rotate-ccw route save scale search send server settings shapes
share-2 shield shield-check shopping-bag shopping-cart sliders-horizontal sparkles square-terminal star sun table-2 tag
target timer trash-2 trending-down trending-up triangle-alert undo-2 upload user user-check user-x users waves wifi-off
wrench x zap
""".split()  # noqa: SIM905


def sprite(folder: Path) -> str:
    """One SVG with a symbol for each icon, named i-NAME."""
    symbols = []
    for name in ICONS:
        drawn = re.search(r"<svg[^>]*>(.*)</svg>", (folder / f"{name}.svg").read_text("utf-8"), re.S)
        assert drawn, name
        inner = re.sub(r"\s+", " ", drawn[1]).replace(" />", "/>").replace("> <", "><").strip()
        symbols.append(f'<symbol id="i-{name}" viewBox="0 0 24 24">{inner}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def main(modules: Path) -> None:
    """Takes them from a folder node_modules."""
    for source, name in TAKEN.items():
        target = STATIC / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(modules / source, target)
    (STATIC / "icons.svg").write_text(sprite(modules / "lucide-static" / "icons"), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
