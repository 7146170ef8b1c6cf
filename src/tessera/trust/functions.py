"""What a role may do through the HTTP door, beside what the matrix lets it see; nothing written means no."""

from __future__ import annotations

from collections.abc import Iterable

from tessera.config import FUNCTIONS, Access
from tessera.errors import NotAllowed

WORDS = {
    "sql": "ask questions in SQL", "tables": "list the tables", "find": "look up a person by an identifier",
    "show": "see a person", "consents": "see a person's choices", "ledger": "read the ledger",
    "explain": "ask why a role sees what it sees", "approve": "approve a change of access",
    "customer_token": "let a customer in", "metrics": "read the metrics",
    "decide": "ask what to show a person", "requests": "work on customers' requests",
    "operate": "see to sources, quarantine and how the machine is", "change": "propose changes of the workspace's files",
}  # fmt: skip
"""Each of FUNCTIONS in words."""


def check(access: Access, role: str, function: str) -> None:
    """Returns if the role may; raises NotAllowed with the reason if it may not."""
    if not allowed(access, [role], function):
        raise NotAllowed(f"No line of access.yaml (functions) lets {role} {WORDS[function]}.", f"Ask {access.contact}.")


def allowed(access: Access, roles: Iterable[str], function: str) -> list[str]:
    """Those of the roles that may use a function, in their order."""
    able = {role for line in access.functions if function in line.functions for role in line.roles}
    return [role for role in roles if role in able]


assert tuple(WORDS) == FUNCTIONS
