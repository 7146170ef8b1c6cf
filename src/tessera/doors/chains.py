"""A chain that is named on the command line: how a stranger to the workspace asks the contract herself."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tessera.doors.call import Call
from tessera.errors import BadInput

if TYPE_CHECKING:
    from tessera.trust.chain import Chain

OWN = "own"


def chain_options(parser: argparse.ArgumentParser) -> None:
    """Adds --chain and --contract."""
    parser.add_argument(
        "--chain", metavar="URL", help=f"ask this Ethereum node (may be ${{NAME}}); {OWN!r}: the chain of the workspace"
    )
    parser.add_argument("--contract", metavar="ADDRESS", help="the contract that you trust, told to you by another way")


@contextmanager
def named_chain(call: Call) -> Iterator[Chain | None]:
    """The chain of --chain, for the time of a `with`; None if none is named. BadInput without a contract, BadChain."""
    from tessera.envtext import filled
    from tessera.trust.chain import ethereum

    url, contract = call.args.chain, call.args.contract
    with ExitStack() as parts:
        if url is None:
            if contract is not None:
                raise BadInput("--contract needs --chain URL, where it is asked.")
            yield None
        elif url == OWN:
            yield parts.enter_context(call.open()).anchors.chain()
        elif contract is None:
            raise BadInput("--chain needs --contract ADDRESS: what a proof says of itself is not to be trusted.")
        else:
            yield ethereum(filled(url, os.environ), contract)
