"""Apache Flink: the live engine's `fold` and `decide` within a keyed stream, from files or Kafka to files or Kafka.

Run by the Python of Flink's own environment (`make flink`), whose pins exclude ours: nothing here imports more at its top
than `action.keyed` does. Where the state lies on several machines, this is the engine; on one, `tessera serve` answers
sooner. What is the same and what is not: docs/flink.md.
"""

from __future__ import annotations

import os
import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tessera.action.keyed import Keyed, Setting, person_of
from tessera.errors import BadInput, TesseraError

if TYPE_CHECKING:
    from pyflink.datastream import DataStream, StreamExecutionEnvironment

LINGER_MS = 5
"""How long a record waits for others on its way to the task that has its person's state."""

TRANSACTION_MS = 600_000
"""After how long a broker gives up what an unfinished checkpoint has written; brokers allow 15 minutes."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job. setting: the file of a `Setting`. events: a file or a folder of files with one line per event, or, where brokers
    are given, a topic. to: a folder, or a topic. checkpoints: a folder; what is written counts from one checkpoint to the next.
    follow: goes on for ever; else it ends with what is there now. resume: from the last checkpoint in the folder. options: of
    Flink itself."""

    setting: Path
    events: str
    to: str
    checkpoints: Path
    brokers: str = ""
    parallelism: int = 1
    checkpoint_s: float = 10.0
    follow: bool = False
    resume: bool = False
    options: dict[str, str] = field(default_factory=dict)


def run(job: Job) -> int:
    """Runs a job to its end; how many milliseconds Flink was at it. Raises BadInput for a setting, a checkpoint or an
    environment that is not there."""
    setting = read(job.setting)
    env = environment(job)
    decided(lines(env, job), setting).sink_to(_sink(job)).name("decisions").uid("decisions")
    return int(env.execute("tessera decisions").get_net_runtime())


