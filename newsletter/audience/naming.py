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
# Two people in one cell, an address, a number of a flat or a unit.
_NO_NAME = re.compile(r"[&+/\\|@:;=\d]")


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())


# Where one of these stands anywhere in it, no first name is sure. Words that are as often a person's own name (Banks,
# Ward, Law, Park) are not among them.
_NO_FIRST_NAMES = _words(
    # Titles. Mrs John Smith is called neither Mrs nor John.
    "mr mrs ms miss mx dr prof professor rev reverend fr father sr sister cllr councillor alderman mayor sir dame "
    "lord lady hon judge major captain capt col colonel pc sgt sergeant inspector herr frau monsieur madame mme "
    "mlle señor señora sra signor signora pan pani mp ms mla mep",
    # What begins or ends the name of a household, a body or a role.
    "the st saint family household flat and und y et council parish church school college club association group "
    "trust society team office company ltd limited plc llp residents tenants friends hall centre center police "
    "service services committee forum clerk secretary treasurer manager admin resident neighbour",
    "academy advice agency alliance authority board borough campaign charity choir citizens city commission "
    "commissioner community department dept district federation foundation governor governors hospital housing "
    "initiative institute league library ministry mosque museum nursery partnership project surgery synagogue "
    "temple theatre union university village volunteers watch",
    "accountants architects bakery builders building cafe café care catering clinic co construction consultancy "
    "consultants consulting corp corporation design dental electrical energy engineering estates finance fitness "
    "garage gmbh gym health healthcare holdings hotel inc insurance international lettings logistics media motors "
    "partners pharmacy plumbing properties property pub radio restaurant sales shop software solicitors solutions "
    "stores studio studios systems taxis tech technologies technology training transport travel",
    # What people type where they have no name to give.
    "anon anonymous customer guest member name none null test unknown user",
)
# They begin a family's name: van Dijk, De Souza, Al Hassan, Le Blanc. In front, they say that it came first.
_PARTICLES = _words("van von de del della di da dos das du la le lo el al ibn bin bint ter ten zu zum mac")
# Behind a comma: John Smith, MBE is not called MBE.
_SUFFIXES = _words("jr jnr sr snr esq esquire phd dphil md bsc msc ba ma llb obe mbe cbe kbe jp kc qc ii iii iv")


def first_of(name: str) -> str:
    """`Sam` of “Sam Okafor” and of “Okafor, Sam”.

    "" where the name is one word or more than three, has a title, or may be no person's.
    """
    family, comma, given = name.partition(",")
    words = (given if comma else name).split()
    if comma:
        before = family.split()
        if not before or (len(before) > 1 and before[0].casefold() not in _PARTICLES):
            return ""  # John Smith, Stafford
    if not (1 if comma else 2) <= len(words) <= MOST_WORDS or _NO_NAME.search(name) or _FAMILY_FIRST.search(name):
        return ""
    known = {word.strip(".,()'’\"").casefold() for word in name.replace(",", " ").split()}
    first = words[0]
    if not _WORD.fullmatch(first) or known & _NO_FIRST_NAMES or first.casefold() in _PARTICLES:
        return ""
    if first.endswith(("'s", "’s")):
        return ""  # Women's Aid
    if first.isupper() or (comma and first.casefold() in _SUFFIXES):
        return ""  # SMITH JOHN: tables in capitals have the family's name first as often as not; BBC Midlands, JJ Smith
    return first
