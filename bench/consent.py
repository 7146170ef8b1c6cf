"""What today's answers of all people cost: CPU seconds of the mask over three answers a person.

Run: PYTHONPATH=src python bench/consent.py [--people 1000000]
"""

from __future__ import annotations

import argparse
import resource
import time

from tessera.config import Purpose
from tessera.lake.engine import connect, rows
from tessera.trust import consent

NAMES = ("operate", "analytics", "marketing", "sharing")
AT = "2026-12-31T23:59:59+00:00"


def main() -> None:
    """Three answers a person, two of three from a source of states; `share`: whose answers are drawn at random."""
    told = argparse.ArgumentParser()
    told.add_argument("--people", type=int, default=1_000_000)
    people = told.parse_args().people
    purposes = [Purpose(name=n, data_use="", basis="consent", sentence={}, bit=b) for b, n in enumerate(NAMES)]
    con = connect(memory="4GB", threads=2)
    members = f"SELECT i::INTEGER AS key_id, (i // 2)::INTEGER AS person_id FROM range({2 * people}) t(i)"
    con.execute(f"CREATE TABLE membership AS {members}")
    for share in (0, 2, 10):
        con.execute(
            f"""CREATE OR REPLACE TABLE consents AS SELECT key_id, purpose, CASE WHEN hash(key_id, purpose) % 10 < {share}
                    THEN word ELSE CASE hash(key_id, purpose) % 2 WHEN 0 THEN 'given' ELSE 'refused' END END AS state,
                TIMESTAMPTZ '2026-01-01' + to_seconds((hash(i * 13) % 20000000)::BIGINT) AS occurred_at,
                NULL::TIMESTAMPTZ AS until, CASE WHEN hash(i * 3) % 3 < 2 THEN 'crm' ELSE 'web' END AS source
                FROM (SELECT i, ((hash(i) % {people}) * 2)::INTEGER AS key_id, ['analytics', 'marketing', 'sharing'][1 + i % 3]
                AS purpose, ['given', 'refused', 'withdrawn'][1 + (hash(i * 7) % 3)::INTEGER] AS word
                FROM range({3 * people}) t(i))"""
        )
        select = consent.mask(purposes, AT, {"crm": False, "web": True})
        best = (1e9, 1e9)
        for _ in range(3):
            before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
            con.execute(f"CREATE OR REPLACE TEMP TABLE made AS WITH nothing AS (SELECT 1) {select}")
            after = resource.getrusage(resource.RUSAGE_SELF)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            best = min(best, (cpu, time.perf_counter() - began))
        many = rows(con, "SELECT count(*) FROM made WHERE mask > 0")[0][0]
        print(f"{share * 10:3} % at random: {best[0]:.2f} CPU s, {best[1]:.2f} s wall; {many:,} keys with a yes")


if __name__ == "__main__":
    main()
