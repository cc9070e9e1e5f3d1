"""Months as languages of Europe call them. Exported programs have a copy of this file's functions."""

from __future__ import annotations

import calendar
import re
import string

WORD = re.compile(r"[^\W\d_]+\.?")
LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
MONTHS = {word: i + 1 for i, words in enumerate((
    "jan january januar januari janvier janv enero ene gennaio gen janeiro styczeń stycznia января янв ocak oca jän jänner",
    "feb february februar februari février févr fév febrero febbraio fevereiro fev luty lutego lut февраля фев şubat şub",
    "mar march märz mär mrz mars maart mrt marzo março marzec marca марта мар mart",
    "apr april avril avr abril abr aprile kwiecień kwietnia kwi апреля апр nisan nis",
    "may mai mei mayo maggio mag maio maj maja мая май mayıs",
    "jun june juni juin junio giugno giu junho czerwiec czerwca cze июня июн haziran haz",
    "jul july juli juillet juil julio luglio lug julho lipiec lipca lip июля июл temmuz tem",
    "aug august augustus août aoû agosto ago sierpień sierpnia sie августа авг ağustos ağu augusti",
    "sep sept september septembre septiembre settembre set setembro wrzesień września wrz сентября сен сент eylül eyl",
    "oct october oktober okt octobre octubre ottobre ott outubro out październik października paź октября окт ekim eki",
    "nov november novembre noviembre novembro listopad listopada lis ноября ноя нояб kasım kas",
    "dec december dezember dez décembre déc diciembre dic dicembre dezembro grudzień grudnia gru desember des декабря дек aralık ara",
)) for word in words.split()}  # fmt: skip
"""Months by what languages of Europe call them and how they shorten it, in small letters of ASCII."""


def english(text: str, short: bool) -> str:
    """A text with the months in it called as in English, by their first three letters if `short`; other words are left as they are."""
    names = calendar.month_abbr if short else calendar.month_name

    def named(found: re.Match[str]) -> str:
        number = MONTHS.get(found[0].rstrip(".").translate(LOWER))
        return found[0] if number is None else names[number]

    return WORD.sub(named, text)
