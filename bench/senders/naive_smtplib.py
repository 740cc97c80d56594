"""What anyone would write first: Jinja, EmailMessage, smtplib, one connection. `… ROOT PORT MESSAGES`."""

from __future__ import annotations

import smtplib
import sys
from pathlib import Path

from jinja2 import Environment

from bench.senders import clock
from bench.senders.material import Material, email_message


def main(root: Path, port: int, messages: int) -> None:
    material = Material(root)
    with clock.measured(messages), smtplib.SMTP("127.0.0.1", port) as server:
        templates = [Environment(autoescape=False).from_string(part) for part in material.templates]
        for number in range(messages):
            person = material.person(number)
            subject, text, html = (template.render(person) for template in templates)
            server.send_message(email_message(person, subject, text, html), person["from"], [person["to"]])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
