"""Writes what the pages bring along of other projects, from their npm packages: htmx, the font Inter, icons of Lucide, and the
SQL editor: CodeMirror, bundled with docs/assets/*.js by esbuild.

    npm install --prefix /tmp/assets htmx.org@2.0.11 lucide-static@1.62.0 @fontsource-variable/inter@5.3.0 esbuild@0.28.2 \\
        @codemirror/view@6.43.15 @codemirror/state@6.7.6 @codemirror/lang-sql@6.10.0 @codemirror/autocomplete@6.20.4 \\
        @codemirror/commands@6.11.1 @codemirror/language@6.13.1 @lezer/highlight@1.2.5 style-mod@4.1.5
    python docs/make_assets.py /tmp/assets/node_modules

An icon that a template names has to be one of ICONS.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
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

ENTRY = Path(__file__).parent / "assets" / "explore.js"
BUNDLE = ("--bundle", "--minify", "--format=iife", "--target=es2022", "--legal-comments=none")
BUNDLED = (
    "@codemirror/autocomplete", "@codemirror/commands", "@codemirror/lang-sql", "@codemirror/language", "@codemirror/state",
    "@codemirror/view", "@lezer/common", "@lezer/highlight", "@lezer/lr", "@marijn/find-cluster-break", "crelt", "style-mod",
    "w3c-keyname",
)  # fmt: skip
"""The packages that are in the bundle, all under the MIT licence."""

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


def editor(modules: Path) -> None:
    """Bundles the editor, and writes the licences of what is in it: each text once, with the packages that it is of."""
    told = {"NODE_PATH": str(modules)}
    made = STATIC / "editor.js"
    subprocess.run([modules / ".bin" / "esbuild", ENTRY, *BUNDLE, f"--outfile={made}"], check=True, env=os.environ | told)
    texts: dict[str, list[str]] = {}
    for package in BUNDLED:
        texts.setdefault((modules / package / "LICENSE").read_text("utf-8").strip(), []).append(package)
    written = "\n\n".join(f"{', '.join(of)}\n\n{text}" for text, of in texts.items())
    (STATIC / "licences" / "codemirror.txt").write_text(written + "\n", "utf-8")


def main(modules: Path) -> None:
    """Takes them from a folder node_modules."""
    for source, name in TAKEN.items():
        target = STATIC / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(modules / source, target)
    (STATIC / "icons.svg").write_text(sprite(modules / "lucide-static" / "icons"), "utf-8")
    editor(modules)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
