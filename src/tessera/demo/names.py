"""What people of each country are called, where they live, and how they write their telephone numbers."""

from __future__ import annotations

from dataclasses import dataclass


def _words(text: str, between: str = " ") -> list[str]:
    return text.split(between)


_GERMAN_FIRST = _words(
    "Lena Anna Marie Sophie Laura Julia Katharina Johanna Clara Emma Mia Hannah Lukas Jonas Felix Paul "
    "Maximilian Leon Tobias Sebastian Florian Moritz Jan Niklas Stefan Andreas Ursula Monika Renate Heike"
)
_GERMAN_LAST = _words(
    "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Koch Bauer Richter Klein "
    "Wolf Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Werner Krause Lehmann "
    "Köhler Maier Vogel Jäger"
)
_FRENCH_FIRST = _words(
    "Camille Chloé Manon Léa Inès Jade Louise Alice Zoé Lucie Hugo Louis Gabriel Arthur Jules Adam "
    "Raphaël Théo Nathan Étienne Margaux Élodie Benoît Aurélie"
)
_FRENCH_LAST = _words(
    "Martin Bernard Dubois Thomas Robert Petit Durand Leroy Moreau Simon Laurent Lefebvre Michel Garcia "
    "Roux Fournier Girard Bonnet Dupont Lambert Fontaine Rousseau Vincent Chevalier"
)
_DUTCH_FIRST = _words(
    "Daan Sem Lucas Finn Bram Thijs Sanne Lotte Fleur Anouk Femke Eva Julia Noor Maud Jasper Ruben Iris"
)
_DUTCH_LAST = _words(
    "de Jong|Jansen|de Vries|van den Berg|Bakker|van Dijk|Visser|Smit|Meijer|de Boer|Mulder|de Groot|Bos|"
    "Vos|Peters|Hendriks|van Leeuwen|Dekker",
    "|",
)
_ENGLISH_FIRST = _words(
    "Olivia Amelia Isla Ava Grace Emily Sophia Charlotte Harper Evelyn Oliver George Noah Arthur Harry "
    "Leo Jack James William Henry Michael Daniel Ethan Jennifer Patricia Linda Robert David Susan Karen"
)
_ENGLISH_LAST = _words(
    "Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Robinson Wright Thompson Evans Walker "
    "White Roberts Green Hall Clarke Miller Anderson Martinez Nguyen Rodriguez Carter Parker Collins "
    "Murphy"
)
_CHINESE_FIRST = _words(
    "伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 秀英 霞 平 刚 桂英 子涵 浩然 雨桐 欣怡 梓萱 宇轩"
)
_CHINESE_LAST = _words("王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高 林 何 郭 马 罗")

PINYIN = dict(
    zip(
        _CHINESE_FIRST + _CHINESE_LAST,
        _words(
            "wei fang na min jing li qiang lei jun yang yong yan jie juan tao ming chao xiuying xia ping gang "
            "guiying zihan haoran yutong xinyi zixuan yuxuan wang li zhang liu chen yang zhao huang zhou wu xu "
            "sun hu zhu gao lin he guo ma luo"
        ),
        strict=True,
    )
)
"""How a Chinese name is written in an e-mail address."""


@dataclass(frozen=True)
class Country:
    """One country: share of the people, language, currency, telephone prefix, names, (city, region) and streets."""

    code: str
    share: float
    language: str
    currency: str
    dial: str
    mobile: str
    first: list[str]
    last: list[str]
    cities: tuple[tuple[str, str], ...]
    streets: tuple[str, ...]


