"""Who is told of trouble, and when: once when it begins, once when it is over, by mail or webhook, without anybody's data.

What was told is kept in State, so a restart repeats nothing. A message that cannot be sent is tried again with the next look,
at the channel that did not take it.
"""

from __future__ import annotations

import json
import os
import shutil
import smtplib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC

from tessera.app import App
from tessera.config import AlertsConfig, Config
from tessera.doors.outbox import Letter, Outbox
from tessera.envtext import filled
from tessera.errors import BadInput, BadUrl
from tessera.outward import Target, checked, post

SPACE = "alert"
MARGIN_PERCENT = 2
"""A disk is in order again once so much more is free than has to be: one that fills and empties a little tells nothing."""

WORDS = {
    "en": {
        "late": "The source {about} is late: what it sent last is older than its contract promises.",
        "source": "The source {about} could not be read: {message}",
        "quality": "The data of {about} is at {kpi} %, under its goal of {goal} %. The worst: {worst}. See: tessera quality",
        "turn": "A turn failed: {message}",
        "disk": "The disk is nearly full: {free} % of it is free, and {wanted} % should be. Once full, no event is taken.",
        "over": "It is over: {sentence}",
    },
    "zh": {
        "late": "数据源 {about} 迟到：最近一次送来的数据已超过其契约承诺的时限。",
        "source": "无法读取数据源 {about}：{message}",
        "quality": "{about} 的数据质量为 {kpi} %，低于目标 {goal} %。最差：{worst}。请运行：tessera quality",
        "turn": "一轮处理失败：{message}",
        "disk": "磁盘即将写满：剩余 {free} %，应至少为 {wanted} %。写满后将不再接收事件。",
        "over": "已恢复正常：{sentence}",
    },
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that is not as it should be. kind: a word of WORDS; about: the source or department, empty for none."""

    kind: str
    about: str
    facts: Mapping[str, str]

    @property
    def name(self) -> str:
        """By which it is known as long as it lasts."""
        return f"{self.kind}/{self.about}"

    def sentence(self, language: str) -> str:
        """What it says, in Chinese for a workspace that begins with it, else in English."""
        return words(language)[self.kind].format(about=self.about, **self.facts)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message to send. raised: whether the trouble begins, or is over. since: when it began (UTC, ISO 8601)."""

    workspace: str
    kind: str
    about: str
    raised: bool
    since: str
    sentence: str


Channel = Callable[[Message], None]
"""Sends a message. Raises BadInput, OSError or smtplib.SMTPException if it did not get there."""


def words(language: str) -> dict[str, str]:
    """The sentences in a language."""
    return WORDS["zh" if language.partition("-")[0] == "zh" else "en"]


def mail(outbox: Outbox, to: tuple[str, ...]) -> Channel:
    """Letters to each address."""

    def send(message: Message) -> None:
        for address in to:
            subject = f"[{message.workspace}] {message.sentence}"[:120]
            text = f"{message.sentence}\n\n{message.workspace}, {message.since}\n"
            outbox.send(Letter(key=0, to=address, subject=subject, text=text))

    return send


def webhook(named: str, *, check: Callable[[str], Target] = checked, tls: ssl.SSLContext | None = None) -> Channel:
    """A JSON document to a URL that is named by reference; `text` is what chat programs show. Only https, only addresses of
    the public network, no redirects (outward.py)."""

    def send(message: Message) -> None:
        target = check(filled(named, os.environ))
        if target.scheme != "https":
            raise BadUrl("Alerts are posted over https alone.")
        document = {
            "text": f"[{message.workspace}] {message.sentence}", "workspace": message.workspace, "alert": message.kind,
            "about": message.about, "state": "raised" if message.raised else "over", "since": message.since,
        }  # fmt: skip
        answer = post(target, json.dumps(document).encode(), {"Content-Type": "application/json"}, tls=tls)
        if not 200 <= answer.status < 300:
            raise BadInput(f"The webhook answers with {answer.status}.")

    return send


class Alerts:
    """The alerts of one server, for the channels that are there."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self.channels = channels

    def due(self, app: App, found: list[Trouble]) -> list[tuple[str, str, Message]]:
        """What is to be sent: channel, the trouble's name, message. found: all that is wrong now."""
        language, known = app.config.languages[0], app.state.items(SPACE)
        now = app.clock().astimezone(UTC).isoformat(timespec="seconds")
        made, lasting = list[tuple[str, str, Message]](), {t.name: t for t in found}
        for name, trouble in lasting.items():
            before = known.get(name) or {"since": now, "told": [], "sentence": trouble.sentence(language)}
            if name not in known:
                app.state.put(SPACE, name, before)
            for channel in self.channels.keys() - set(before["told"]):
                sentence = trouble.sentence(language)
                made.append((channel, name, _message(app.config, name, before["since"], sentence, raised=True)))
        for name, before in known.items():
            if name in lasting:
                continue
            if not (told := set(before["told"]) & self.channels.keys()):
                app.state.drop(SPACE, name)
            for channel in told:
                sentence = words(language)["over"].format(sentence=before["sentence"])
                made.append((channel, name, _message(app.config, name, before["since"], sentence, raised=False)))
        return sorted(made, key=lambda one: one[:2])

    def send(self, due: list[tuple[str, str, Message]]) -> tuple[list[tuple[str, str, Message]], list[str]]:
        """Sends them; returns those that got there, and a sentence for each that did not."""
        sent, failed = list[tuple[str, str, Message]](), list[str]()
        for one in due:
            channel, _, message = one
            try:
                self.channels[channel](message)
                sent.append(one)
            except BadInput as no:
                failed.append(f"{channel}: {no}")
            except (OSError, smtplib.SMTPException) as no:  # their text may quote the address or the server's answer
                failed.append(f"{channel}: it did not get there ({type(no).__name__})")
        return sent, failed

    def sent(self, app: App, sent: list[tuple[str, str, Message]]) -> None:
        """Remembers what got there."""
        for channel, name, message in sent:
            before = app.state.get(SPACE, name)
            if before is None:
                continue
            told = {*before["told"], channel} if message.raised else {*before["told"]} - {channel}
            if message.raised or told:
                app.state.put(SPACE, name, {**before, "told": sorted(told)})
            else:
                app.state.drop(SPACE, name)


def standing(app: App, wanted: AlertsConfig) -> list[Trouble]:
    """What is wrong with the data and the disk now: late sources, departments under their goal, little room."""
    found = list[Trouble]()
    for row in app.quality() if app.lake.version("quality") is not None else []:
        found += [Trouble(kind="late", about=str(source), facts={}) for source in row["late"]]
        if row["ok"] is False:
            facts = {"kpi": f"{row['kpi_percent']:g}", "goal": f"{row['goal_percent']:g}", "worst": ", ".join(row["worst"])}
            found.append(Trouble(kind="quality", about=str(row["department"]), facts=facts))
    usage = shutil.disk_usage(app.config.var)
    free, known = 100 * usage.free / usage.total, app.state.get(SPACE, "disk/") is not None
    if free < wanted.disk_percent + (MARGIN_PERCENT if known else 0):
        found.append(Trouble(kind="disk", about="", facts={"free": f"{free:.1f}", "wanted": str(wanted.disk_percent)}))
    return found


def _message(config: Config, name: str, since: str, sentence: str, *, raised: bool) -> Message:
    kind, _, about = name.partition("/")
    return Message(workspace=config.name, kind=kind, about=about, raised=raised, since=since, sentence=sentence)


