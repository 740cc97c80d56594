"""Writes recipients/demo.csv: 500 made-up people, the same every time (`python -m tests.audience.make_demo`)."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

PEOPLE = 500
WITHOUT_FIRST_NAME = 95  # 19 %: what real lists look like, and what `check` warns of
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
# ward, area, the ward's next meeting
WARDS = [
    ("Stafford North", "Stafford Borough", "2026-12-08"),
    ("Stafford South", "Stafford Borough", "2026-12-09"),
    ("Baswich", "Stafford Borough", "2026-12-15"),
    ("Cannock East", "Cannock Chase", "2026-12-10"),
    ("Leek West", "Staffordshire Moorlands", "2027-01-12"),
]
HEADER = ["email", "first_name", "last_name", "language", "lists", "area", "tags", "ward", "meeting"]


def demo() -> str:
    """The file's text: UTF-8, commas, the line ends of CSV."""
    chance = random.Random(2026)
    nameless = set(chance.sample(range(PEOPLE), WITHOUT_FIRST_NAME))
    rows, taken = [], set()
    for number in range(PEOPLE):
        (first, first_address), (last, last_address) = chance.choice(FIRST), chance.choice(LAST)
        domain = IDN if number % 50 == 7 else chance.choice(DOMAINS)
        local = f"{first_address}.{last_address}"
        while f"{local}@{domain}" in taken:
            local = f"{first_address}.{last_address}{chance.randrange(2, 100)}"
        taken.add(f"{local}@{domain}")
        ward, area, meeting = chance.choice(WARDS)
        if number in nameless:  # signed up with the address alone, or with a surname
            first, last = "", last if number % 3 == 0 else ""
        language = chance.choices([LANGUAGES.get(first_address, "en-GB"), "en-GB", ""], [50, 34, 16])[0]
        lists = "all-residents;monthly" if chance.random() < 0.4 else "all-residents"
        tags = chance.choices(["", "volunteer", "business", "volunteer;neighbourhood-watch"], [80, 10, 6, 4])[0]
        rows.append([f"{local}@{domain}", first, last, language, lists, area, tags, ward, meeting])
    text = io.StringIO()
    csv.writer(text).writerows([HEADER, *rows])
    return text.getvalue()


if __name__ == "__main__":
    TARGET.write_bytes(demo().encode())
