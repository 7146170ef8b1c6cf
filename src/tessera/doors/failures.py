"""Errors at the command line: a sentence with the next command, an exit code, and a log that has nobody's values."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tessera.errors import BrokenTrail, BrokenVault, LakeError, NotFound, TesseraError

STOPPED = 130
"""The exit code after Ctrl-C, as shells have it."""

TRY = {
    "Source": "tessera source list",
    "Table": "tessera tables",
    "Purpose": "tessera sql --help (purposes are in purposes.yaml)",
    "Role": "tessera sql --help (roles are in access.yaml)",
    "Person": "tessera person find VALUE",
    "Version": "tessera versions TABLE",
    "Entry": "tessera ledger list",
    "Change": "tessera access changes",
    "Request": "tessera request list --all",
    "API key": "tessera apikey list",
    "Account": "tessera account list",
    "Quarantined row": "tessera quarantine list",
}
"""By what was not found: the command that lists what there is."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What went wrong, for a person and for a program. kind: the class in tessera.errors, "Usage" or "Unexpected"."""

    kind: str
    message: str
    code: int

    def tell(self, as_json: bool) -> int:
        """Writes it to stderr; returns the exit code."""
        if as_json:
            text = json.dumps({"error": {"kind": self.kind, "message": self.message}}, ensure_ascii=False)
        else:
            text = f"error: {self.message}"
        sys.stderr.write(text + "\n")
        return self.code


def of(error: TesseraError) -> Failure:
    """An error that was raised on purpose."""
    return Failure(kind=type(error).__name__, message=_sentence(error), code=error.exit_code)


def unexpected(error: BaseException, var: Path | None) -> Failure:
    """An error that nobody foresaw: its type and stack go to the log, its text (which may quote a value) nowhere."""
    reference, where = logged(error, var)
    message = f"Tessera failed in a way it does not know ({type(error).__name__}, reference {reference}). {where}. "
    return Failure(kind="Unexpected", message=message + "Try: tessera doctor", code=1)


def logged(error: BaseException, var: Path | None) -> tuple[str, str]:
    """Writes an error's type and stack to the log, and nothing of its text; returns its reference, and where that is."""
    reference = os.urandom(4).hex()
    log = log_of(var or Path.home() / ".local" / "state" / "tessera")
    try:
        _log(log, reference, error)
    except OSError:
        return reference, f"Its stack could not be written to {log}"
    return reference, f"Its stack, without any values, is in {log}"


def log_of(var: Path) -> Path:
    """Where the types and stacks of errors are written that nobody foresaw."""
    return var / "log" / "tessera.log"


def newest(var: Path, most: int) -> list[tuple[str, str, str]]:
    """The newest errors of the log, newest first: when, reference, kind; read from its end."""
    try:
        with log_of(var).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 400_000))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    found = []
    for line, kind in zip(lines, [*lines[1:], ""], strict=True):
        at, mark, reference = line.partition(" reference ")
        if mark and not line.startswith(" "):
            found.append((at, reference, kind.rpartition(".")[2]))
    return found[::-1][:most]


def disk(error: OSError) -> Failure | None:
    """A full disk and a folder that may not be written, told without the name of a file; None for any other OSError."""
    reasons = {
        28: "the disk is full",
        122: "the disk quota is used up",
        13: "a file may not be touched by this user",
        30: "the disk is mounted read-only",
    }
    reason = reasons.get(error.errno or 0)
    if reason is None:
        return None
    return Failure(kind="Disk", message=f"The work stopped because {reason}. Mend it, then run it again.", code=1)


def _sentence(error: TesseraError) -> str:
    message = str(error)
    if isinstance(error, NotFound):
        if error.kind == "Workspace":
            return (
                f"There is no workspace in {error.name} or above it. "
                "Try: tessera -w DIR COMMAND, tessera init DIR, or tessera demo"
            )
        return f"{message} Try: {TRY[error.kind]}" if error.kind in TRY else message
    if isinstance(error, BrokenTrail):
        return f"{message} Try: tessera ledger verify"
    if isinstance(error, LakeError | BrokenVault):
        return f"{message} Try: tessera doctor"
    return message


def _log(path: Path, reference: str, error: BaseException) -> None:
    import traceback

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = [f"{datetime.now(UTC).isoformat()} reference {reference}"]
    told: BaseException | None = error
    while told is not None and len(lines) < 1_000:
        lines.append(f"{type(told).__module__}.{type(told).__qualname__}")
        lines += [f"  {f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(told.__traceback__)]
        told = told.__cause__ or told.__context__
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as log:
        log.write("\n".join(lines) + "\n")
