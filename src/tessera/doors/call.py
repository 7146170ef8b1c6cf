"""One call of the command line: its arguments, its workspace, and where it writes; and how commands are declared."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tessera.doors.progress import progress
from tessera.doors.show import Show
from tessera.errors import BadInput, NotFound, nearest
from tessera.words import Progress

if TYPE_CHECKING:
    from tessera.app import App
    from tessera.config import Config

WAIT_S = 60.0


class Usage(BadInput):
    """Words that are no command of ours."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a command is given."""

    args: argparse.Namespace
    show: Show

    @property
    def root(self) -> Path:
        """The workspace: the folder after -w, else the nearest one upward. Raises NotFound."""
        named = self.args.workspace
        if named is None:
            return _nearest(Path.cwd())
        folder = Path(named).absolute()
        if not (folder / "tessera.yaml").is_file():
            raise NotFound("Workspace", str(folder))
        return folder

    @contextmanager
    def open(self) -> Iterator[App]:
        """The open workspace, for the time of a `with`; waits for it as long as --wait says."""
        from tessera.app import App

        with App(self.root, wait_s=self.args.wait, doing=f"tessera {self.args.command}") as app:
            if app.standing.told:
                self.show.note(app.standing.told)
            yield app

    def settings(self) -> Config:
        """What the workspace's files say; asks no other process."""
        from tessera.app import settings

        return settings(self.root)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Where long work tells how far it is."""
        with progress(quiet=self.show.quiet, color=self.show.color) as told:
            yield told


Run = Callable[[Call], int]
"""What a command does; returns its exit code."""


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are our errors, with the nearest word."""

    def error(self, message: str) -> NoReturn:
        """Raises Usage in place of leaving the process."""
        end = "" if message.endswith((".", "?")) else "."
        raise Usage(f"{message[:1].upper()}{message[1:]}{end} Try: {self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices: Collection[str] | None = action.choices  # type: ignore[assignment]
        if choices is not None and value not in choices:
            raise argparse.ArgumentError(action, f"{value!r} is not known. {nearest(str(value), choices)}")


def shared(defaults: bool) -> argparse.ArgumentParser:
    """The options that every command takes, before its name (with defaults) and after it (without)."""

    def default(value: Any) -> Any:
        return value if defaults else argparse.SUPPRESS

    parser = argparse.ArgumentParser(add_help=False)
    group = parser.add_argument_group("for every command")
    group.add_argument(
        "-w",
        dest="workspace",
        metavar="DIR",
        default=default(None),
        help="the workspace (default: the nearest one from here upward)",
    )
    group.add_argument("--json", action="store_true", default=default(False), help="one JSON document on stdout")
    group.add_argument("-q", "--quiet", action="store_true", default=default(False), help="no notes, no progress")
    group.add_argument("--no-color", action="store_true", default=default(False), help="no colours (or set NO_COLOR)")
    group.add_argument(
        "--wait",
        type=_seconds,
        metavar="SECONDS",
        default=default(WAIT_S),
        help="how long to wait while another process has the workspace (default: 60)",
    )
    return parser


class Commands:
    """Declares commands under a parser: `add` one that runs, `noun` one that has verbs."""

    def __init__(self, parser: argparse.ArgumentParser, title: str = "COMMAND", path: str = "") -> None:
        self.path = path
        self._sub: Any = parser.add_subparsers(
            dest="verb" if path else "command", metavar=title, required=True, parser_class=Parser
        )

    def add(self, name: str, run: Run, about: str, examples: Sequence[str], more: str = "") -> argparse.ArgumentParser:
        """A command: about is one line of help, `more` what its own --help says besides."""
        parser = self._made(name, about, examples, more)
        parser.set_defaults(run=run)
        return parser

    def noun(self, name: str, about: str, examples: Sequence[str]) -> Commands:
        """A command with verbs of its own."""
        return Commands(self._made(name, about, examples, ""), "VERB", f"{self.path}{name} ")

    def _made(self, name: str, about: str, examples: Sequence[str], more: str) -> argparse.ArgumentParser:
        shown = "\n".join(f"  tessera {e}" for e in examples)
        parser: argparse.ArgumentParser = self._sub.add_parser(
            name,
            help=about,
            description=about[:1].upper() + about[1:] + "." + (f"\n\n{more}" if more else ""),
            epilog=f"examples:\n{shown}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[shared(defaults=False)],
            allow_abbrev=False,
        )
        return parser


def reading(parser: argparse.ArgumentParser, *, purpose: bool = True) -> None:
    """The options of whoever reads people's data: her role and her purpose."""
    parser.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")
    parser.add_argument("--purpose", metavar="P", required=purpose, help="what for: a purpose of purposes.yaml")


def _nearest(start: Path) -> Path:
    """As app.find, without the weight of app.py."""
    for folder in (start, *start.parents):
        if (folder / "tessera.yaml").is_file():
            return folder
    raise NotFound("Workspace", str(start))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds
