"""From an empty folder to a mail in a real mailbox, and back: over TLS, with a login, through https."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from tests.sending.transports.conftest import Certificates
from tests.stories.servers import PASSWORD, USER, MailHost, free_port, https, running

ISSUE = """\
---
subject: Reply by 5pm: "Fire" at the mill, #1 worry
preheader: What happened, and what you can do.
from: office
audience: [everyone]
---

# A fire at the old mill

Hello {{ first_name or "neighbour" }},

nobody was hurt. The mill is closed until Friday.

![The mill from the river, smoke above its roof](images/mill.png)

::reply[Tell us what you saw]
"""
# Excel on a British Windows: semicolons, its own encoding, no quotes where we would put them.
EXCEL = """\
email;first_name;last_name\r
zoe@people.example;Zoë;Müller\r
ann@people.example;Ann;O’Neil\r
bob@people.example;;\r
"""

CONSENT = ("--consent", "Ticked: send me the newsletter, form of May 2026")


@dataclass
class Town:
    """The workspace, and what surrounds it."""

    root: Path
    host: MailHost
    environment: dict[str, str]

    def run(self, *words: str, stdin: bytes = b"", code: int = 0) -> str:
        """Type a command in the workspace; its output. The password never shows."""
        done = subprocess.run(
            [sys.executable, "-m", "newsletter", *words],
            cwd=self.root,
            input=stdin,
            capture_output=True,
            env=self.environment,
            timeout=100,
            check=False,
        )
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == code, said
        assert "Traceback" not in said and PASSWORD not in said
        return done.stdout.decode() if "--json" in words else said

    def json(self, *words: str, stdin: bytes = b"") -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.run(*words, "--json", stdin=stdin))
        return answer

    def mail(self, person: str) -> EmailMessage:
        """The only mail in this person's mailbox."""
        (raw,) = self.host.read(person)
        message = BytesParser(policy=default).parsebytes(raw)
        assert isinstance(message, EmailMessage)
        return message


@pytest.fixture
def town(tmp_path: Path, certificates: Certificates, database: dict[str, str]):
    """An empty folder, a mail host with mailboxes, and the certificates' authority in this computer's list."""
    root = tmp_path / "town"
    root.mkdir()
    authority = str(certificates.folder / "authority.pem")
    environment = {
        **database,
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "SSL_CERT_FILE": authority,
    }
    with MailHost(tmp_path / "mailboxes", certificates.server("good")) as host:
        yield Town(root, host, environment)


def set_up(town: Town, public: int, plain: int) -> None:
    """Answer the five questions, then say how to log in at the relay and where the pages listen."""
    answers = f"The Town\n{USER}\nhttps://127.0.0.1:{public}\n127.0.0.1:{town.host.port}\nreply.town.example\n"
    town.run("init", stdin=answers.encode())
    (town.root / "var" / "relay-password").write_text(f"{PASSWORD}\n")
    path = town.root / "newsletter.toml"
    text = path.read_text()
    text = text.replace('# user = "news"', f'user = "{USER}"').replace("# password_file", "password_file")
    text = re.sub(r"^postal_address = .*", 'postal_address = "Town Hall, 1 High Street"', text, flags=re.MULTILINE)
    text = re.sub(r'^tls = "none"', 'tls = "starttls"', text, flags=re.MULTILINE)
    path.write_text(f'{text}\n[web]\nlisten = "127.0.0.1:{plain}"\n')


def write(town: Town) -> None:
    """Write the issue; its picture is forgotten first, and `check` says so at its line."""
    town.run("new", "Reply by 5pm: what to do")
    (issue,) = (town.root / "issues").glob("*/issue.md")
    issue.write_text(ISSUE, encoding="utf-8")
    said = town.run("check", code=1)
    assert "images/mill.png" in said
    assert "issue.md:14" in said
    from PIL import Image

    (issue.parent / "images").mkdir(exist_ok=True)
    Image.new("RGB", (1600, 900), "firebrick").save(issue.parent / "images" / "mill.png")
    town.run("check")


