"""A long run of the server: does it stay flat? Memory, latency and the journals, while turns land what comes.

Run: SOAK_S=3600 PYTHONPATH=src python bench/soak.py. Sends 500 events (SOAK_RATE) of 20,000 people who stay the same, or a
share of them (SOAK_NEW) with a new cookie, and asks for a tenth as many decisions a second for so long, the live engine on,
takes a turn each 60 s beside the server, and prints a line a minute. Ends with 1 if the server's memory has grown by 5 % or more after the first fifth of the time,
if any request failed, or if what lies in the lake at the end is not what was acknowledged.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from decide import asked, workspace
from live import load, process, tell

RATE = float(os.environ.get("SOAK_RATE", "500"))
NEW = float(os.environ.get("SOAK_NEW", "0"))
ASKED = RATE / 10
PEOPLE = 20_000
VIEWS, WITHIN = 15, "10m"
"""So that nothing which is bounded is still filling: each product has all its neighbours, decisions are forgotten early on."""
ROUND_S = 60.0


def memory_mb(pid: int) -> float:
    """What a process has of the memory."""
    (line,) = [one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def lands(root: Path) -> None:
    """A turn beside the server."""
    words = [sys.executable, "-m", "tessera", "-w", str(root), "--wait", "60", "turn", "-q"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main(seconds: float) -> int:
    """The soak; the exit code."""
    from tessera.app import App
    from tessera.lake.engine import rows

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "w"
        key, api_key = workspace(root, PEOPLE, VIEWS, WITHIN)
        memory, sent, failed, started = list[tuple[float, float]](), 0.0, 0.0, time.monotonic()
        answered = 0.0
        with process("-m", "tessera", "-w", str(root), "serve", "--plain-http", "--port", "0", "--json") as (port, pid):
            while (at := time.monotonic() - started) < seconds:
                left = min(ROUND_S, seconds - at)
                with ThreadPoolExecutor(1) as beside:
                    asking = beside.submit(asked, port, api_key, PEOPLE, left, ASKED)
                    told = load(port, key, left, PEOPLE, rate=RATE, connections=32, new=NEW)
                    decided = asking.result()
                sent, failed = sent + told["answered"], failed + told["failed"] + decided["failed"]
                answered += decided["answered"]
                memory.append((at, memory_mb(pid)))
                lands(root)
                tell(f"after {time.monotonic() - started:.0f} s", memory_mb=memory_mb(pid), sent=sent, decide_p99_ms=decided["p99_ms"], **told)
        lands(root)
        with App(root) as app:
            events = app.lake.relation("events")
            ((found, ids),) = rows(
                app.con, f"SELECT count(*), count(DISTINCT message_id) FROM {events} WHERE source = 'web'"
            )
            decisions = app.lake.rows("decisions")
        warm = [mb for at, mb in memory if at >= seconds / 5]
        growth = max(warm) / warm[0] - 1 if warm else 0.0
        tell("soak", seconds=seconds, sent=sent, failed=failed, landed=found, answered=answered, decisions=decisions, memory_growth_percent=growth * 100)
        return int(growth >= 0.05 or failed > 0 or found != ids or found < sent or decisions < answered)


if __name__ == "__main__":
    sys.exit(main(float(os.environ.get("SOAK_S", "3600"))))
