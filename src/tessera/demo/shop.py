"""What the made-up shop is: its calendar, its shelf, its kinds of customers and its channels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NOW = datetime(2026, 11, 20, tzinfo=UTC)
"""The shop's today: nothing in its files is later. Days and seconds count from START."""
DAYS = 365
START = NOW - timedelta(days=DAYS)
DAY_S = 86_400
END_S = DAYS * DAY_S

PURPOSES = ("analytics", "personalise", "marketing", "sharing")
WORDINGS = ("1", "2")
"""Versions of the words by which people are asked, the second from REWORDED on."""
REWORDED = 171
TOPICS = ("security", "lighting", "heating", "cleaning", "kitchen", "audio", "garden", "energy")


@dataclass(frozen=True)
class Product:
    """One thing on the shelf; `then` is what its buyers tend to buy next, `popular` its weight."""

    id: str
    name: str
    chinese: str
    topic: str
    cents: int
    popular: float
    then: str


SHELF = (
    Product("P101", "Doorstep Camera", "门口摄像头", "security", 12900, 3, "P102"),
    Product("P102", "Window Sensor Trio", "门窗传感器三件套", "security", 4900, 2, "P103"),
    Product("P103", "Keyless Lock", "智能门锁", "security", 24900, 1, "P101"),
    Product("P201", "Glow Bulb Pair", "智能灯泡两只装", "lighting", 2900, 6, "P202"),
    Product("P202", "Light Ribbon", "氛围灯带", "lighting", 4500, 3, "P203"),
    Product("P203", "Wall Dimmer", "墙面调光器", "lighting", 3900, 2, "P201"),
    Product("P301", "Thermostat Round", "圆形温控器", "heating", 17900, 3, "P302"),
    Product("P302", "Radiator Valve", "暖气阀", "heating", 5900, 4, "P303"),
    Product("P303", "Air Quality Monitor", "空气质量监测仪", "heating", 9900, 2, "P301"),
    Product("P401", "Robot Vacuum S2", "扫地机器人S2", "cleaning", 39900, 2, "P402"),
    Product("P402", "Vacuum Filter Set", "扫地机滤网", "cleaning", 1900, 5, "P403"),
    Product("P403", "Window Robot", "擦窗机器人", "cleaning", 21900, 1, "P402"),
    Product("P501", "Kettle Connect", "智能水壶", "kitchen", 7900, 3, "P502"),
    Product("P502", "Kitchen Scale Plus", "智能厨房秤", "kitchen", 3900, 3, "P503"),
    Product("P503", "Bean Machine", "全自动咖啡机", "kitchen", 64900, 1, "P502"),
    Product("P601", "Room Speaker", "房间音箱", "audio", 14900, 3, "P602"),
    Product("P602", "Sound Bar", "回音壁", "audio", 29900, 1, "P603"),
    Product("P603", "Speaker Stand", "音箱支架", "audio", 3500, 2, "P601"),
    Product("P701", "Garden Sprinkler Hub", "花园浇水中枢", "garden", 11900, 2, "P702"),
    Product("P702", "Soil Sensor", "土壤传感器", "garden", 2500, 4, "P703"),
    Product("P703", "Lawn Robot", "割草机器人", "garden", 89900, 0.6, "P701"),
    Product("P801", "Metered Plug", "计量插座", "energy", 2400, 6, "P802"),
    Product("P802", "Balcony Solar Kit", "阳台光伏套装", "energy", 54900, 0.8, "P803"),
    Product("P803", "Home Battery Mini", "家用储能电池", "energy", 119900, 0.3, "P801"),
)
PRODUCT_TOPIC: Ints = np.array([TOPICS.index(p.topic) for p in SHELF])
PRODUCT_CENTS: Ints = np.array([p.cents for p in SHELF])
PRODUCT_THEN: Ints = np.array([[q.id for q in SHELF].index(p.then) for p in SHELF])
POPULAR: Floats = np.array([p.popular for p in SHELF])

CURRENCIES = {"EUR": 1.0, "CNY": 7.8, "USD": 1.1, "GBP": 0.86}
"""How many units the shop asks where it asks one euro; rates.csv moves around the inverse."""

MODELS = ("Thermo-1", "Thermo-2", "Cam-4", "Vac-S2")
"""The devices that report: the two Thermos from the wall, the others from a battery."""

CHANNELS = ("search", "social", "email", "display", "affiliate", "direct")
STRENGTH: Floats = np.array([0.16, 0.07, 0.12, 0.02, 0.09, 0.0])
"""The chance that one touch causes an order that would not have been: the truth that attribution looks for."""
COST_CENTS: Ints = np.array([85, 35, 1, 2, 240, 0])


