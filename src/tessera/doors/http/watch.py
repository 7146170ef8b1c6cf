"""What the server looks at every minute for whoever runs it: its certificate, the workspace's counts, and what is wrong."""

from __future__ import annotations

import time
from threading import Lock

from tessera.config import Config
from tessera.doors import alerts
from tessera.doors.alerts import Alerts, Channel, Trouble
from tessera.doors.http.desk import Desk
from tessera.doors.http.tls import Tls
from tessera.doors.http.turns import TurnEnd
from tessera.doors.http.upkeep import Look
from tessera.doors.log import Level, Log
from tessera.doors.metrics import Metrics
from tessera.doors.outbox import SmtpOutbox


def channels(config: Config) -> dict[str, Channel]:
    """Where the alerts of a workspace go."""
    found: dict[str, Channel] = {}
    if config.alerts and config.alerts.webhook:
        found["webhook"] = alerts.webhook(config.alerts.webhook)
    if config.alerts and config.alerts.mail and config.serve.mail:
        found["mail"] = alerts.mail(SmtpOutbox(config.serve.mail), config.alerts.mail)
    return found


class Watch:
    """Keeps the counts up to date, and tells of trouble where alerts are configured."""

    def __init__(self, config: Config, metrics: Metrics, log: Log, to: dict[str, Channel] | None = None) -> None:
        self._metrics, self._log, self._wanted = metrics, log, config.alerts
        self._alerts = Alerts(channels(config) if to is None else to)
        self._turned, self._lock = dict[str, Trouble](), Lock()

    def turned(self, end: TurnEnd) -> None:
        """A turn on the schedule has ended: what it says holds until the next one."""
        self._metrics.turned(end.seconds, end.landed, None if end.failure else time.time())
        found = [Trouble(kind="turn", about="", facts={"message": end.failure})] if end.failure else []
        if not end.failure:
            troubled = {str(one["name"]): str(one["error"]) for one in end.landed if one["error"]}
            found += [Trouble(kind="source", about=name, facts={"message": said}) for name, said in troubled.items()]
        with self._lock:
            # A turn that failed says nothing of sources: what was known of them stays.
            kept = {n: t for n, t in self._turned.items() if end.failure and t.kind == "source"}
            self._turned = kept | {t.name: t for t in found}

    def looks(self, tls: Tls | None) -> list[Look]:
        """What is looked at, each by itself."""
        looks: list[Look] = [self._counted, self._told]
        if tls is not None:
            looks.append(lambda desk: self._certified(tls))
        return looks

    def _counted(self, desk: Desk) -> None:
        with desk.app() as app:
            waiting = app.quarantine.waiting()
        self._metrics.quarantined(waiting)

    def _told(self, desk: Desk) -> None:
        if self._wanted is None:
            return
        with desk.app() as app, self._lock:
            found = [*alerts.standing(app, self._wanted), *self._turned.values()]
            due = self._alerts.due(app, found)
        # Not within the workspace's time: the other side may be slow.
        sent, failed = self._alerts.send(due)
        for _, name, message in sent:
            level: Level = "warning" if message.raised else "info"
            event = "alert.raised" if message.raised else "alert.over"
            self._log.say(level, event, alert=name)
        for sentence in failed:
            self._log.say("warning", "alert.unsent", message=sentence)
        with desk.app() as app:
            self._alerts.sent(app, sent)

    def _certified(self, tls: Tls) -> None:
        if tls.look():
            self._log.say("info", "tls.renewed")
