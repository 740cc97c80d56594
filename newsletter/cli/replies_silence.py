"""The red lines over the list of replies: a mailbox that cannot be read, a canary that does not come back, a loop."""

from __future__ import annotations

from newsletter.problems import Problem, Severity


def silence() -> list[Problem]:
    """What may keep answers from reaching us; an empty list must not look like calm."""
    from newsletter import settings
    from newsletter.replies import canary, imap

    hint = "Answers wait there, unread. `newsletter replies fetch` tries it now; it goes on by itself once it is right."
    found = [
        Problem("mailbox-trouble", words, hint, severity=Severity.ERROR) for words in imap.troubles(settings.current())
    ]
    hint = "Answers may not reach you. `newsletter doctor` says more; look into the mailbox by hand until it is right."
    found += [Problem("canary-missing", words, hint, severity=Severity.ERROR) for words in canary.missing_words()]
    return [*found, *circles()]


def circles() -> list[Problem]:
    """Machines that answer each other: thanks that were stopped for everybody, and our own mail that comes back."""
    from newsletter.replies import acknowledging, loops

    found = []
    if acknowledging.stopped():
        hint = (
            "Every message is kept. Look into `newsletter replies list` for who writes so much; it goes on by itself."
        )
        words = f"Nobody is thanked by itself at the moment: {acknowledging.STOPPED}"
        found.append(Problem("thanks-stopped", words, hint, severity=Severity.ERROR))
    if number := loops.lately():
        words = f"{number} mails of ours came back to us in the last day: a mailbox sends them on to our own address"
        hint = "`newsletter replies sorted --kind auto` shows them. None was answered, and none disturbs anybody."
        found.append(Problem("mail-loop", words, hint, severity=Severity.WARNING, affected=number))
    return found
