"""Apache Flink for tests, in the environment that `make flink` makes."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def flink() -> Path:
    """The Python of Flink's own environment, made if it is not there. Skips without Java."""
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        pytest.skip("Flink needs Java: apt-get install openjdk-17-jre-headless")
    with (Path(tempfile.gettempdir()) / "tessera-make-flink.lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", "flink"], cwd=PROJECT, check=True, timeout=1200)
    return PROJECT / ".flink" / "bin" / "python"


def job(*arguments: str | Path) -> list[str]:
    """The command line of a job."""
    return [str(flink()), "-m", "tessera.doors.stream", *map(str, arguments)]