@dataclass(frozen=True)
class Archetype:
    """One kind of customer: orders a year by herself, touches a year, how she is reached, what she likes."""

    name: str
    share: float
    orders: float
    touches: float
    basket: float
    leaves: float
    device: float
    mix: tuple[float, float, float, float, float]
    likes: tuple[str, str, str]


ARCHETYPES = (
    Archetype(
        "enthusiast", 0.14, 6.0, 10, 1.5, 0.08, 0.75, (0.35, 0.2, 0.2, 0.2, 0.05), ("audio", "energy", "security")
    ),
    Archetype("family", 0.24, 4.2, 9, 1.1, 0.12, 0.45, (0.2, 0.15, 0.4, 0.2, 0.05), ("cleaning", "kitchen", "heating")),
    Archetype(
        "bargain", 0.22, 3.0, 12, 0.7, 0.18, 0.25, (0.15, 0.15, 0.3, 0.15, 0.25), ("lighting", "cleaning", "kitchen")
    ),
    Archetype("gardener", 0.12, 3.0, 7, 1.2, 0.15, 0.4, (0.35, 0.1, 0.25, 0.25, 0.05), ("garden", "energy", "heating")),
    Archetype(
        "gift_giver", 0.13, 2.0, 6, 1.0, 0.1, 0.15, (0.2, 0.3, 0.1, 0.35, 0.05), ("audio", "lighting", "kitchen")
    ),
    Archetype(
        "drifter", 0.15, 1.4, 7, 0.8, 0.45, 0.2, (0.15, 0.35, 0.1, 0.35, 0.05), ("lighting", "security", "energy")
    ),
)
GIFT_GIVER = 4
"""Her year is the season alone."""


def _season() -> Floats:
    weights = np.ones(DAYS)
    for i in range(DAYS):
        day = START + timedelta(days=i)
        weights[i] = {1: 0.8, 2: 0.85, 7: 0.75, 8: 0.7, 10: 1.1, 11: 1.5, 12: 1.7}.get(day.month, 1.0)
        weights[i] *= 1.35 if day.weekday() >= 5 else 1.0
        weights[i] *= {(11, 11): 2.5, (11, 28): 3.2, (11, 29): 2.2, (12, 1): 2.4}.get((day.month, day.day), 1.0)
        weights[i] *= 0.35 if (day.month, day.day) in ((12, 24), (12, 25), (1, 1)) else 1.0
    return weights


SEASON = _season()
"""How busy each day of the history is; Black Friday, Singles' Day and December stand out, summer sleeps."""
_CURVE = np.concatenate(([0.0], np.cumsum(SEASON)))
_GIFT_CURVE = np.concatenate(([0.0], np.cumsum(SEASON**4)))
_HOUR_CURVE = np.concatenate(
    ([0.0], np.cumsum([1, 0.5, 0.3, 0.2, 0.2, 0.4, 1, 2, 3, 3, 3, 3.2, 4, 3.5, 3, 3, 3.3, 4, 5, 6.5, 7.5, 7, 4.5, 2.2]))
)


def moments(rng: np.random.Generator, since: Ints, until: Ints, gifts: Bools | None = None) -> Ints:
    """One moment (seconds after START) for each pair of days [since, until), as busy as the season and the hour are.

    gifts: who follows the sharper season of gifts. Where until <= since the moment falls on the day `since`.
    """
    share = rng.random(len(since))
    days = np.arange(DAYS + 1)

    def day_on(curve: Floats) -> Floats:
        low, high = curve[since], curve[np.maximum(until, since + 1)]
        return np.asarray(np.interp(low + share * (high - low), curve, days))

    day = day_on(_CURVE) if gifts is None else np.where(gifts, day_on(_GIFT_CURVE), day_on(_CURVE))
    hour = np.interp(rng.random(len(since)) * _HOUR_CURVE[-1], _HOUR_CURVE, np.arange(25))
    whole = np.clip(np.floor(day), since, np.maximum(until - 1, since))
    return np.asarray(whole * DAY_S + np.minimum(hour * 3600, DAY_S - 1), dtype=np.int64)


def iso(seconds: Ints, milliseconds: Ints | None = None) -> list[str]:
    """Moments as ISO 8601 in UTC; with `milliseconds` to the thousandth."""
    start = np.datetime64(START.replace(tzinfo=None), "ms")
    if milliseconds is None:
        made = np.datetime_as_string(start + seconds.astype("timedelta64[s]"), unit="s")
    else:
        made = np.datetime_as_string(start + (seconds * 1000 + milliseconds).astype("timedelta64[ms]"), unit="ms")
    return [text + "Z" for text in made.tolist()]
