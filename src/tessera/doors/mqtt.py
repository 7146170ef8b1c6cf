"""Device telemetry: a broker's topic, subscribed to while `serve` runs, acknowledged once it is safe in the source's journal.

The session at the broker is persistent and its messages are of QoS 1: what came while nobody listened waits there, and what was
not acknowledged comes again. One thread holds the connection, writes what came together as one block, and then acknowledges it.
"""

from __future__ import annotations

import os
import ssl
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import random
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from tessera.config import Contract, Mqtt
from tessera.contract_sent import Broker, broker
from tessera.data.sources import door
from tessera.data.sources.names import Keeper
from tessera.data.sources.posted import Form
from tessera.envtext import resolve
from tessera.words import Clock

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.properties import Properties

KEEP_SESSION_S = 7 * 86_400
"""How long the broker keeps what comes while nobody listens (MQTT 5; before it, the broker's own setting holds)."""
IN_FLIGHT = 500
"""Messages that the broker may send before the first of them is acknowledged, and so the most in one block."""
TICK_S, KEEP_ALIVE_S = 0.2, 30
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
STEADY_S = 60.0
"""A connection that has held so long is no failed attempt: the next one comes at once."""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """One source at its broker. lines: of a message, by its topic and payload, as they go into the journal. client: the name of
    our session there. ca: a PEM file with the authorities to trust, or None for the machine's."""

    source: str
    broker: Broker
    told: Mqtt
    client: str
    ca: Path | None
    form: Form

    @classmethod
    def of(cls, contract: Contract, root: Path, secrets: Keeper, env: Mapping[str, str] = os.environ) -> Subscription:
        """As a contract says it. Raises BadInput if the environment lacks a name."""
        assert contract.mqtt is not None
        return cls(
            source=contract.name, broker=broker(contract.connection, env), told=contract.mqtt, form=Form.of(contract),
            client="tessera" + secrets.name_of(f"mqtt/{contract.name}"),
            ca=Path(resolve(contract.mqtt.ca, env, root)) if contract.mqtt.ca else None,
        )  # fmt: skip


class Listener:
    """Holds one subscription until it is stopped. append: writes lines, safe when it returns, or raises OSError."""

    def __init__(
        self, told: Subscription, append: Callable[[Sequence[bytes]], object], secrets: Keeper, clock: Clock,
        say: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        self.told, self._append, self._secrets, self._clock = told, append, secrets, clock
        self._say, self._said = say or _stderr, ""
        self._stopped = Event()
        self._thread = Thread(target=self._run, name=f"mqtt {told.source}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns once nothing more is written; what is not acknowledged by then comes again to the next one."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        wait = FIRST_WAIT_S
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                why = _Connection(self.told, self._keep, self._stopped, self._joined).hold()
            except Exception as wrong:  # nobody above this thread would hear of it; nothing was acknowledged
                why = f"it sent what was not understood ({type(wrong).__name__})"
            if self._stopped.is_set():
                return
            self._tell(f"The broker of {self.told.source} is tried again: {why}.")
            if time.monotonic() - began > STEADY_S:
                wait = FIRST_WAIT_S
            self._stopped.wait(wait * (0.5 + random() / 2))
            wait = min(2 * wait, LONGEST_WAIT_S)

    def _joined(self) -> None:
        self._tell(f"The broker of {self.told.source} is listened to.")

    def _tell(self, what: str) -> None:
        """Once, until something else is to be told."""
        if what != self._said:
            self._said = what
            self._say(what)

    def _keep(self, messages: Sequence[MQTTMessage]) -> None:
        """Writes what came as one block. Raises OSError if the disk refuses."""
        now, lines = self._clock(), list[bytes]()
        for message in messages:
            posted = self.told.form.read(bytes(message.payload), now, self.told.broker.fields(message.topic))
            came = door.Delivery(
                number=message.mid, again=message.dup,
                digest=self._secrets.name_of(f"{message.topic}\0{message.payload.decode('latin-1')}"),
            )  # fmt: skip
            lines += door.lines_posted(posted, came if message.qos else None)
        if lines:
            self._append(lines)


class _Connection:
    """One connection to a broker, from its beginning to its end."""

    def __init__(
        self, told: Subscription, keep: Callable[[Sequence[MQTTMessage]], None], stopped: Event, joined: Callable[[], None]
    ) -> None:
        self._told, self._keep, self._stopped, self._joined = told, keep, stopped, joined
        self._came: list[MQTTMessage] = []
        self._known = False
        self._refused = ""

    def hold(self) -> str:
        """Listens until it is stopped or the connection ends; returns why it has ended."""
        from paho.mqtt.client import MQTT_ERR_SUCCESS, error_string

        try:
            client = self._connected()
        except (OSError, ValueError) as no:
            return f"it cannot be reached ({type(no).__name__})"
        try:
            status = MQTT_ERR_SUCCESS
            while not (self._stopped.is_set() or self._refused or status):
                status = client.loop(TICK_S)
                while 0 < len(self._came) < IN_FLIGHT and not status:
                    before = len(self._came)
                    status = client.loop(0)
                    if len(self._came) == before:
                        break
                self._kept(client)
        except OSError as full:
            return f"what it sent could not be written ({full.strerror})"
        finally:
            with suppress(OSError, ValueError):
                client.disconnect()
        return self._refused or f"the connection ended ({error_string(status)})"

    def _kept(self, client: Client) -> None:
        came, self._came = self._came, []
        # What a broker retains, an older session has had already.
        if fresh := [m for m in came if not (m.retain and self._known)]:
            self._keep(fresh)
        for message in came:
            client.ack(message.mid, message.qos)

    def _connected(self) -> Client:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        told, newest = self._told, self._told.told.protocol == "5"
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=told.client, clean_session=None if newest else False, manual_ack=True,
            protocol=MQTTProtocolVersion.MQTTv5 if newest else MQTTProtocolVersion.MQTTv311,
        )  # fmt: skip
        if told.broker.user:
            client.username_pw_set(told.broker.user, told.broker.password or None)
        if told.broker.tls:
            context = ssl.create_default_context(cafile=told.ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            client.tls_set_context(context)
        client.on_connect, client.on_subscribe, client.on_message = self._on_connect, self._on_subscribe, self._on_message
        if newest:
            client.connect(told.broker.host, told.broker.port, KEEP_ALIVE_S, clean_start=False, properties=_session())
        else:
            client.connect(told.broker.host, told.broker.port, KEEP_ALIVE_S)
        return client

    def _on_connect(self, client: Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refused = f"it refuses us ({reason})"
            return
        self._known = bool(flags.session_present)
        client.subscribe(self._told.broker.filter, qos=1)

    def _on_subscribe(self, client: Client, _: Any, mid: int, reasons: Sequence[Any], properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refused = f"it refuses the topic ({reasons[0]})"
        else:
            self._joined()

    def _on_message(self, client: Client, _: Any, message: MQTTMessage) -> None:
        self._came.append(message)


def _session() -> Properties:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    made = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    made.SessionExpiryInterval, made.ReceiveMaximum = KEEP_SESSION_S, IN_FLIGHT
    return made


def _stderr(what: str) -> None:
    with suppress(OSError):
        sys.stderr.write(f"tessera serve: {what}\n")
