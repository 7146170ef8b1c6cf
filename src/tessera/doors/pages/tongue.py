"""What the pages say in the reader's language: sentences from gettext catalogues, numbers, money and times by CLDR (Babel).

The catalogues are locale/zh/*.po, one for each group of pages; they are read as they are when the first Chinese page is asked
for, so an installation needs no build. English is the language of the sources, so a sentence's own text is its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Literal
from zoneinfo import ZoneInfo

Language = Literal["en", "zh"]
NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}
HTML: dict[Language, str] = {"en": "en", "zh": "zh-CN"}
_CLDR: dict[Language, str] = {"en": "en_GB", "zh": "zh_Hans_CN"}


def N_(text: str) -> str:
    """Marks a sentence for the catalogues where it is not said yet."""
    return text


Said = Mapping[str, str | tuple[str, ...]]


@cache
def catalogue(language: Language, group: str = "") -> Said:
    """Sentence -> its translation; of a plural all its forms. A short word may mean one thing on one group of pages and another
    elsewhere ("Status", "Table"): what the group's own catalogue says of it counts there."""
    found: dict[str, str | tuple[str, ...]] = {}
    for name, said in _catalogues(language).items():
        found.update({one: text for one, text in said.items() if one not in found or name == group})
    return found


@cache
def _catalogues(language: Language) -> dict[str, Said]:
    """By name; English has none."""
    if language == "en":
        return {}
    from babel.messages.pofile import read_po

    found: dict[str, Said] = {}
    for file in sorted(files("tessera.doors.pages").joinpath("locale", language).iterdir(), key=lambda f: f.name):
        with file.open("rb") as text:
            found[file.name.removesuffix(".po")] = {
                m.id[0] if m.pluralizable else str(m.id): tuple(m.string) if m.pluralizable else str(m.string)
                for m in read_po(text, locale=language) if m.id and m.string and not m.fuzzy
            }  # fmt: skip
    return found


@dataclass(frozen=True)
class Tongue:
    """One language and one time zone. Called with a sentence, it says it, with its facts in the places {name}. group: the
    pages' own catalogue."""

    language: Language = "en"
    zone: str = "UTC"
    currency: str = "EUR"
    group: str = ""

    def __call__(self, text: str, /, *places: Any, **facts: Any) -> str:
        said = catalogue(self.language, self.group).get(text, text)
        words = said if isinstance(said, str) else said[-1]
        return words.format(*places, **facts) if places or facts else words

    def many(self, one: str, more: str, n: int, /, **facts: Any) -> str:
        """The sentence for n things; {n} is the number, as it is written."""
        said = catalogue(self.language, self.group).get(one)
        if said is None:
            words = one if n == 1 else more
        else:
            words = said if isinstance(said, str) else said[-1]
        return words.format(n=self.number(n), **facts)

    def pick(self, texts: Mapping[str, str]) -> str:
        """Of texts by language (a purpose's sentence, a label) the one for this reader."""
        hers = [text for name, text in texts.items() if name.partition("-")[0] == self.language]
        return next(iter([*hers, *texts.values()]), "")

    # numbers

    def number(self, value: float | None, digits: int = 0) -> str:
        """1,234.5; a dash where there is none."""
        from babel.numbers import format_decimal

        if value is None:
            return "–"
        value = value if isinstance(value, int) else round(float(value), digits) + 0.0  # no -0.0, and no Decimal
        return format_decimal(value, "#,##0" + ("." + "0" * digits if digits else ""), locale=self._locale)

    def short(self, value: float | None) -> str:
        """12.3K: a number where there is little room."""
        from babel.numbers import format_compact_decimal

        if value is None:
            return "–"
        return format_compact_decimal(value, locale=self._locale, fraction_digits=1 if abs(value) >= 1000 else 0)

    def percent(self, share: float | None, digits: int = 0) -> str:
        """A share of one as per cent."""
        from babel.numbers import format_percent

        form = "#,##0" + ("." + "0" * digits if digits else "") + "%"
        return "–" if share is None else format_percent(share, form, locale=self._locale)

    def money(self, cents: float | None, currency: str | None = None) -> str:
        """An amount in hundredths, in the workspace's currency if none is named; whole units from a thousand on."""
        from babel.numbers import format_currency

        if cents is None:
            return "–"
        units, code = cents / 100, currency or self.currency
        if abs(units) >= 1000:
            return format_currency(round(units), code, "¤#,##0", locale=self._locale, currency_digits=False)
        return format_currency(units, code, locale=self._locale)

    # times

    def day(self, when: date | datetime | str | None, form: str = "medium") -> str:
        """A day, as CLDR's form (short, medium, long) or pattern writes it."""
        from babel.dates import format_date

        found = self._local(when)
        return "–" if found is None else format_date(found, form, locale=self._locale)

    def moment(self, when: datetime | str | None) -> str:
        """A day and a time in the workspace's zone."""
        from babel.dates import format_datetime

        found = self._local(when)
        form = "y年M月d日 HH:mm" if self.language == "zh" else "d MMM y, HH:mm"
        return "–" if found is None else format_datetime(found, form, locale=self._locale)

    def clock(self, when: datetime | str | None) -> str:
        """The time of day in the workspace's zone."""
        from babel.dates import format_time

        found = self._local(when)
        return "–" if found is None else format_time(found, "HH:mm", locale=self._locale)

    def ago(self, when: date | datetime | str | None, now: datetime) -> str:
        """How long ago, or in how long."""
        from babel.dates import format_timedelta

        found = self._local(when)
        if found is None:
            return "–"
        delta = found - self._local(now)  # type: ignore[operator]
        return format_timedelta(delta, granularity="minute", add_direction=True, locale=self._locale)

    def lasting(self, seconds: float) -> str:
        """A length of time."""
        from babel.dates import format_timedelta

        return format_timedelta(timedelta(seconds=seconds), locale=self._locale, format="short")

    def _local(self, when: date | datetime | str | None) -> datetime | None:
        if when is None or when == "":
            return None
        if isinstance(when, str):
            when = datetime.fromisoformat(when)
        if not isinstance(when, datetime):
            return datetime(when.year, when.month, when.day, tzinfo=ZoneInfo(self.zone))
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(ZoneInfo(self.zone))

    @property
    def html(self) -> str:
        """As <html lang> names it."""
        return HTML[self.language]

    @property
    def _locale(self) -> str:
        return _CLDR[self.language]
