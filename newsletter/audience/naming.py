"""The first name in a full name, by a rule that rather says nothing than something wrong.

Forms and many tables know one field for a name, and letters begin with “Hello {{ first_name or "neighbour" }}”.
"""

from __future__ import annotations

import re

MOST_WORDS = (
    3  # of four and more it is seldom sure where the first name ends: Maria del Carmen Ortiz, Anna and Bob Hill
)
# A word of letters, perhaps with a hyphen or an apostrophe: Anne-Marie, D'Arcy. No initials (J. Smith), no digits.
_WORD = re.compile(r"[^\W\d_]{2,}(?:[-'’][^\W\d_]+)*")
# Chinese, Japanese and Korean names begin with the name of the family.
_FAMILY_FIRST = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_NO_FIRST_NAMES = frozenset(
    # Titles, then what begins or ends the name of a body, a household or a role.
    re.findall(
        r"\S+",
        "mr mrs ms miss mx dr prof professor rev reverend fr father sr sister cllr councillor alderman mayor sir dame "
        "lord lady hon judge major captain capt col colonel pc sgt sergeant inspector herr frau monsieur madame mme "
        "mlle señor señora sra signor signora pan pani "
        "the st saint family household flat and und y et council parish church school college club association group "
        "trust society team office company ltd limited plc llp residents tenants friends hall centre center police "
        "service services committee forum clerk secretary treasurer manager admin resident neighbour",
    )
)


def first_of(name: str) -> str:
    """`Sam` of “Sam Okafor”; "" where the name is one word or more than three, has a title, or is no person's."""
    words = name.split()
    if not 2 <= len(words) <= MOST_WORDS or "," in name or _FAMILY_FIRST.search(name):
        return ""
    if any(word.strip(".").casefold() in _NO_FIRST_NAMES or word in "&+" for word in words):
        return ""
    first = words[0]
    if not _WORD.fullmatch(first) or (first.isupper() and name.isupper() and len(first) > 2):
        return ""  # SMITH JOHN: tables in capitals have the family's name first as often as not
    return first
