"""Whole numbers that a command takes within bounds."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable


def whole(low: int, high: int) -> Callable[[str], int]:
    """Reads an argument; another one is refused with the bounds."""

    def read(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise ArgumentTypeError(f"{text!r} is no whole number from {low} to {high}")
        return int(text)

    return read
