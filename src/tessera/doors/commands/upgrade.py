"""`tessera upgrade`: a workspace of an older Tessera becomes one of this."""

from __future__ import annotations

from tessera.doors.call import Call, Commands


def add(commands: Commands) -> None:
    """Declares it."""
    upgrade = commands.add(
        "upgrade",
        _upgrade,
        "bring a workspace that an older Tessera made to the present format",
        ["upgrade --dry-run", "upgrade"],
        "What is derived is made anew; raw tables, vault and ledger stay. It can be stopped at any time, and goes on from\n"
        "there when it is run again. Make a backup with the older Tessera first: there is no way back.",
    )
    upgrade.add_argument("--dry-run", action="store_true", help="say what it would do, and do nothing")


def _upgrade(call: Call) -> int:
    from tessera.upgrade import upgrade

    with call.progress() as progress:
        done = upgrade(call.root, dry_run=call.args.dry_run, wait_s=call.args.wait, progress=progress)

    def draw() -> None:
        if done.found == done.made:
            call.show.line(f"The workspace has the present format ({done.made}).")
            return
        verb = "would be" if call.args.dry_run else "is"
        call.show.line(f"The workspace {verb} brought from format {done.found} to {done.made}.")
        call.show.line(f"Made anew: {', '.join(done.remade)}, and what is made from it.")

    document = {"from": done.found, "to": done.made, "remade": list(done.remade), "dry_run": call.args.dry_run}
    call.show.answer(document, draw)
    return 0
