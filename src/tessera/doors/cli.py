"""The command line: `tessera [-w DIR] COMMAND`. Data on stdout, all else on stderr, an exit code for each kind of end.

0 ok, 1 failed, 2 wrong usage, 3 not found, 4 not allowed by policy, 5 check below goal (quality), 6 busy.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tessera._version import VERSION
from tessera.doors import failures
from tessera.doors.call import Call, Commands, Parser, shared
from tessera.doors.commands import GROUPS
from tessera.doors.show import Show
from tessera.errors import TesseraError

ABOUT = "A customer data platform that runs on your own machine and enforces consent on every read."

EPILOG = """\
examples:
  tessera demo                                    a made-up shop, filled, in ./demo
  tessera init acme                               a workspace of your own
  tessera -w acme turn                            land what is new, bring every table up to date
  tessera sql "SELECT count(*) FROM orders" --role analyst --purpose analytics
  tessera person find ann@example.org

exit codes: 0 ok, 1 failed, 2 wrong usage, 3 not found, 4 not allowed by policy, 5 below its goal, 6 busy
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    call: Call | None = None
    as_json = "--json" in words
    try:
        args = parser().parse_args(words)
        as_json = args.json
        call = Call(args=args, show=Show(json=args.json, quiet=args.quiet, color=not args.no_color))
        run: int = args.run(call)
        sys.stdout.flush()
        return run
    except SystemExit as done:  # argparse, after --help and --version
        return int(done.code or 0)
    except TesseraError as error:
        return failures.of(error).tell(as_json)
    except KeyboardInterrupt:
        sys.stderr.write("stopped; what was committed stays, and the same command goes on from there\n")
        return failures.STOPPED
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        failure = failures.disk(error) if isinstance(error, OSError) else None
        return (failure or failures.unexpected(error, _var(call))).tell(as_json)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = Parser(
        prog="tessera",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared(defaults=True)],
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"tessera {VERSION}")
    commands = Commands(top)
    for group in GROUPS:
        group(commands)
    return top


def _var(call: Call | None) -> Path | None:
    """Where the workspace's own files lie, if there is one."""
    try:
        return call.root / "var" if call else None
    except (TesseraError, OSError):
        return None
