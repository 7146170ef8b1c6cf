"""Compiles the contract: trust/contract/Tessera.vy -> Tessera.json (ABI, bytecode, selectors), which the package ships.

`python docs/make_contract.py` in the project's .venv. The compiler is a development dependency; a test compiles the
source anew and compares.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vyper import __version__, compile_code

CONTRACT = Path(__file__).parents[1] / "src" / "tessera" / "trust" / "contract"


def compiled() -> dict[str, Any]:
    """The document: what compiled it, ABI, bytecode to deploy, code as it lies on the chain, selector by function."""
    source = (CONTRACT / "Tessera.vy").read_text("utf-8")
    made = compile_code(source, output_formats=["abi", "bytecode", "bytecode_runtime", "method_identifiers"])
    selectors = {
        signature.partition("(")[0]: f"0x{int(selector, 16):08x}"
        for signature, selector in made["method_identifiers"].items()
    }
    return {
        "compiler": f"vyper {__version__}",
        "abi": made["abi"],
        "bytecode": made["bytecode"],
        "runtime": made["bytecode_runtime"],
        "selectors": selectors,
    }


if __name__ == "__main__":
    (CONTRACT / "Tessera.json").write_text(json.dumps(compiled(), indent=1) + "\n", "utf-8")
