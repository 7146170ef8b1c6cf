"""The law of frozen segments: whoever did not change is not relabelled, whatever became of the others and of the model."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_people import MARCH, Shop, crowd

from tessera.config import SegmentsConfig
from tessera.insight.segments import history
from tessera.insight.segments.fitting import Model


def versions(shop: Shop) -> tuple[Model, ...]:
    return msgspec.json.decode(shop.models["segments"].learned, type=tuple[Model, ...])


def expected(models: tuple[Model, ...], people: list, as_of: date) -> dict[int, str]:
    """By brute force: the nearest centre of the newest version that was there when she last bought."""
    found = {}
    for person, orders, cents, last, events in people:
        if not orders:
            found |= {person: "prospects"} if events else {}
            continue
        model = [m for m in models if m is models[0] or m.fitted_at < date.fromisoformat(last)][-1]
        at = np.log1p([max((as_of - date.fromisoformat(last)).days, 0), orders, cents / 100])
        far = [((at - c.inputs) ** 2 * model.weights).sum() for c in model.centres]
        found[person] = model.centres[int(np.argmin(far))].segment
    return found


@settings(max_examples=3, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1, 9, 100]), st.floats(0.1, 0.7), st.sampled_from([1, 3, 8])), min_size=2, max_size=3)
)
def test_whoever_did_not_change_is_not_relabelled_whatever_the_others_and_the_model_do(days) -> None:
    """Each day some people buy much more (so that the model drifts); a model may also be asked for anew."""
    with TemporaryDirectory() as folder:
        people, today = crowd(), MARCH
        shop = Shop(Path(folder), SegmentsConfig(k=4)).fill(people)
        shop.turn()
        for seed, (step, share, factor) in enumerate(days):
            before, today = versions(shop), today + timedelta(days=step)
            rng = np.random.default_rng(seed)
            buys = rng.random(len(people)) < share
            people = [
                (p, n + factor, c * factor + 500, str(today), e) if n and b else (p, n, c, d, e)
                for (p, n, c, d, e), b in zip(people, buys, strict=True)
            ]
            shop.fill(people)
            shop.turn(today)
            models, now = versions(shop), shop.segments_now()
            assert now == expected(models, people, today)
            # With nothing but a new model the same day, not one row moves.
            assert shop.turn(today, refit=True)["segments"].nothing and shop.segments_now() == now
            # Who did not buy moves by her own ageing alone: the versions of yesterday still say where she is.
            quiet = [person for person, b in zip(people, buys, strict=True) if not b]
            assert expected(before, quiet, today) == {p: now[p] for p, *_ in quiet if p in now}
        assert all(len({c.segment for c in m.centres}) == len(m.centres) for m in versions(shop))


def test_a_drift_makes_a_version_that_decides_of_those_who_buy_after_it(tmp_path) -> None:
    people = crowd()
    shop = Shop(tmp_path, SegmentsConfig(k=4)).fill(people)
    shop.turn()
    first = shop.segments_now()
    more = [(p, n * 2, c * 3, d, e) if p % 20 else (p, n, c, d, e) for p, n, c, d, e in people]
    next_day = MARCH + timedelta(days=1)
    shop.fill(more)
    shop.turn(next_day)
    both = versions(shop)
    assert len(both) == 2 and both[1].fitted_at == next_day
    assert {c.segment for c in both[0].centres} == {c.segment for c in both[1].centres}
    unchanged = {p for p, n, *_ in people if n and p % 20 == 0}
    assert {p: shop.segments_now()[p] for p in unchanged} == {p: first[p] for p in unchanged}
    later = MARCH + timedelta(days=3)
    buyer = next(p for p, n, *_ in people if n)
    shop.fill([(p, n, c, str(later), e) if p == buyer else (p, n, c, d, e) for p, n, c, d, e in more])
    shop.turn(later)
    found = shop.ask(f"SELECT model FROM segments WHERE person_id = {buyer} AND valid_to IS NULL")
    assert found == [(both[1].id,)] or shop.segments_now()[buyer] == first[buyer]
    told = shop.ask("SELECT version, count(*), count(people) FROM segment_centres WHERE k IS NOT NULL GROUP BY 1 ORDER BY 1")
    assert [row[:2] for row in told] == [(1, 4), (2, 5)] and told[0][2] == 0


def test_migration_counts_who_went_where_and_tells_of_nobody(tmp_path) -> None:
    people = crowd()
    shop = Shop(tmp_path, SegmentsConfig(k=4)).fill(people)
    shop.turn()
    first, later = shop.segments_now(), MARCH + timedelta(days=2)
    lapsed = [p for p, s in first.items() if s == "lapsed"]
    back = set(lapsed[:20])
    alone = next(p for p, s in first.items() if s == "high_value")
    shop.fill(
        [
            (p, 13, 95_000, str(later), e) if p in back else (p, 0, 0, None, 1) if p == alone else (p, n, c, d, e)
            for p, n, c, d, e in people
        ]
    )
    shop.turn(later)
    found = {(a, b): n for a, b, n in shop.ask(history.migration(MARCH, later))}
    assert found["lapsed", "high_value"] == 20 and found["lapsed", "lapsed"] == len(lapsed) - 20
    assert found["high_value", "prospects"] is None
    assert {(a, b) for a, b, _ in shop.ask(history.migration(MARCH, MARCH))} == {(s, s) for s in first.values()}
    assert {a for a, _, _ in shop.ask(history.migration(MARCH - timedelta(days=9), MARCH))} == {None}
