"""The words that `newsletter init` writes where nobody has answered yet, and who finds them before readers do."""

from __future__ import annotations

from newsletter.config.shape import Config
from newsletter.problems import Problem, Severity

ORGANISATION = "Our organisation"
SENDER = "news@example.org"
REPLIES = "reply.example.org"
POSTAL_ADDRESS = "Put your postal address here, 1 Example Street, Example Town"


def left(config: Config, sender: str = "") -> tuple[Problem, ...]:
    """A Problem for each setting that still holds `init`'s example and would reach people who are written to by
    `sender` (a key of [senders]; empty: by any): must fix where mail leaves here, worth a look with the catcher."""
    senders = {key: one for key, one in config.senders.items() if not sender or key == sender}
    leaves = config.mail.transport == "smtp"
    found = []
    if config.site.postal_address == POSTAL_ADDRESS:
        text = "The postal address is still the one that newsletter init wrote"
        found.append(("no-postal-address", text, "Put yours in; it is in every mail’s footer.", "site.postal_address"))
    if ORGANISATION in (config.site.name, *(one.name for one in senders.values())):
        key = next((f"senders.{key}.name" for key, one in senders.items() if one.name == ORGANISATION), "site.name")
        text = f"The organisation is still called ‘{ORGANISATION}’, as newsletter init wrote it"
        found.append(("example-setting", text, "Put its name in; people see it in From and in the mail.", key))
    for key, one in senders.items():
        if one.address == SENDER:
            text = f"The sender’s address is still {SENDER}, as newsletter init wrote it"
            found.append(
                ("example-setting", text, "Put the address in that your mails come from.", f"senders.{key}.address")
            )
    if config.mail.reply_domain == REPLIES and leaves:
        text = f"Answers would go to {REPLIES}, which newsletter init wrote as an example"
        found.append(
            ("example-setting", text, "Put the domain in that your mail server takes answers for.", "mail.reply_domain")
        )
    severity = Severity.ERROR if leaves else Severity.WARNING
    return tuple(Problem(code, text, hint, config.where(key), severity) for code, text, hint, key in found)
