"""Writes docs/shots/: what the command line really prints (*.svg) and what the pages look like (pages/*.png), light and dark.

`python docs/make_shots.py [DEMO]` in the project's .venv. Without a folder that holds a demo it makes one of 5,000 people.
Each command runs on a terminal of its own, and what it prints is drawn as it came. The pages are taken as the tests take
them (tests/doors/pages/given_shots.py), of the tests' own shop, whose clock stands; `--pages` writes those alone.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, MONOKAI, TerminalTheme
from rich.text import Text

SHOTS = Path(__file__).parent / "shots"
TESSERA = Path(sys.executable).parent / "tessera"
THEMES: dict[str, TerminalTheme] = {"light": DEFAULT_TERMINAL_THEME, "dark": MONOKAI}
WIDTH = 108

ROWS = "SELECT {0} FROM profiles WHERE orders > 6 ORDER BY person_id LIMIT 4"


@dataclass(frozen=True)
class Shot:
    """One picture: a title and the commands whose output it shows; of each the first `lines` lines."""

    title: str
    commands: tuple[tuple[str, ...], ...]
    lines: int = 40


SHOTS_OF = {
    "gate": Shot(
        "The same people, for two roles and purposes",
        (
            ("sql", ROWS.format("person_id, name, email, city, orders"), "--role", "service", "--purpose", "operate"),
            ("sql", ROWS.format("person_id, email, city, orders"), "--role", "analyst", "--purpose", "analytics"),
            ("sql", "SELECT name FROM profiles", "--role", "analyst", "--purpose", "analytics"),
            ("ledger", "list", "--limit", "3"),
        ),
    ),
    "person": Shot(
        "One person, and what an erasure would do",
        (("person", "show", "2", "--role", "service", "--purpose", "operate"), ("person", "erase", "2", "--dry-run")),
    ),
    "quality": Shot("How good each department's data is", (("quality",),)),
}


def main() -> None:
    """Draws every shot."""
    SHOTS.mkdir(exist_ok=True)
    pages()
    if "--pages" in sys.argv:
        return
    with tempfile.TemporaryDirectory() as made:
        demo = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else Path(made) / "demo"
        if not (demo / "tessera.yaml").is_file():
            subprocess.run([str(TESSERA), "demo", str(demo), "--people", "5000"], check=True)
        for stem, shot in SHOTS_OF.items():
            texts = [(command, _ran(command, demo)) for command in shot.commands]
            for theme in THEMES:
                (SHOTS / f"{stem}-{theme}.svg").write_text(drawn(stem, shot, texts, theme), "utf-8")


def pages() -> None:
    """Takes the pages' pictures."""
    tests = Path(__file__).parents[1] / "tests"
    sys.path[:0] = [str(tests / "doors" / "pages"), str(tests / "doors"), str(tests)]
    import given_pages
    import given_shots

    with tempfile.TemporaryDirectory() as made:
        root = given_pages.made(Path(made) / "shop")
        with given_pages.browser() as chromium, given_pages.opened(root, clock=given_pages.from_then()) as house:
            given_shots.written(house, chromium, SHOTS / "pages")


def drawn(stem: str, shot: Shot, texts: list[tuple[tuple[str, ...], str]], theme: str) -> str:
    """The commands and what they printed, as SVG."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
    for command, text in texts:
        console.print(Text("$ tessera " + " ".join(map(_quoted, command)), style="bold"), overflow="fold")
        lines = text.rstrip().splitlines()
        cut = [*lines[: shot.lines], "..."] if len(lines) > shot.lines else lines
        console.print(Text.from_ansi("\n".join(cut)))
        console.print()
    svg = console.export_svg(title=shot.title, theme=THEMES[theme], unique_id=f"{stem}-{theme}")
    # The drawing must not fetch anything: the viewer's own fixed-width face will do.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.S)
    svg = re.sub(r"<!-- Generated with Rich.*?-->", "", svg)
    return svg.replace("Fira Code", "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas")


def _ran(command: tuple[str, ...], demo: Path) -> str:
    """What a command prints on a terminal, stdout and stderr as they come."""
    main_end, end = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR",)}
    env |= {"COLUMNS": str(WIDTH), "LINES": "60", "TERM": "xterm-256color"}
    with subprocess.Popen([str(TESSERA), *command], cwd=demo, stdin=end, stdout=end, stderr=end, env=env):
        os.close(end)
        found = b""
        while True:
            try:
                piece = os.read(main_end, 65_536)
            except OSError:
                break
            if not piece:
                break
            found += piece
    os.close(main_end)
    # What a progress bar has cleared is not shown.
    text = re.sub(rb"\x1b\[\?25[lh]|\x1b\[\d*[A-G]|\x1b\[\d*K", b"", found).decode(errors="replace")
    return "\n".join(line.rsplit("\r", 1)[-1] for line in text.replace("\r\n", "\n").split("\n"))


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


if __name__ == "__main__":
    main()
