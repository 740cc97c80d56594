"""The red lines over the list of replies: a mailbox that cannot be read, a canary that does not come back."""

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
    return found + [Problem("canary-missing", words, hint, severity=Severity.ERROR) for words in canary.missing_words()]
