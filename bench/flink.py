"""The same events through plain Python and through Apache Flink: throughput, and how long an event waits for its decision.

Run in Flink's environment: `.flink/bin/python bench/flink.py [--many 100000] [--rate 500] [--seconds 20]`. One JSON line for each
figure. Throughput of a job is told without its start: what a longer run takes more than a short one. Latency is of events that come
one at a time, at a rate, from the moment that the source has the line to the moment that the decision has left `decide`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "doors"))

import given_stream

from tessera.action.keyed import Keyed, Setting, answers, person_of
from tessera.doors.stream import Job, decided, environment, run, written


def tell(what: str, **figures: float | int | str) -> None:
    """Prints a line."""
    print(json.dumps({"what": what, **{k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()}}), flush=True)


def share(some: list[float], part: float) -> float:
    """The value under which that part of them lies."""
    return sorted(some)[min(len(some) - 1, int(len(some) * part))]


def plain(setting: Setting, lines: list[str]) -> None:
    """Throughput and time of each event, in this process; the best of three."""
    best = None
    for _ in range(3):
        keyed, states, took = Keyed(setting), dict[str, str | None](), list[float]()
        began, cpu = time.perf_counter(), time.process_time()
        for line in lines:
            at = time.perf_counter_ns()
            person = person_of(line)
            states[person], _told = keyed.line(states.get(person), line)
            took.append((time.perf_counter_ns() - at) / 1e6)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        if best is None or cpu < best[1]:
            best = (wall, cpu, took)
    wall, cpu, took = best
    tell(
        "plain Python, unpaced", events=len(lines), per_s=len(lines) / wall, per_cpu_s=len(lines) / cpu, p50_ms=share(took, 0.5),
        p99_ms=share(took, 0.99),
    )


def paced(setting: Setting, lines: list[str], rate: float) -> None:
    """Time of each event that comes at a rate, in this process."""
    keyed, states, took = Keyed(setting), dict[str, str | None](), list[float]()
    began = time.time()
    for number, line in enumerate(lines):
        time.sleep(max(0.0, began + number / rate - time.time()))
        at = time.time_ns()
        person = person_of(line)
        states[person], told = keyed.line(states.get(person), line)
        if told:
            took.append((time.time_ns() - at) / 1e6)
    tell("plain Python, paced", rate=rate, decisions=len(took), p50_ms=share(took, 0.5), p99_ms=share(took, 0.99))


def job(root: Path, setting: Path, lines: list[str], tasks: int, mode: str, tag: str) -> tuple[float, float, list[str]]:
    """A job's seconds, those of CPU of the JVM, and its decisions."""
    events = root / f"{tag}.jsonl"
    events.write_text("".join(line + "\n" for line in lines), "utf-8")
    to, options = root / f"{tag}-to", {"python.execution-mode": mode}
    took_ms = run(
        Job(setting=setting, events=str(events), to=str(to), checkpoints=root / "chk", parallelism=tasks, options=options)
    )
    return took_ms / 1000, jvm_cpu_s(), list(written(to))


def jvm_cpu_s() -> float:
    """Seconds of CPU of the JVM that this process has started, and of what ran in it."""
    found = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(") ")
        except OSError:
            continue
        fields = rest.split()
        if "(java" in name and int(fields[1]) == os.getpid():
            found += (int(fields[11]) + int(fields[12])) / 100
    return found


def flink(setting: Setting, lines: list[str], root: Path, tasks: int, mode: str, short: int) -> None:
    """Throughput of a job, without its start, and whether it decides as plain Python."""
    file = root / "setting.json"
    file.write_bytes(msgspec.json.encode(setting))
    first_s, cpu0, _ = job(root, file, lines[:short], tasks, mode, f"short-{mode}-{tasks}")
    whole_s, cpu1, found = job(root, file, lines, tasks, mode, f"whole-{mode}-{tasks}")
    more = len(lines) - short
    tell(
        f"Flink, {mode}, {tasks} task(s)", events=len(lines), whole_s=whole_s, per_s=len(lines) / whole_s,
        per_s_without_start=more / max(1e-9, whole_s - first_s), jvm_cpu_s=cpu1 - cpu0,
        same=str(sorted(found) == sorted(answers(setting, lines))),
    )


def waits(setting: Setting, lines: list[str], root: Path, rate: float, mode: str, options: dict[str, str]) -> None:
    """Time from source to decision within a job, of events that come at a rate."""
    from pyflink.common import Types, WatermarkStrategy
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource

    env = environment(
        Job(setting=root, events="", to="", checkpoints=root / "chk", options={"python.execution-mode": mode, **options})
    )
    began: list[float] = []

    def sent(number: int) -> str:
        if not began:
            began.append(time.time() - number / rate)
        time.sleep(max(0.0, began[0] + number / rate - time.time()))
        head, _, rest = lines[number].partition('"id":"')
        return f'{head}"id":"{time.time_ns()}@{rest}' if rest else lines[number]

    def waited(answer: str) -> str:
        now, stamp = time.time_ns(), answer.partition('"event":"')[2].partition("@")[0]
        return str((now - int(stamp)) / 1e6)

    numbers = env.from_source(NumberSequenceSource(0, len(lines) - 1), WatermarkStrategy.no_watermarks(), "numbers")
    told = decided(numbers.map(sent, output_type=Types.STRING()), setting).map(waited, output_type=Types.STRING())
    with told.execute_and_collect("waits") as found:
        took = [float(one) for one in found]
    settled = took[len(took) // 4 :]
    tell(
        f"Flink, {mode}, paced", rate=rate, decisions=len(settled), p50_ms=share(settled, 0.5), p99_ms=share(settled, 0.99),
        **{name.rpartition(".")[2]: value for name, value in options.items()},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=20)
    told = parser.parse_args()
    setting, lines = given_stream.setting(), list(given_stream.lines(told.many))
    some = lines[: int(told.rate * told.seconds)]
    with tempfile.TemporaryDirectory(prefix="flink-bench-") as folder:
        root = Path(folder)
        plain(setting, lines)
        paced(setting, some, told.rate)
        flink(setting, lines, root, 1, "thread", told.many // 5)
        flink(setting, lines, root, 2, "thread", told.many // 5)
        waits(setting, some, root, told.rate, "thread", {})
        waits(setting, some, root, told.rate, "thread", {"execution.buffer-timeout.interval": "0 ms"})
        plain(setting, lines)
        flink(setting, lines[: told.many // 5], root, 1, "process", told.many // 20)


if __name__ == "__main__":
    main()
