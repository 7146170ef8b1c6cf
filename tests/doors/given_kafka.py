"""A real Kafka for tests, one broker on this machine, of what Maven fetches for deploy/flink/pom.xml."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from given_flink import PROJECT

from given_node import free_port

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{inner}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{inner}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
"""


@dataclass(frozen=True)
class Kafka:
    """A running broker."""

    brokers: str
    jars: Path

    def make(self, topic: str, partitions: int) -> None:
        """A new topic."""
        self._tool("TopicCommand", "--create", "--topic", topic, "--partitions", str(partitions))

    def send(self, topic: str, keyed: Sequence[tuple[str, str]]) -> None:
        """Sends lines, each with its key: those of one key go to one partition, in their order."""
        text = "".join(f"{key}\t{line}\n" for key, line in keyed)
        keys = ("--property", "parse.key=true", "--property", "key.separator=\t")
        self._tool("ConsoleProducer", "--topic", topic, *keys, given=text)

    def committed(self, topic: str, many: int) -> list[str]:
        """So many lines of a topic, of those that count; fewer if no more come for ten seconds, one more if there is one."""
        return self._tool(
            "consumer.ConsoleConsumer", "--topic", topic, "--isolation-level", "read_committed", "--from-beginning",
            "--timeout-ms", "10000", "--max-messages", str(many + 1), quiet=True,
        ).splitlines()  # fmt: skip

    def end(self, topic: str) -> int:
        """How many records a topic of one partition has, with the marks of transactions."""
        told = self._tool("GetOffsetShell", "--topic", topic)
        return int(told.strip().rpartition(":")[2])

    def _tool(self, name: str, *arguments: str, given: str = "", quiet: bool = False) -> str:
        command = ["java", "-Xmx256m", "-cp", f"{self.jars}/*", f"org.apache.kafka.tools.{name}"]
        command += ["--bootstrap-server", self.brokers, *arguments]
        done = subprocess.run(command, input=given.encode(), capture_output=True, timeout=120, check=False)
        # The consumer ends by its own time limit, which it calls a failure.
        assert quiet or done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


@contextmanager
def kafka(root: Path) -> Iterator[Kafka]:
    """A broker with its files below a folder. Skips without Java, or where Maven does not reach its repository."""
    if not (shutil.which("java") and shutil.which("mvn")):
        pytest.skip("Kafka needs Java and Maven: apt-get install openjdk-17-jre-headless maven")
    jars, settings, port, inner = root / "jars", root / "server.properties", free_port(), free_port()
    fetch = ["mvn", "-q", "-B", "-f", str(PROJECT / "deploy" / "flink" / "pom.xml"), "dependency:copy-dependencies"]
    if subprocess.run([*fetch, "-DincludeScope=provided", f"-DoutputDirectory={jars}"], check=False, timeout=600).returncode:
        pytest.skip("Maven does not reach its repository, which has Kafka")
    settings.write_text(PROPERTIES.format(port=port, inner=inner, logs=root / "logs"), "utf-8")
    java = ["java", "-Xmx512m", "-cp", f"{jars}/*"]
    named = [*java, "kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", str(settings)]
    subprocess.run(named, check=True, capture_output=True, timeout=60)
    with (root / "broker.log").open("wb") as log:
        running = subprocess.Popen([*java, "kafka.Kafka", str(settings)], stdout=log, stderr=log)
    try:
        made = Kafka(f"127.0.0.1:{port}", jars)
        _awaited(made, running)
        yield made
    finally:
        running.terminate()
        running.wait(30)


def _awaited(made: Kafka, running: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while True:
        assert running.poll() is None and time.monotonic() < until, "Kafka did not start"
        try:
            return made.make("ready", 1)
        except (AssertionError, subprocess.TimeoutExpired):
            time.sleep(0.5)
