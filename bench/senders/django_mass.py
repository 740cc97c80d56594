"""Django's way: EmailMultiAlternatives made from Jinja templates, send_messages() of 100. `… ROOT PORT MESSAGES`."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.senders import clock
from bench.senders.material import Material

HUNDRED = 100


def main(root: Path, port: int, messages: int) -> None:
    from django.conf import settings

    settings.configure(EMAIL_HOST="127.0.0.1", EMAIL_PORT=port, DEFAULT_CHARSET="utf-8")
    from django.core.mail import EmailMultiAlternatives, get_connection
    from jinja2 import Environment

    material = Material(root)
    with clock.measured(messages):
        templates = [Environment(autoescape=False).from_string(part) for part in material.templates]
        connection = get_connection("django.core.mail.backends.smtp.EmailBackend")
        connection.open()
        for start in range(0, messages, HUNDRED):
            batch = []
            for number in range(start, min(start + HUNDRED, messages)):
                person = material.person(number)
                subject, text, html = (template.render(person) for template in templates)
                leave = {"List-Unsubscribe": f"<https://news.example/leave/{person['to']}>"}
                message = EmailMultiAlternatives(
                    subject, text, "news@staffordshire.example", [person["to"]], headers=leave
                )
                message.attach_alternative(html, "text/html")
                batch.append(message)
            connection.send_messages(batch)
        connection.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
