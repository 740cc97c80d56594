"""Makes the workspace that is raced: the seed issue, grown to 40 KB, and made-up people, imported and approved.

`python -m bench.senders.prepare ROOT PEOPLE [--material N] [--wait] [--url URL]`. With --material, N mails and what
they are made of are kept for the other senders. With --wait nothing is approved.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from newsletter import config as configuration
from newsletter.audience import database, importing
from newsletter.config import Config

HERE = Path(__file__).resolve().parents[2]
SLUG = "2026-11-24-asb-and-mental-health"
SIZE = 40_000  # bytes of a mail on the wire, as a newsletter with a few pictures by address has
FIRSTS = ("Ann", "Bilal", "Cerys", "Zoë", "Dafydd", "Ewa", "Farah", "Grace")
WORDS = (
    '\n## Part {number}\n\nDear {{{{ first_name or "neighbour" }}}}, this part stands for the rest of a long letter: '
    "what was done on your street, when the next meeting is, who comes, and whom to ring when something is wrong. "
    "It says as much as people read, and a little more.\n"
)


def workspace(root: Path, people: int, url: str = "") -> Config:
    """A folder with configuration, issue, database and people; `url` names another database than its own file."""
    for folder in ("templates", "issues"):
        shutil.copytree(HERE / folder, root / folder, dirs_exist_ok=True)
    toml = (HERE / "newsletter.toml").read_text(encoding="utf-8")
    toml = toml.replace("[site]\n", '[site]\nurl = "https://news.staffordshire.example"\n', 1)
    toml += f'\n[database]\nurl = "{url}"\n' if url else ""
    (root / "newsletter.toml").write_text(toml, encoding="utf-8")
    config = configuration.load(root)
    database.ready(config)
    from newsletter.sending import keys

    keys.keyring(config)
    grow(root, config)
    file = root / "people.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write("email,first_name,last_name,ward\n")
        for number in range(people):
            first = FIRSTS[number % len(FIRSTS)]
            out.write(f"person{number}@town{number % 50}.example,{first},Surname{number % 977},Baswich\n")
    importing.run(importing.plan(file, config, "all-residents"))
    return config


def prepared(config: Config) -> Any:
    from newsletter.cli.sending_issue import prepare
    from newsletter.rendering.model import Mode

    return prepare(config, config.root / "issues" / SLUG, Mode.SEND)


def grow(root: Path, config: Config) -> None:
    """Add paragraphs to the issue until one person's mail is 40 KB; the mail grows evenly with each."""
    file = root / "issues" / SLUG / "issue.md"
    before = file.read_text(encoding="utf-8")

    def size(parts: int) -> int:
        file.write_text(before + "".join(WORDS.format(number=at) for at in range(parts)), encoding="utf-8")
        return len(first_mail(config))

    alone, ten = size(0), size(10)
    size(max(0, round((SIZE - alone) / (ten - alone) * 10)))


def first_mail(config: Config) -> bytes:
    """The mail of somebody who is on no list yet, as `newsletter test` makes it."""
    from datetime import UTC, datetime

    from newsletter.sending import keys, mailings
    from newsletter.sending.message import Composer
    from newsletter.sending.outbox import Leased

    found = prepared(config)
    composer = Composer(
        config,
        keys.keyring(config),
        found.renders,
        mailings.settings_of(config, found.issue),
        b"p" * 9,
        datetime.now(UTC),
    )
    row = Leased(
        1,
        1,
        0,
        "a@town.example",
        "a@town.example",
        "Ann",
        "",
        {"first_name": "Ann"},
        ("all-residents",),
        b"t" * 9,
        b"u" * 9,
    )
    return composer.compose(row).data


def approve(config: Config) -> Any:
    from newsletter.cli.sending_issue import public_copies
    from newsletter.sending import mailings

    found = prepared(config)
    return mailings.approve(config, found.renders, found.issue, public=public_copies(config, found))


def keep_material(config: Config, mailing: Any, number: int) -> None:
    """The first mails as we build them, and the same issue as Jinja templates with each person's values."""
    from newsletter.mail.tokens import Keyring
    from newsletter.rendering import freeze, merge
    from newsletter.sending.message import Composer
    from newsletter.sending.models import Delivery
    from newsletter.sending.outbox import Leased

    composer = Composer.of(config, Keyring.load(config.var / "secret.key"), mailing)
    folder = config.root / "material"
    folder.mkdir()
    people, offsets = [], [0]
    rendered = freeze.from_json(mailing.rendered[""])
    variant = merge.variant(rendered, merge.truths(rendered, {}))
    keys = [f"v{at}" for at in range(len(variant.holes))]
    with (folder / "mails").open("wb") as out:
        for row in Delivery.objects.filter(mailing=mailing).order_by("pk")[:number]:
            leased = Leased(
                row.pk, 1, 0, row.canonical, row.address, row.name, row.language, row.values, tuple(row.lists),
                bytes(row.token), b"u" * 9,
            )  # fmt: skip
            ready = composer.compose(leased)
            offsets.append(offsets[-1] + out.write(ready.data))
            slot = {s.key: f"https://news.example/{s.key}/{row.pk}" for s in rendered.slots}
            values = merge.fill(rendered, variant, {"first_name": row.values.get("first_name", "")}, slot)
            people.append({"to": row.address, "from": ready.envelope_sender, **dict(zip(keys, values, strict=True))})
    (folder / "people.json").write_text(json.dumps({"people": people, "offsets": offsets}))
    for name in ("subject", "text", "html"):
        (folder / f"{name}.txt").write_text(template(getattr(variant, name)), encoding="utf-8")


def template(pieces: tuple[str | int, ...]) -> str:
    """The part with `{{ v3 }}` where a value goes."""
    return "".join(piece.replace("{{", "{ {") if isinstance(piece, str) else f"{{{{ v{piece} }}}}" for piece in pieces)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("people", type=int)
    parser.add_argument("--material", type=int, default=0)
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    made = workspace(given.root, given.people, given.url)
    size = len(first_mail(made))
    if not given.wait:
        mailing = approve(made)
        if given.material:
            keep_material(made, mailing, given.material)
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        connection.cursor().execute("ANALYZE")
    print(json.dumps({"size": size}))
