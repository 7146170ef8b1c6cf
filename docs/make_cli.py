"""Writes docs/cli.md from the command line's own parser: `python docs/make_cli.py` in the project's .venv."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from tessera.doors.cli import parser

PAGE = Path(__file__).parent / "cli.md"

HEAD = """\
# The command line

`tessera [-w DIR] COMMAND ...`. This page is written by [make_cli.py](make_cli.py) from the commands themselves; each
also answers `--help`.

- Data go to stdout, all else to stderr. `--json` gives one JSON document.
- Whoever reads people's data names a **purpose** (`--purpose`), and a **role** of hers (`--role`, default her first).
- Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 not found, 4 not allowed by policy, 5 below its goal (quality), 6 busy.
- One process has a workspace at a time. Others wait (`--wait`, 60 s), then end with 6 and say who has it.
- `NO_COLOR` and `--no-color` leave colours out; without a terminal there are none, and progress is plain lines.

"""


def commands(top: argparse.ArgumentParser, path: str = "tessera") -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Every command that runs: its words, its line of help, its parser."""
    for action in top._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        about = {a.dest: a.help or "" for a in action._choices_actions}
        for word, below in action.choices.items():
            inner = list(commands(below, f"{path} {word}"))
            yield from inner or [(f"{path} {word}", about.get(word, ""), below)]


def shared(top: argparse.ArgumentParser) -> set[str]:
    """Options that every command takes."""
    return {o for a in top._actions for o in a.option_strings}


def page() -> str:
    """The page's text."""
    top = parser()
    common = shared(top)
    parts = [HEAD, "## For every command\n\n", _options(top, set()), "\n"]
    found = list(commands(top))
    parts.append("## Commands\n\n| command | what it does |\n|---|---|\n")
    parts += [f"| `{path}` | {about} |\n" for path, about, _ in found]
    for path, about, below in found:
        parts.append(f"\n### {path}\n\n{about[:1].upper()}{about[1:]}.\n\n")
        more = (below.description or "").partition("\n\n")[2].strip()
        if more:
            parts.append(" ".join(more.split()) + "\n\n")
        options = _options(below, common)
        if options:
            parts.append(options + "\n")
        lines = (below.epilog or "").removeprefix("examples:\n").strip("\n")
        if lines:
            parts.append("```sh\n" + "\n".join(line.strip() for line in lines.splitlines()) + "\n```\n")
    return "".join(parts)


def _options(below: argparse.ArgumentParser, leave: set[str]) -> str:
    rows = []
    for action in below._actions:
        if isinstance(action, argparse._SubParsersAction | argparse._HelpAction) or leave & set(action.option_strings):
            continue
        words = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        if action.option_strings and action.nargs != 0:
            words += f" {action.metavar or '{' + ','.join(map(str, action.choices or ())) + '}'}"
        rows.append(f"| `{words}` | {(action.help or '').replace('|', '/')} |\n")
    return "| argument | meaning |\n|---|---|\n" + "".join(rows) if rows else ""


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
