"""`tessera drill`: penetration checks against a running instance of ours, with a verdict per OWASP API Top 10 (2023) item."""