def read(path: Path) -> Setting:
    """A setting's file. Raises BadInput."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Setting)
    except OSError:
        raise BadInput(f"{path} cannot be read: expected a setting as docs/flink.md says.") from None
    except msgspec.MsgspecError as no:
        raise BadInput(f"{path} is no setting as docs/flink.md says: {no}.") from None


def environment(job: Job) -> StreamExecutionEnvironment:
    """Flink, as a job asks for it. Raises BadInput."""
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise BadInput("Flink needs Java 17 or 11, and there is none. Debian: apt-get install openjdk-17-jre-headless")
    # Python within the JVM knows nothing of this virtual environment; the JVM hands the variable on.
    os.environ["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    try:
        from pyflink.common import Configuration
        from pyflink.datastream import CheckpointingMode, StreamExecutionEnvironment
    except ImportError:
        raise BadInput("Flink is not in this environment. Run `make flink`, and this with .flink/bin/python.") from None
    told = {
        # Within the JVM: a tenth of the time that a process of its own takes, whose records go to and fro in bundles.
        "python.execution-mode": "thread",
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "execution.buffer-timeout.interval": f"{LINGER_MS} ms",
        "execution.checkpointing.dir": job.checkpoints.absolute().as_uri(),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": "3",
        "restart-strategy.fixed-delay.delay": "1 s",
        **job.options,
    }
    if job.resume:
        if job.brokers and not job.follow:
            # The connector (5.0) tells a restarted job of no end, so it would wait for ever all the same.
            raise BadInput("A job that goes on from a checkpoint follows its topic: add --follow.")
        told["execution.state-recovery.path"] = newest(job.checkpoints).absolute().as_uri()
    settings = Configuration()
    for name, value in told.items():
        settings.set_string(name, value)
    env = StreamExecutionEnvironment.get_execution_environment(settings)
    env.set_parallelism(job.parallelism)
    env.enable_checkpointing(int(job.checkpoint_s * 1000), CheckpointingMode.EXACTLY_ONCE)
    if job.brokers:
        env.add_jars(*(path.as_uri() for path in _jars()))
    return env


def lines(env: StreamExecutionEnvironment, job: Job) -> DataStream:
    """The stream of lines. A person's lines keep their order within one file or one partition of a topic; Flink promises none
    between two."""
    from pyflink.common import Duration, SimpleStringSchema, WatermarkStrategy
    from pyflink.datastream.connectors.file_system import FileSource, StreamFormat
    from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaSource

    if job.brokers:
        # A first start takes the topic from its beginning; later ones go on from their checkpoint.
        topic = KafkaSource.builder().set_bootstrap_servers(job.brokers).set_topics(job.events).set_group_id("tessera")
        topic = topic.set_starting_offsets(KafkaOffsetsInitializer.earliest()).set_value_only_deserializer(SimpleStringSchema())
        if not job.follow:
            topic = topic.set_bounded(KafkaOffsetsInitializer.latest())
        made: Any = topic.build()
    else:
        path = Path(job.events).absolute()
        if not path.exists():
            raise BadInput(f"{job.events} is not there: expected a file or a folder of files with one event per line.")
        files = FileSource.for_record_stream_format(StreamFormat.text_line_format(), path.as_uri())
        made = (files.monitor_continuously(Duration.of_seconds(1)) if job.follow else files).build()
    return env.from_source(made, WatermarkStrategy.no_watermarks(), "events").uid("events")


def decided(told: DataStream, setting: Setting) -> DataStream:
    """Lines -> decisions, each a line: by person, with her state kept by Flink."""
    from pyflink.common import Types
    from pyflink.datastream import KeyedProcessFunction
    from pyflink.datastream.state import ValueStateDescriptor

    text = msgspec.json.encode(setting).decode()

    class Decide(KeyedProcessFunction):  # type: ignore[misc]
        def open(self, context: Any) -> None:
            self.keyed = Keyed(msgspec.json.decode(text, type=Setting))
            # As text: a state of bytes that is empty yet cannot be read within the JVM (PyFlink 2.3).
            self.state = context.get_state(ValueStateDescriptor("person", Types.STRING()))

        def process_element(self, value: str, ctx: Any) -> Iterator[str]:
            after, answers = self.keyed.line(self.state.value(), value)
            if after is None:
                self.state.clear()
            else:
                self.state.update(after)
            yield from answers

    by_person = told.key_by(person_of, key_type=Types.STRING())
    return by_person.process(Decide(), output_type=Types.STRING()).name("decide").uid("decide")


def newest(folder: Path) -> Path:
    """The last whole checkpoint below a folder. Raises BadInput if there is none."""
    whole = [path.parent for path in folder.glob("*/chk-*/_metadata")]
    if not whole:
        raise BadInput(f"{folder} holds no checkpoint: start without --resume.")
    return max(whole, key=lambda path: ((path / "_metadata").stat().st_mtime_ns, path.name))


def written(folder: Path) -> Iterator[str]:
    """The decisions that a job has written into a folder and that count, those of one task in their order."""
    parts = [path for path in folder.glob("part-*") if path.is_file()]
    for path in sorted(parts, key=lambda path: (path.stat().st_mtime_ns, path.name)):
        with path.open(encoding="utf-8") as file:
            yield from (line.rstrip("\n") for line in file)


def _sink(job: Job) -> Any:
    from pyflink.common import SimpleStringSchema
    from pyflink.common.serialization import Encoder
    from pyflink.datastream.connectors.base import DeliveryGuarantee
    from pyflink.datastream.connectors.file_system import BucketAssigner, FileSink, RollingPolicy
    from pyflink.datastream.connectors.kafka import KafkaRecordSerializationSchema, KafkaSink

    if job.brokers:
        record = KafkaRecordSerializationSchema.builder().set_topic(job.to).set_value_serialization_schema(SimpleStringSchema())
        sink = KafkaSink.builder().set_bootstrap_servers(job.brokers).set_record_serializer(record.build())
        sink = sink.set_delivery_guarantee(DeliveryGuarantee.EXACTLY_ONCE).set_transactional_id_prefix(f"tessera-{job.to}")
        return sink.set_property("transaction.timeout.ms", str(TRANSACTION_MS)).build()
    files = FileSink.for_row_format(Path(job.to).absolute().as_uri(), Encoder.simple_string_encoder("UTF-8"))
    files = files.with_bucket_assigner(BucketAssigner.base_path_bucket_assigner())
    return files.with_rolling_policy(RollingPolicy.on_checkpoint_rolling_policy()).build()


def _jars() -> list[Path]:
    found = sorted((Path(sys.prefix) / "jars").glob("*.jar"))
    if not found:
        raise BadInput("Kafka's connector is not in this environment: run `make flink` where Maven reaches its repository.")
    return found


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m tessera.doors.stream", description="Decides for each event of a stream, on Apache Flink.",
        epilog="Example: .flink/bin/python -m tessera.doors.stream --setting setting.json --events events.jsonl --to decisions"
        " --checkpoints checkpoints",
    )  # fmt: skip
    parser.add_argument("--setting", type=Path, required=True, metavar="FILE", help="points, model and ranks, as JSON")
    parser.add_argument("--events", required=True, help="a file or folder of lines; with --brokers a topic")
    parser.add_argument("--to", required=True, help="a folder; with --brokers a topic")
    parser.add_argument("--checkpoints", type=Path, required=True, metavar="DIR", help="where state is kept")
    parser.add_argument("--brokers", default="", metavar="HOST:PORT", help="read from and write to Kafka")
    parser.add_argument("--parallelism", type=int, default=1, metavar="N", help="tasks that decide (1)")
    parser.add_argument("--checkpoint-s", type=float, default=10.0, metavar="S", help="seconds between checkpoints (10)")
    parser.add_argument("--follow", action="store_true", help="go on for ever")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="an option of Flink's own")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command; 0, or 2 for what the caller can mend."""
    told: Namespace = _parser().parse_args(arguments)
    options = dict(one.split("=", 1) for one in told.option if "=" in one)
    rest = {name: value for name, value in vars(told).items() if name != "option"}
    try:
        took_ms = run(Job(**rest, options=options))
    except TesseraError as no:
        sys.stderr.write(f"{no}\n")
        return 2
    sys.stderr.write(f"done after {took_ms / 1000:.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
