"""The live engine's fold and decide on Apache Flink: the decisions are those of plain Python, line by line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import given_stream
import msgspec
import pytest
from given_flink import job
from given_kafka import kafka

from tessera.action.keyed import Setting, answers, person_of
from tessera.doors.stream import newest, written

MANY = 50_000


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[str]]:
    """The setting's file, the file of events, and what plain Python decides."""
    root = tmp_path_factory.mktemp("stream")
    setting, events = root / "setting.json", root / "events.jsonl"
    setting.write_bytes(msgspec.json.encode(given_stream.setting()))
    events.write_text("".join(line + "\n" for line in given_stream.lines(MANY)), "utf-8")
    read = msgspec.json.decode(setting.read_bytes(), type=Setting)
    return setting, events, list(answers(read, events.read_text("utf-8").splitlines()))


def by_person(lines: list[str]) -> dict[str, list[str]]:
    """Each one's decisions, in their order."""
    told = defaultdict(list)
    for line in lines:
        told[json.loads(line)["person"]].append(line)
    return dict(told)


def killed(command: list[str], when: Callable[[], bool]) -> None:
    """Starts a job and kills it, JVM and all, as soon as something holds."""
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    until = time.monotonic() + 180
    while not when():
        assert running.poll() is None and time.monotonic() < until, "the job ended before it could be killed"
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


@pytest.mark.heavy
def test_flink_decides_as_plain_python_for_fifty_thousand_events(told: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    setting, events, expected = told
    for tasks in (1, 2):
        to = tmp_path / f"by-{tasks}"
        command = job(
            "--setting", setting, "--events", events, "--to", to, "--checkpoints", tmp_path / "chk", "--parallelism", tasks
        )
        subprocess.run(command, check=True, timeout=300, capture_output=True)
        found = list(written(to))
        assert by_person(found) == by_person(expected)
        assert tasks > 1 or found == expected
    assert len(expected) > MANY // 2
    assert {json.loads(line)["decision"]["by"] for line in expected} == {"learned", "explored", "control", "nothing_left"}


@pytest.mark.heavy
def test_a_job_that_is_killed_goes_on_from_its_checkpoint(told: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    setting, events, expected = told
    kept, to = tmp_path / "chk", tmp_path / "to"
    command = job(
        "--setting", setting, "--events", events, "--to", to, "--checkpoints", kept, "--checkpoint-s", "1"
    )
    killed(command, lambda: to.is_dir() and any(written(to)))
    before = list(written(to))
    assert 0 < len(before) < len(expected) and newest(kept)
    subprocess.run([*command, "--resume"], check=True, timeout=300, capture_output=True)
    found = list(written(to))
    assert found[: len(before)] == before and found == expected


@pytest.mark.heavy
def test_a_killed_job_has_each_decision_once_in_kafka(told: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    setting, events, _ = told
    lines = events.read_text("utf-8").splitlines()[:20_000]
    expected = list(answers(msgspec.json.decode(setting.read_bytes(), type=Setting), lines))
    with kafka(tmp_path / "kafka") as broker:
        broker.make("events", 2)
        broker.make("decisions", 1)
        broker.send("events", [(person_of(line), line) for line in lines])
        command = job(
            "--setting", setting, "--brokers", broker.brokers, "--events", "events", "--to", "decisions",
            "--checkpoints", tmp_path / "chk", "--checkpoint-s", "1",
        )  # fmt: skip
        killed(command, lambda: broker.end("decisions") > 0)
        before = broker.end("decisions")
        killed([*command, "--resume", "--follow"], lambda: len(broker.committed("decisions", len(expected))) == len(expected))
        found = broker.committed("decisions", len(expected))
        assert by_person(found) == by_person(expected) and before < broker.end("decisions")


def test_what_a_stream_runs_loads_no_engine() -> None:
    probe = """import sys, tessera.doors.stream
print(sorted({'duckdb', 'numpy', 'pyarrow', 'deltalake', 'yaml', 'pyroaring'} & set(sys.modules)))"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True, env=env)
    assert found.stdout.strip() == "[]"
