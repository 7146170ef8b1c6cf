"""deploy/: the unit is one that systemd takes, and both run as nobody that matters, with no address and no secret in them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tessera.doors.cli import parser

DEPLOY = Path(__file__).parents[1] / "deploy"
UNIT, CONTAINER = (DEPLOY / name for name in ("tessera.service", "Containerfile"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit_and_finds_it_closed(tmp_path: Path) -> None:
    there = tmp_path / UNIT.name
    there.write_text(UNIT.read_text("utf-8").replace("/opt/tessera/bin/tessera", "/bin/true"), "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(there)], capture_output=True, text=True, check=False)
    if "Failed to" in done.stderr and "manager" in done.stderr:
        pytest.skip("systemd-analyze cannot work in here")
    assert (done.returncode, done.stderr.strip()) == (0, "")
    words = ["systemd-analyze", "security", "--offline=true", str(there)]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    level = re.search(r"exposure level for \S+: (\d+\.\d+)", told.stdout)
    assert level and float(level.group(1)) <= 2.0


@pytest.mark.parametrize("file", [UNIT, CONTAINER], ids=lambda f: f.name)
def test_it_holds_no_address_and_no_secret(file: Path) -> None:
    text = file.read_text("utf-8")
    assert not re.search(r"https?://|\b\d{1,3}(\.\d{1,3}){3}\b(?<!0\.0\.0\.0)|index-url|password|MASTER_KEY=", text, re.I)


def test_the_commands_in_them_are_commands_of_ours() -> None:
    line = next(row for row in UNIT.read_text("utf-8").splitlines() if row.startswith("ExecStart="))
    words = line.partition("=")[2].split()[1:]
    assert parser().parse_args(words).command == "serve"
    made = CONTAINER.read_text("utf-8")
    entry, command = (re.search(rf"^{name} (\[.*\])$", made, re.M) for name in ("ENTRYPOINT", "CMD"))
    assert entry and command
    words = [*json.loads(entry.group(1))[1:], *json.loads(command.group(1))]
    assert parser().parse_args(words).command == "serve"


def test_the_image_has_what_runs_and_nothing_that_only_tests_need() -> None:
    made = CONTAINER.read_text("utf-8")
    assert " -r requirements.lock" not in made and "-c requirements.lock" in made
    extras = re.search(r"^ARG EXTRAS=([\w,]+)$", made, re.M)
    assert extras and set(extras.group(1).split(",")) == {"postgres", "chain"}


def test_the_image_has_two_stages_and_its_process_is_not_root() -> None:
    lines = CONTAINER.read_text("utf-8").splitlines()
    stages = [n for n, row in enumerate(lines) if row.startswith("FROM ")]
    users = [row.split()[1] for row in lines[stages[-1] :] if row.startswith("USER ")]
    assert len(stages) == 2 and users and users[-1].partition(":")[0] not in ("0", "root")
