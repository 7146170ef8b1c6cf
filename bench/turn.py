"""A full turn and a 1 % turn: seconds, CPU seconds and peak memory by stage.

`python bench/turn.py DIR` after `python bench/world.py DIR --people N`. Prints one JSON line a stage, and the sums.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import world
from tessera.app import App


def peak_gb() -> float:
    """The peak of resident memory since the last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


@contextmanager
def stage(name: str, log: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Measures a block."""
    Path("/proc/self/clear_refs").write_text("5")
    wall, cpu = time.perf_counter(), time.process_time()
    found: dict[str, Any] = {}
    yield found
    entry = {
        "stage": name, "s": round(time.perf_counter() - wall, 2), "cpu": round(time.process_time() - cpu, 2),
        "peak_gb": round(peak_gb(), 2), **found,
    }  # fmt: skip
    log.append(entry)
    print(json.dumps(entry), flush=True)


def turned(app: App, name: str) -> dict[str, Any]:
    """One turn, source by source, then the steps."""
    log: list[dict[str, Any]] = []
    with app.landing.session():  # one for all sources, as a turn has it
        for source in app.config.sources:
            with stage(f"{name}: land {source.name}", log) as found:
                landed = app.sync([source.name])[source.name]
                found["rows"] = getattr(landed, "rows", str(landed))
                found["kept"] = getattr(landed, "kept", 0)
    with stage(f"{name}: steps", log) as found:
        _, done = app.turn(sync=False)
        found.update({k: v["seconds"] for k, v in done.ran.items()})
    total = {"stage": name, **{k: round(sum(e[k] for e in log), 1) for k in ("s", "cpu")}}
    total["peak_gb"] = max(e["peak_gb"] for e in log)
    print(json.dumps(total), flush=True)
    return total


def main() -> None:
    """Runs both turns on one workspace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--memory", default="2500MB")
    asked = parser.parse_args()
    acme = world.workspace(asked.dir, asked.memory)
    with App(acme, doing="bench") as app:
        turned(app, "full turn")
        world.more(asked.dir)
        turned(app, "1 % turn")


if __name__ == "__main__":
    main()
