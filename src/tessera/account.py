"""The account of the machine that runs this process: by its user id, for LOGNAME and USER say what anybody sets."""

from __future__ import annotations

import os


def account() -> str:
    """Its name; its number where it has none."""
    return named(os.geteuid())


def named(uid: int) -> str:
    """The name of a user id; its number where it has none."""
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid{uid}"
