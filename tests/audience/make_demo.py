"""Writes recipients/demo.csv: 500 made-up people, the same every time (`python -m tests.audience.make_demo`).

Where they live: tests.audience.make_areas.
"""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

from tests.audience import make_areas

PEOPLE = 500
WITHOUT_FIRST_NAME = 95  # 19 %: what real lists look like, and what `check` warns of
WITHOUT_AREA = 60  # who only told us a postcode, so that there is somebody to place
TARGET = Path(__file__).resolve().parents[2] / "recipients" / "demo.csv"

# (as written, as it stands in an address)
FIRST = [
    ("Siân", "sian"), ("Rhys", "rhys"), ("Angharad", "angharad"), ("Llewelyn", "llewelyn"), ("Ffion", "ffion"),
    ("عائشہ", "ayesha"), ("محمد", "mohammad"), ("فاطمہ", "fatima"), ("Imran", "imran"), ("Zainab", "zainab"),
    ("Łukasz", "lukasz"), ("Małgorzata", "malgorzata"), ("Żaneta", "zaneta"), ("Paweł", "pawel"), ("Agnieszka", "aga"),
    ("Sam", "sam"), ("Grace", "grace"), ("Jo", "jo"), ("Mary-Anne", "mary-anne"), ("D’Arcy", "darcy"),
    ("Chidi", "chidi"), ("Oluwaseun", "seun"), ("Ngozi", "ngozi"), ("Priya", "priya"), ("Arjun", "arjun"),
    ("Mei-Ling", "mei-ling"), ("Wei", "wei"), ("José", "jose"), ("Zoë", "zoe"), ("Björn", "bjorn"),
    ("Ștefan", "stefan"), ("Ana-Maria", "ana-maria"), ("Kwame", "kwame"), ("Eleanor", "eleanor"),
    ("Winston", "winston"), ("Maximilian Alexander Bartholomew", "max"),
]  # fmt: skip
LAST = [
    ("Llewellyn-Jones", "llewellyn-jones"), ("Gruffydd", "gruffydd"), ("ap Dafydd", "apdafydd"), ("Môn", "mon"),
    ("خان", "khan"), ("احمد", "ahmed"), ("حسین", "hussain"), ("Begum", "begum"), ("Chaudhry", "chaudhry"),
    ("Wiśniewska", "wisniewska"), ("Dąbrowski", "dabrowski"), ("Żółkiewski", "zolkiewski"), ("Nowak", "nowak"),
    ("O'Brien", "obrien"), ("O’Connor", "oconnor"), ("Smith-Jones", "smith-jones"), ("St John", "stjohn"),
    ("Okafor", "okafor"), ("Adeyemi", "adeyemi"), ("Mensah", "mensah"), ("Patel", "patel"), ("Iyer", "iyer"),
    ("Chan", "chan"), ("Nguyễn", "nguyen"), ("García Márquez", "garcia"), ("Müller", "mueller"), ("Ionescu", "ionescu"),
    ("de la Cruz", "delacruz"), ("Taylor", "taylor"), ("Fitzwilliam", "fitzwilliam"), ("MacDonald", "macdonald"),
    ("Featherstonehaugh-Cholmondeley", "featherstonehaugh"), ("Ng", "ng"), ("Y", "y"),
]  # fmt: skip
LANGUAGES = dict.fromkeys(["sian", "rhys", "angharad", "llewelyn", "ffion"], "cy") | dict.fromkeys(
    ["ayesha", "mohammad", "fatima", "imran", "zainab"], "ur"
)
DOMAINS = ["example.org", "mail.example", "post.example", "tamworth.example", "leek.example", "example.org"]
IDN = "llythyrdŷ.example"
# ward, the ward's next meeting
WARDS = [
    ("Stafford North", "2026-12-08"),
    ("Stafford South", "2026-12-09"),
    ("Baswich", "2026-12-15"),
    ("Cannock East", "2026-12-10"),
    ("Leek West", "2027-01-12"),
]
HEADER = ["email", "first_name", "last_name", "language", "lists", "area", "postcode", "tags", "ward", "meeting"]


def demo() -> str:
    """The file's text: UTF-8, commas, the line ends of CSV."""
    chance, places = random.Random(2026), random.Random(2027)
    nameless = set(chance.sample(range(PEOPLE), WITHOUT_FIRST_NAME))
    without_area = set(places.sample(range(PEOPLE), WITHOUT_AREA))
    codes = make_areas.by_ward()
    rows, taken = [], set()
    for number in range(PEOPLE):
        (first, first_address), (last, last_address) = chance.choice(FIRST), chance.choice(LAST)
        domain = IDN if number % 50 == 7 else chance.choice(DOMAINS)
        local = f"{first_address}.{last_address}"
        while f"{local}@{domain}" in taken:
            local = f"{first_address}.{last_address}{chance.randrange(2, 100)}"
        taken.add(f"{local}@{domain}")
        ward, meeting = chance.choice(WARDS)
        area = make_areas.key(ward)
        code = places.choice(codes[area])
        if number in nameless:  # signed up with the address alone, or with a surname
            first, last = "", last if number % 3 == 0 else ""
        language = chance.choices([LANGUAGES.get(first_address, "en-GB"), "en-GB", ""], [50, 34, 16])[0]
        lists = "all-residents;monthly" if chance.random() < 0.4 else "all-residents"
        tags = chance.choices(["", "volunteer", "business", "volunteer;neighbourhood-watch"], [80, 10, 6, 4])[0]
        rows.append(
            [
                f"{local}@{domain}",
                first,
                last,
                language,
                lists,
                "" if number in without_area else area,
                code,
                tags,
                ward,
                meeting,
            ]
        )
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *rows])
    return text.getvalue()


if __name__ == "__main__":
    TARGET.write_bytes(demo().encode())
