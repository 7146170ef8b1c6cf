"""`tessera init` and `tessera demo`: a workspace of one's own, and one that is filled already."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands
from tessera.doors.commands.key import COUNT, THRESHOLD, carry_away
from tessera.doors.show import many
from tessera.errors import BadInput

if TYPE_CHECKING:
    from tessera.app import App

PEOPLE, SEED = 5_000, 7
_MAY_BE_THERE = {"world", ".git"}


def add(commands: Commands) -> None:
    """Declares both."""
    init = commands.add(
        "init",
        _init,
        "write a new workspace into a new or empty folder, with a master key and its recovery shares",
        ["init acme", "init . --json", "init acme --k 3 --n 5", "init acme --no-shares"],
        "The shares are files in var/keys/shares: take each to another place or person. Any K of them rebuild the master\n"
        "key, fewer tell nothing. Where TESSERA_MASTER_KEY is set, neither key nor shares are made.",
    )
    init.add_argument("dir", metavar="DIR", help="a new or empty folder")
    init.add_argument("--k", type=int, default=THRESHOLD, metavar="K", help=f"shares that rebuild it (default: {THRESHOLD})")
    init.add_argument("--n", type=int, default=COUNT, metavar="N", help=f"shares to make (default: {COUNT})")
    init.add_argument("--no-shares", action="store_true", help="make none now; later: tessera key shares")
    demo = commands.add(
        "demo",
        _demo,
        "make a made-up shop, fill a workspace from it and run a whole turn",
        ["demo", "demo /tmp/shop --people 20000 --seed 3", "demo --people 200 --json", "demo --serve"],
        "The shop's files lie in DIR/world, the truth about its people in DIR/world/truth; the workspace is DIR. "
        "The same\npeople and seed give the same shop. With --serve its server goes on in the background, for this machine "
        "alone, until\n`tessera stop` or an hour without anybody; the last line is a link to a customer's page.",
    )
    demo.add_argument("dir", metavar="DIR", nargs="?", default="demo", help="a new or empty folder (default: ./demo)")
    demo.add_argument(
        "--people", type=_people, default=PEOPLE, metavar="N", help=f"how many people (default: {PEOPLE})"
    )
    demo.add_argument(
        "--seed", type=int, default=SEED, metavar="S", help=f"another seed, another shop (default: {SEED})"
    )
    demo.add_argument("--serve", action="store_true", help="then start its server in the background, and print a link to it")


def _init(call: Call) -> int:
    from tessera.scaffold import init
    from tessera.trust.shares import ways

    root = Path(call.args.dir)
    ways(call.args.k, call.args.n)
    written = [str(p.relative_to(root.absolute())) for p in init(root)]
    shares = _shared(call, root.absolute())

    def draw() -> None:
        call.show.line(str(root))
        call.show.note(
            f"Wrote {', '.join(written)}. Next: write a contract into {root}/sources (an example lies there), then"
        )
        call.show.note(f"  tessera -w {root} source check\n  tessera -w {root} turn")
        if shares:
            call.show.note(f"Any {call.args.k} recovery shares rebuild the master key in {root}/var/keys if it is lost.")
        carry_away(call, shares)
        if "TESSERA_MASTER_KEY" in os.environ:
            call.show.note("The master key comes from TESSERA_MASTER_KEY. For recovery shares of it: tessera key shares")

    call.show.answer({"workspace": str(root.absolute()), "files": written, "shares": shares}, draw)
    return 0


def _shared(call: Call, root: Path) -> list[str]:
    """The files of the new master key's shares; none where it comes from outside, or none are wanted."""
    if call.args.no_shares or "TESSERA_MASTER_KEY" in os.environ:
        return []
    from tessera import keyring
    from tessera.app import App

    with App(root, wait_s=call.args.wait, doing="tessera init") as app:
        return [str(p) for p in keyring.share(app, call.args.k, call.args.n)]


def _demo(call: Call) -> int:
    root = Path(call.args.dir)
    if (root / "tessera.yaml").is_file():
        return _there(call, root)
    there = sorted(p.name for p in root.iterdir()) if root.is_dir() else []
    if root.exists() and not root.is_dir():
        raise BadInput(f"{root} is a file. Name a new or empty folder: tessera demo DIR")
    if others := [n for n in there if n not in _MAY_BE_THERE]:
        raise BadInput(f"{root} is not empty (it has {', '.join(others[:3])}). Name a new folder: tessera demo DIR")
    if call.args.seed < 0:
        raise BadInput("A seed is a whole number from 0.")
    return _made(call, root)


