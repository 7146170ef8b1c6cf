"""The drill's report: what each check tried and found, and a verdict for each item of the OWASP API Security Top 10 (2023)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from tessera.doors.drill.target import Target
from tessera.errors import TesseraError

Verdict = Literal["pass", "fail", "not run"]

ITEMS = {
    "API1": "Broken Object Level Authorization",
    "API2": "Broken Authentication",
    "API3": "Broken Object Property Level Authorization",
    "API4": "Unrestricted Resource Consumption",
    "API5": "Broken Function Level Authorization",
    "API6": "Unrestricted Access to Sensitive Business Flows",
    "API7": "Server Side Request Forgery",
    "API8": "Security Misconfiguration",
    "API9": "Improper Inventory Management",
    "API10": "Unsafe Consumption of APIs",
}
"""Source: OWASP API Security Top 10, 2023."""


@dataclass
class Trial:
    """What one check tries: each attempt counts, each fault is told in a sentence without anybody's values."""

    tried: int = 0
    faults: list[str] = field(default_factory=list)

    def that(self, holds: bool, fault: str) -> None:
        """Counts an attempt; one that does not hold is a fault."""
        self.tried += 1
        if not holds:
            self.faults.append(fault)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check: its item, its name, what it runs. inside: whether it needs the throw-away workspace."""

    owasp: str
    name: str
    run: Callable[[Target, Trial], None]
    inside: bool = True


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a check."""

    owasp: str
    check: str
    verdict: Verdict
    tried: int
    says: str


def run(check: Check, target: Target) -> Outcome:
    """Runs one check; one that tries nothing, or breaks, has failed."""
    if check.inside and target.shop is None:
        says = "It needs the drill's own instance."
        return Outcome(owasp=check.owasp, check=check.name, verdict="not run", tried=0, says=says)
    trial = Trial()
    try:
        check.run(target, trial)
    except TesseraError as error:
        trial.faults.append(str(error))
    except Exception as error:
        trial.faults.append(f"the check broke off ({type(error).__name__})")
    if not trial.tried and not trial.faults:
        trial.faults.append("it tried nothing")
    more = f" (and {len(trial.faults) - 3} more)" if len(trial.faults) > 3 else ""
    return Outcome(
        owasp=check.owasp, check=check.name, verdict="fail" if trial.faults else "pass", tried=trial.tried,
        says="; ".join(trial.faults[:3]) + more,
    )  # fmt: skip


def document(target: Target, outcomes: Iterable[Outcome], at: datetime) -> dict[str, Any]:
    """The report. An item passes if something of it ran and all that ran passed."""
    listed = list(outcomes)
    items = []
    for item, title in ITEMS.items():
        verdicts = [o.verdict for o in listed if o.owasp == item and o.verdict != "not run"]
        verdict = "fail" if "fail" in verdicts else "pass" if verdicts else "not run"
        items.append({"owasp": item, "title": title, "verdict": verdict})
    return {
        "target": target.url, "at": at.isoformat(timespec="seconds"), "ok": all(o.verdict != "fail" for o in listed),
        "items": items, "checks": [asdict(o) for o in listed],
    }  # fmt: skip
