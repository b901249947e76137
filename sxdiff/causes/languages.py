"""Dates in words of other languages than English.

Source: the LC_TIME tables of glibc's locales (`mon`, `day`). A name may be cut short, as `abmon`
and `abday` have it.
"""

# ruff: noqa: RUF001 - names have the letters of their languages

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from sxdiff.causes.cause import Evidence, Token
from sxdiff.causes.tokens import two_times

SHORTEST = 3
"""Letters of a name that is cut short."""
_NAMES = {
    "en": (
        "january february march april may june july august september october november december",
        "monday tuesday wednesday thursday friday saturday sunday",
    ),
    "de": (
        "januar februar märz april mai juni juli august september oktober november dezember",
        "montag dienstag mittwoch donnerstag freitag samstag sonntag",
    ),
    "fr": (
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
    ),
    "es": (
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "lunes martes miércoles jueves viernes sábado domingo",
    ),
    "it": (
        (
            "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre"
            " dicembre"
        ),
        "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    ),
    "pt": (
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "segunda terça quarta quinta sexta sábado domingo",
    ),
    "nl": (
        "januari februari maart april mei juni juli augustus september oktober november december",
        "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    ),
    "sv": (
        "januari februari mars april maj juni juli augusti september oktober november december",
        "måndag tisdag onsdag torsdag fredag lördag söndag",
    ),
    "da": (
        "januar februar marts april maj juni juli august september oktober november december",
        "mandag tirsdag onsdag torsdag fredag lørdag søndag",
    ),
    "nb": (
        "januar februar mars april mai juni juli august september oktober november desember",
        "mandag tirsdag onsdag torsdag fredag lørdag søndag",
    ),
    "fi": (
        (
            "tammikuu helmikuu maaliskuu huhtikuu toukokuu kesäkuu heinäkuu elokuu syyskuu lokakuu"
            " marraskuu joulukuu"
        ),
        "maanantai tiistai keskiviikko torstai perjantai lauantai sunnuntai",
    ),
    "et": (
        (
            "jaanuar veebruar märts aprill mai juuni juuli august september oktoober november"
            " detsember"
        ),
        "esmaspäev teisipäev kolmapäev neljapäev reede laupäev pühapäev",
    ),
    "pl": (
        (
            "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października"
            " listopada grudnia"
        ),
        "poniedziałek wtorek środa czwartek piątek sobota niedziela",
    ),
    "cs": (
        "ledna února března dubna května června července srpna září října listopadu prosince",
        "pondělí úterý středa čtvrtek pátek sobota neděle",
    ),
    "ru": (
        "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
        "понедельник вторник среда четверг пятница суббота воскресенье",
    ),
    "tr": (
        "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
        "pazartesi salı çarşamba perşembe cuma cumartesi pazar",
    ),
    "hu": (
        (
            "január február március április május június július augusztus szeptember október"
            " november december"
        ),
        "hétfő kedd szerda csütörtök péntek szombat vasárnap",
    ),
}
_TABLES = {name: (months.split(), days.split()) for name, (months, days) in _NAMES.items()}
_WORD = r"[^\W\d_]{3,14}"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_DATE = re.compile(
    rf"(?<![\w.])(?:(?P<a>[^\W\d_]{{2,14}})\.?,? )?"
    rf"(?P<date>(?P<d>\d{{1,2}})\.? (?:de )?(?P<b>{_WORD})\.?,? (?:de )?(?P<Y>(?:19|20)\d\d)"
    rf"(?:,? (?P<T>{_CLOCK})(?: UTC| GMT)?)?"
    rf"|(?P<b1>{_WORD})\.? {{1,2}}(?P<d1>\d{{1,2}})(?: (?P<T1>{_CLOCK}))?,? (?P<Y1>(?:19|20)\d\d))"
    r"(?![\w-])"
)
_MAYBE = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


def _number(names: list[str], word: str) -> int | None:
    """Which of the names a word is; None where it is none, or may be several."""
    if not word:
        return None
    if word in names:
        return names.index(word)
    found = [number for number, name in enumerate(names) if name.startswith(word)]
    return found[0] if len(found) == 1 else None


def dates(text: str) -> Iterator[Token]:
    """Dates with the name of the month in a known language, and the time of day where it is told.
    Their value is the time, a slash, and the languages in which it reads so."""
    if not _MAYBE.search(text):
        return
    for found in _DATE.finditer(text):
        month, day, year = (found[name] or found[f"{name}1"] for name in ("b", "d", "Y"))
        clock = found["T"] or found["T1"] or "00:00:00"
        name = (found["a"] or "").casefold()
        if not any(_number(days, name) is not None for _, days in _TABLES.values()):
            name = ""  # a word before the date
        read: dict[str, list[str]] = {}
        for language, (months, days) in _TABLES.items():
            number = _number(months, month.casefold())
            if number is None:
                continue
            try:
                moment = datetime(int(year), number + 1, int(day), tzinfo=UTC)
            except ValueError:
                continue
            if name and _number(days, name) != moment.weekday():
                continue
            if language == "en" and 0 < len(name) < SHORTEST:
                continue  # "Sa" is German
            read.setdefault(moment.strftime("%Y-%m-%d"), []).append(language)
        if len(read) == 1:
            ((day_of, languages),) = read.items()
            start = found.start() if name else found.start("date")
            value = f"{day_of}T{clock}/{','.join(languages)}"
            yield Token(start, found.end(), value, "date in words")


def two_languages(one: Token, two: Token) -> Evidence | None:
    """The same day in words of two languages."""
    (a, ours), (b, theirs) = (token.value.split("/") for token in (one, two))
    if a != b or set(ours.split(",")) & set(theirs.split(",")):
        return None
    return Evidence(ours, theirs)


def two_days(one: Token, two: Token) -> Evidence | None:
    """Two days in words of one language."""
    (a, ours), (b, theirs) = (token.value.split("/") for token in (one, two))
    if not set(ours.split(",")) & set(theirs.split(",")):
        return None
    found = two_times(Token(0, 0, a), Token(0, 0, b))
    return found and Evidence(found.a, found.b, weak=True)
