"""The campaign touches as the agencies' touches.csv shows them."""

from __future__ import annotations

from datetime import timedelta

from tessera.demo.causes import EMAIL, Touches
from tessera.demo.people import Crowd
from tessera.demo.shop import CHANNELS, COST_CENTS, START, iso
from tessera.demo.tally import MISSING, MISTYPED, Fault, Row, Tally

COLUMNS = (
    "touch_id", "anonymous_id", "customer_id", "email", "occurred_at", "channel", "campaign", "kind",
    "cost_cents", "currency",
)  # fmt: skip
FAULTS = (Fault("channel", "billboard", MISTYPED), Fault("occurred_at", "", MISSING), Fault("kind", "stare", MISTYPED))
_SEASONS = ("winter_comfort", "winter_comfort", "spring_clean", "spring_clean", "garden_open", "garden_open",
            "summer_quiet", "summer_quiet", "back_home", "back_home", "singles_day", "black_week")  # fmt: skip


def campaign(channel: int, at: int) -> tuple[str, str]:
    """(the campaign's name, the channel's name): one campaign a channel and season."""
    month = (START + timedelta(seconds=at)).month
    return f"{_SEASONS[month - 1]}_{CHANNELS[channel]}", CHANNELS[channel]


def touch_rows(who: Crowd, touches: Touches, block: int, tally: Tally) -> list[Row]:
    """The rows of a block's touches: letters know the address or the customer, all others know the browser."""
    rng, count = who.rng, len(touches)
    times = iso(touches.at)
    by_number = (rng.random(count) < 0.3).tolist()
    costs = (COST_CENTS[touches.channel] * rng.uniform(0.7, 1.3, count)).round().astype(int).tolist()
    rows: list[Row] = []
    for i, (person, channel, clicked, browser, at) in enumerate(
        zip(
            touches.person.tolist(), touches.channel.tolist(), touches.clicked.tolist(), touches.browser.tolist(),
            touches.at.tolist(), strict=True,
        )
    ):  # fmt: skip
        row = dict.fromkeys(COLUMNS, "") | {"touch_id": f"T{block:05d}{i:05d}", "occurred_at": times[i]}
        if channel == EMAIL and by_number[i] and who.customer_ids[person]:
            row["customer_id"] = who.customer_ids[person][0]
        elif channel == EMAIL:
            row["email"] = who.email[person]
        else:
            row["anonymous_id"] = who.browsers[person][browser]
        row["campaign"], row["channel"] = campaign(channel, at)
        row["kind"] = "click" if clicked else "open" if channel == EMAIL else "impression"
        row["cost_cents"], row["currency"] = str(costs[i]), "EUR"
        rows.append(row)
    _, doubles = tally.dirty("touches", rows, rng, faults=FAULTS, broken=0.0005, doubled=0.001)
    return rows + doubles