def _made(call: Call, root: Path) -> int:
    from tessera.app import App
    from tessera.demo import earlier, workspace, world

    started = time.monotonic()
    opens = partial(App, root.absolute(), wait_s=call.args.wait, doing="tessera demo")
    with call.progress() as progress:
        rows = world.make(root / "world", call.args.people, call.args.seed, progress)
        workspace.write(root)
        with earlier.earlier(root), opens() as app:
            app.sync(earlier.SOURCES, progress)
            app.turn(sync=False, progress=progress)
        with opens() as app:
            landed, done = app.turn(progress=progress)
            figures = _figures(app)
            opened = _opened(call, app)
    failed = {name: str(one) for name, one in landed.items() if isinstance(one, Exception)}
    seconds = round(time.monotonic() - started, 1)
    document = {
        "workspace": str(root.absolute()),
        "made": True,
        "seconds": seconds,
        "people": rows.people,
        "seed": call.args.seed,
        "figures": figures,
        "steps": sorted(done.ran),
        "failed": failed,
    }
    _answered(call, root, document, opened, lambda: _told(call, root, figures, seconds))
    for name, why in failed.items():
        call.show.note(f"warning: {name}: {why}")
    return 1 if failed else 0


def _opened(call: Call, app: App) -> tuple[str, int | None] | None:
    """What opens the pages, and at whom; None where none were asked for."""
    if not call.args.serve:
        return None
    from tessera.doors import opening, shown

    return opening.mint(app, app.me), shown.worth(app)


def _answered(
    call: Call, root: Path, document: dict[str, Any], opened: tuple[str, int | None] | None, draw: Callable[[], None]
) -> None:
    """The answer; where the pages were asked for, with the link to them behind all else."""
    served = None
    if opened is not None:
        from tessera.doors import shown

        served = shown.served(root.absolute(), *opened)
        note = served.started.note
        document |= {"serving": {"url": note.url, "pid": note.pid, "link": served.link, "person": served.person}}

    def drawn() -> None:
        draw()
        if served is not None:
            call.show.note("")
            call.show.note(f"Its server runs in the background at {served.started.note.url}; it ends by itself after an hour")
            call.show.note(f"without anybody, or with: tessera -w {root} stop. Another link: tessera -w {root} open")
            call.show.note("This link works once, within ten minutes:")
            call.show.line(served.link)

    call.show.answer(document, drawn)


def _there(call: Call, root: Path) -> int:
    """A demo that is there already is told of and left alone; another workspace is refused."""
    counts = root / "world" / "truth" / "counts.json"
    if not counts.is_file():
        raise BadInput(f"{root} is a workspace of yours, and no demo. Name another folder: tessera demo DIR")
    from tessera.app import App
    from tessera.demo import earlier

    earlier.back(root)  # where the making was killed
    facts = json.loads(counts.read_text("utf-8"))
    with App(root.absolute(), wait_s=call.args.wait, doing="tessera demo") as app:
        figures = _figures(app)
        opened = _opened(call, app)
    document = {
        "workspace": str(root.absolute()),
        "made": False,
        "seconds": 0.0,
        "people": facts["people"],
        "seed": facts["seed"],
        "figures": figures,
        "steps": [],
        "failed": {},
    }

    def draw() -> None:
        call.show.line(
            f"{root} holds a demo already, of {many(facts['people'], 'person', 'people')} (seed {facts['seed']})."
        )
        _told(call, root, figures, None)
        call.show.note(f"  rm -r {root} && tessera demo {root}    to make it anew")

    _answered(call, root, document, opened, draw)
    return 0


def _figures(app: App) -> dict[str, int]:
    """Rows of each table that people may ask for, from the log alone, and what waits in quarantine."""
    found = {t: app.lake.rows(t) for t in app.gate.presented() if app.lake.version(t) is not None}
    return found | {"quarantine": len(app.quarantine.listed())}


def _told(call: Call, root: Path, figures: dict[str, int], seconds: float | None) -> None:
    show = call.show
    if seconds is not None:
        show.line(f"The shop stands in {root}, made and filled in {seconds:.0f} s.")
    show.table(["table", "rows"], sorted(figures.items()))
    show.note("")
    show.note("Try next:")
    for line in (
        f"cd {root}",
        'tessera sql "SELECT country, count(*) AS people FROM profiles GROUP BY country ORDER BY people DESC"'
        " --role analyst --purpose analytics",
        'tessera sql "SELECT name, email FROM profiles LIMIT 3" --role service --purpose operate',
        "tessera person show 1 --role service --purpose operate",
        "tessera person erase 1 --dry-run",
        "tessera decide --person 3 --explain",
        "tessera churn --person 3",
        "tessera attribution",
        "tessera quarantine list --limit 5",
        "tessera ledger verify",
    ):
        show.note(f"  {line}")


def _people(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of people from 1 to 10,000,000")
    return number