def bring_people(town: Town) -> None:
    (town.root / "people.csv").write_bytes(EXCEL.encode("cp1252"))
    town.run("recipients", "import", "people.csv", "--list", "everyone", "--yes", *CONSENT)
    assert town.json("recipients", "count")["will_get"] == 3
    town.run("recipients", "import", "people.csv", "--list", "everyone", "--yes", *CONSENT)
    assert town.json("recipients", "count")["will_get"] == 3


def test_from_an_empty_folder_to_a_mailbox_and_back(town: Town, certificates: Certificates) -> None:
    public, plain = free_port(), free_port()
    set_up(town, public, plain)
    write(town)
    bring_people(town)
    refused = town.run("send", "--yes", "--expect", "3", code=4)
    assert "site-not-ours" in refused and town.host.read("ann@people.example") == []

    with running(town.root, "web", plain, town.environment) as log, https(certificates.server("good"), public, plain):
        said = town.run("doctor", "--to", "me@people.example")
        assert f"logged in as {USER}" in said and "it is ours" in said
        assert "It has arrived" in town.mail("me@people.example").get_content()

        town.run("test", "--to", "tester@people.example")
        assert town.mail("tester@people.example")["Subject"].startswith("[TEST] Reply by 5pm")
        town.run("send", "--yes", "--expect", "3")
        town.run("send", "--yes", "--expect", "3")  # goes on where it stopped, which is the end

        status = town.json("status")
        assert (status["frozen"], status["accepted"], status["state"]) == (3, 3, "finished")
        zoe = town.mail("zoe@people.example")
        assert zoe["Subject"] == 'Reply by 5pm: "Fire" at the mill, #1 worry'
        assert "Hello Zoë," in zoe.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert "Hello neighbour," in town.mail("bob@people.example").get_body(("html",)).get_content()  # type: ignore[union-attr]
        assert [part.get_content_type() for part in zoe.walk() if part.get_content_maintype() == "image"] == [
            "image/png"
        ]
        assert zoe["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

        leave(zoe, certificates)
        assert PASSWORD not in log.read_text()
    assert town.json("recipients", "count")["will_get"] == 2
    answers_come_back(town)


def leave(mail: EmailMessage, certificates: Certificates) -> None:
    """Read the page (which changes nothing), then leave as a mail service does."""
    found = re.search(r"<(https://[^>]+)>", str(mail["List-Unsubscribe"]))
    assert found
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=certificates.client())
    )
    with opener.open(found[1], timeout=20) as page:
        assert page.status == 200 and b"<form" in page.read()
    with opener.open(found[1], data=b"List-Unsubscribe=One-Click", timeout=20) as answer:
        assert answer.status == 200


def answers_come_back(town: Town) -> None:
    """One who stays and one who has left write in; both become conversations with the issue and the person."""
    for person, words in (("ann@people.example", "I saw two people run."), ("zoe@people.example", "Whom do I ring?")):
        mail = town.mail(person)
        answer = EmailMessage()
        answer["From"], answer["To"] = person, str(mail["Reply-To"])
        answer["Subject"] = f"Re: {mail['Subject']}"
        answer["In-Reply-To"] = mail["Message-ID"]
        answer.set_content(f"{words}\n\nOn Tuesday The Town wrote:\n> nobody was hurt.\n")
        recipient = mail["Reply-To"].addresses[0].addr_spec
        town.run("replies", "receive", "--recipient", recipient, "--sender", person, stdin=answer.as_bytes())
    found = town.json("replies", "list")["conversations"]
    assert len(found) == 2
    shown = town.run("replies", "show", str(found[1]["id"]))
    assert "Whom do I ring?" in shown and "zoe@people.example" in shown
    assert "nobody was hurt" not in shown, "only the new words"
