"""How the access matrix stands, in the form that the commands and the API give it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tessera.trust.versions import Standing


def facts(standing: Standing) -> dict[str, Any]:
    """The version in force, and what waits: its digest, who approved it, who must, what it would change."""
    waiting = standing.waiting
    return {
        "version": standing.version,
        "digest": standing.digest,
        "at": standing.at,
        "waiting": None
        if waiting is None
        else {
            "digest": waiting.digest,
            "people": waiting.needs.people,
            "roles": list(waiting.needs.roles),
            "approved": list(waiting.approved),
            "cells": [asdict(c) for c in waiting.change.cells],
            "others": [asdict(o) for o in waiting.change.others],
        },
    }