COUNTRIES = (
    Country(
        "DE", 0.42, "de", "EUR", "49", "151", _GERMAN_FIRST, _GERMAN_LAST,
        (("Berlin", "Berlin"), ("Hamburg", "Hamburg"), ("München", "Bayern"), ("Köln", "Nordrhein-Westfalen"),
         ("Leipzig", "Sachsen"), ("Stuttgart", "Baden-Württemberg"), ("Bremen", "Bremen"), ("Nürnberg", "Bayern")),
        ("Lindenstraße", "Hauptstraße", "Gartenweg", "Am Markt", "Schillerstraße", "Bahnhofstraße"),
    ),
    Country(
        "FR", 0.15, "fr", "EUR", "33", "6", _FRENCH_FIRST, _FRENCH_LAST,
        (("Paris", "Île-de-France"), ("Lyon", "Auvergne-Rhône-Alpes"), ("Nantes", "Pays de la Loire"),
         ("Lille", "Hauts-de-France"), ("Bordeaux", "Nouvelle-Aquitaine")),
        ("rue de la Paix", "avenue Victor Hugo", "rue des Lilas", "place du Marché"),
    ),
    Country(
        "NL", 0.1, "nl", "EUR", "31", "6", _DUTCH_FIRST, _DUTCH_LAST,
        (("Amsterdam", "Noord-Holland"), ("Utrecht", "Utrecht"), ("Rotterdam", "Zuid-Holland"),
         ("Groningen", "Groningen")),
        ("Kerkstraat", "Dorpsstraat", "Molenweg", "Prinsengracht"),
    ),
    Country(
        "AT", 0.05, "de", "EUR", "43", "664", _GERMAN_FIRST, _GERMAN_LAST,
        (("Wien", "Wien"), ("Graz", "Steiermark"), ("Linz", "Oberösterreich")),
        ("Ringstraße", "Mozartgasse", "Kirchenplatz"),
    ),
    Country(
        "CN", 0.12, "zh", "CNY", "86", "138", _CHINESE_FIRST, _CHINESE_LAST,
        (("上海", "上海"), ("北京", "北京"), ("深圳", "广东"), ("杭州", "浙江"), ("成都", "四川")),
        ("中山路", "人民路", "解放路", "南京西路"),
    ),
    Country(
        "GB", 0.08, "en", "GBP", "44", "77", _ENGLISH_FIRST, _ENGLISH_LAST,
        (("London", "England"), ("Leeds", "England"), ("Bristol", "England"), ("Cardiff", "Wales"),
         ("Edinburgh", "Scotland")),
        ("High Street", "Station Road", "Church Lane", "Mill Close"),
    ),
    Country(
        "US", 0.08, "en", "USD", "1", "20", _ENGLISH_FIRST, _ENGLISH_LAST,
        (("Seattle", "Washington"), ("Austin", "Texas"), ("Chicago", "Illinois"), ("Boston", "Massachusetts")),
        ("Maple Avenue", "2nd Street", "Oak Drive", "Lakeview Road"),
    ),
)  # fmt: skip

_ASCII = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "ë": "e", "î": "i", "É": "E", " ": ""}
)


def plain(name: str) -> str:
    """A name as it stands in an e-mail address: ASCII, lower case.

    >>> plain("Schröder"), plain("van den Berg"), plain("芳")
    ('schroeder', 'vandenberg', 'fang')
    """
    return PINYIN.get(name, name).translate(_ASCII).lower()


def full_name(first: str, last: str, country: str) -> str:
    """Both names in the order of the country."""
    return f"{last}{first}" if country == "CN" else f"{first} {last}"


def spelled(phone: str, country: Country, way: int) -> str:
    """A telephone number (E.164) in one of six spellings.

    >>> [spelled("+4915112345678", COUNTRIES[0], way) for way in (1, 3)]
    ['+49 151 1234 5678', '0151/12345678']
    """
    head = len(country.dial) + len(country.mobile) + 1
    prefix, number = country.mobile, phone[head:]
    match way:
        case 1:
            return f"+{country.dial} {prefix} {number[:4]} {number[4:]}"
        case 2:
            return f"00{country.dial}{prefix}{number}"
        case 3 if country.dial not in ("86", "1"):
            return f"0{prefix}/{number}"
        case 4:
            return f"(+{country.dial}) {prefix}-{number[:4]}-{number[4:]}"
        case _:
            return phone
