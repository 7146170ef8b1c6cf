"""A chain elsewhere: any node that speaks Ethereum's JSON-RPC, asked through web3.py.

Transactions are signed here; the node sees the signature and never the key. Addresses and keys come by reference from
the environment and stand in no message: what is said of a node is its host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
from eth_account import Account
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError, TimeExhausted, Web3Exception

from tessera.errors import BadChain
from tessera.trust.chain import Kind, Sent, tame
from tessera.trust.chain_words import checksummed, refusal, words

tame()
ANSWER_S = 10.0
"""How long one call to a node may take."""

_REASON = re.compile(r"(?s:.*)revert(?:ed)?:? (?:with reason string )?'?([^']+)")
"""How nodes of different makes write the reason of a refusal."""

BLOCK_S = 180.0
"""How long a transaction may wait for its block. One that takes longer is found on the chain by the next anchor."""


class Ethereum:
    """A contract on a node's chain. Without a key it can be asked and nothing can be sent."""

    kind: Kind = "ethereum"

    def __init__(self, url: str, contract: str = "", key: str | None = None, *, block_s: float = BLOCK_S) -> None:
        """url: https, or http to this machine. contract: an address; empty before `deploy`. key: 32 bytes in hexadecimal.

        Raises BadChain if the node is not reached, the address is none, or what lies there is not our contract.
        """
        self.host = _checked(url)
        self._block_s = block_s
        self._web3 = Web3(HTTPProvider(url, request_kwargs={"timeout": ANSWER_S, "allow_redirects": False}))
        try:
            self._account = Account.from_key(key) if key else None
        except Exception:  # what it raises may quote the key
            raise BadChain("the signing key is no key: expected 32 bytes in hexadecimal.") from None
        with self._told():
            self.number = int(self._web3.eth.chain_id)
        self.contract = ""
        if contract:
            self.contract = self._ours(contract)

    def ask(self, function: str, *args: Any) -> tuple[Any, ...]:
        """What a view answers at the newest block."""
        with self._told():
            data = self._web3.eth.call({"to": self._to(), "data": words().call(function, args)})
        return words().answer(function, bytes(data))

    def send(self, function: str, *args: Any) -> Sent:
        """Calls a function; a node that sees it fail says so before it is sent, and nothing is paid."""
        return self._sent({"to": self._to(), "data": words().call(function, args)})

    def deploy(self) -> Sent:
        """Puts a new contract on the chain; its owner is the key's account."""
        with self._told():
            receipt, sent = self._mined({"data": words().bytecode})
        self.contract = str(receipt["contractAddress"])
        return sent

    def close(self) -> None:
        """Nothing is kept open."""

    def _sent(self, call: dict[str, Any]) -> Sent:
        with self._told():
            return self._mined(call)[1]

    def _mined(self, call: dict[str, Any]) -> tuple[Any, Sent]:
        """Signs and sends a call, and waits for its block."""
        if self._account is None:
            raise BadChain("nothing can be sent without a signing key (chain.key in tessera.yaml).")
        eth, sender = self._web3.eth, self._account.address
        nonce = eth.get_transaction_count(sender, "pending")
        call = {**call, "from": sender, "value": 0, "chainId": self.number, "nonce": nonce}
        call["gas"] = eth.estimate_gas(call) * 6 // 5
        base = eth.get_block("latest").get("baseFeePerGas")
        if base is None:
            call["gasPrice"] = eth.gas_price
        else:
            tip = eth.max_priority_fee
            call |= {"maxPriorityFeePerGas": tip, "maxFeePerGas": 2 * base + tip, "type": 2}
        if (worth := eth.get_balance(sender)) < (price := call["gas"] * call.get("maxFeePerGas", call.get("gasPrice", 0))):
            raise BadChain(f"the account {sender} has {worth} wei, and the transaction may cost {price}. Fund it.")
        signed = self._account.sign_transaction(call)
        name = eth.send_raw_transaction(signed.raw_transaction)
        receipt = eth.wait_for_transaction_receipt(name, timeout=self._block_s)
        block = eth.get_block(receipt["blockNumber"])
        if receipt["status"] != 1:
            raise BadChain(f"the transaction 0x{bytes(name).hex()} failed in block {receipt['blockNumber']}.")
        return receipt, Sent(
            transaction="0x" + bytes(name).hex(), block=receipt["blockNumber"], at=block["timestamp"], gas=receipt["gasUsed"]
        )

    def _ours(self, contract: str) -> str:
        """The address with its checksum, if the code there is that of the contract that we ship."""
        address: Any = checksummed(contract)
        with self._told():
            code = bytes(self._web3.eth.get_code(address))
        if code != words().runtime:
            found = "other code" if code else "no contract"
            raise BadChain(f"at {address} on chain {self.number} lies {found}. To make a new contract: tessera anchor deploy")
        return str(address)

    def _to(self) -> Any:
        if not self.contract:
            raise BadChain("no contract is named. Make one: tessera anchor deploy, then write its address to chain.contract.")
        return self.contract

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong between us and the node, as BadChain: without the address, which may hold a token."""
        try:
            yield
        except ContractLogicError as no:
            raise BadChain(f"the contract refused: {_reason(no) or 'it gave no reason'}.") from None
        except TimeExhausted:
            wait = f"{self.host} has taken the transaction, and no block has it after {self._block_s:.0f} s"
            raise BadChain(f"{wait}. The next anchor looks for it.") from None
        except requests.exceptions.RequestException as lost:
            raise BadChain(f"{self.host} is not reached ({type(lost).__name__}).") from None
        except (Web3Exception, ValueError, KeyError, TypeError) as no:
            if reason := _reason(no):
                raise BadChain(f"the contract refused: {reason}.") from None
            raise BadChain(f"{self.host} refuses ({type(no).__name__}: {_code(no)}).") from None


def _checked(url: str) -> str:
    """The host of an address that we may speak to. Raises BadChain if it is none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme == "https" and host:
        return host
    if parts.scheme == "http" and _here(host):
        return host
    raise BadChain("chain.url has to be https://..., or http:// to this machine (a tunnel, say): answers decide what is true.")


def _here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(error: Exception) -> str:
    """What the contract said, from what the node returned or wrote; empty if the error is none of the contract's."""
    response = getattr(error, "rpc_response", None) or {}
    data = getattr(error, "data", None) or response.get("error", {}).get("data")
    for told in data.values() if isinstance(data, dict) else (data,):
        if isinstance(told, str) and told.startswith("0x08c379a0"):
            return refusal(bytes.fromhex(told[2:]))
    found = _REASON.search(str(getattr(error, "message", "")))
    return found.group(1)[:120] if found else ""


def _code(error: Exception) -> str:
    """The node's own number for an error; its text may quote what was sent."""
    response = getattr(error, "rpc_response", None)
    found = response.get("error", {}).get("code") if isinstance(response, dict) else None
    return f"error {found}" if found is not None else "no code"
