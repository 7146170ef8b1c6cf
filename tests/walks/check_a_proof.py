"""Checks a proof of the ledger with a public key, by the standards alone: no line of Tessera is imported.

`python check_a_proof.py PROOF.json LEDGER.pem` prints the entry. Source: RFC 9162, section 2.1.3.2; C2SP signed-note.
"""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.serialization import load_pem_public_key


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        proof = json.load(file)
    with open(sys.argv[2], "rb") as file:
        key = load_pem_public_key(file.read())
    text, _, below = proof["checkpoint"].rpartition("\n\n")
    said = text + "\n"
    name, size, root = said.splitlines()
    line = next(s for s in below.splitlines() if s.split()[1] == name)
    key.verify(base64.b64decode(line.split()[2])[4:], said.encode())  # raises if it is not hers
    node, index, last = hashlib.sha256(b"\0" + proof["line"].encode()).digest(), proof["entry"], int(size) - 1
    for sibling in map(bytes.fromhex, proof["path"]):
        if index & 1 or index == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        index, last = index >> 1, last >> 1
    if last or base64.b64encode(node).decode() != root:
        sys.exit("the entry is not in the log that was signed")
    sys.stdout.write(proof["line"] + "\n")


main()
