"""Checks of the words: subject, preview text, headings, forgotten notes and dates that have passed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from newsletter.config import Config
from newsletter.content import model as content
from newsletter.content import starting
from newsletter.content.model import Issue
from newsletter.problems import Problem, Severity, Where
from newsletter.rendering import finding_places as places
from newsletter.rendering.model import Rendered
from newsletter.rendering.prose import plain

PHONE = 45  # letters of a subject that phones show
LONGEST_SUBJECT = 78  # RFC 5322 section 2.1.1: one line
LONGEST_PREHEADER = 110
WARNING, NOTE = Severity.WARNING, Severity.NOTE
_FORGOTTEN = re.compile(
    r"\blorem ipsum\b|\bTK\b|\bTKTK\b|\bTODO\b|\bTBC\b|\bXXX+\b|\[(?:insert|name|date|link|tbc)\b[^\]]*\](?!\()"
    r"|\[\[|\{\{|\*\|[A-Z_]+\|\*",
    re.IGNORECASE,
)
_ATTACHED = re.compile(r"\b(?:attached|attachment|enclosed)\b|\bynghlwm\b|\bمرفق\b|\bمنسلک\b", re.IGNORECASE)
# A list of Word's: its points, as text at the head of a paragraph (U+F0B7 is that of the font Symbol).
_PASTED = re.compile(r"\s*[·•●▪◦‣\uf0b7]\s+\S+")
# A link that is none: a blank between its brackets or in its address, as a browser's address bar gives it.
_UNREAD = re.compile(r"\[[^\[\]\n]{1,200}\][ \t]*\([^()\n]{0,300}?(?:https?:|www\.|mailto:|tel:)[^()\n]{0,2000}\)")
_RELATIVE = re.compile(r"\b(?:today|tomorrow|yesterday|tonight)\b", re.IGNORECASE)


def _problem(code: str, message: str, hint: str, where: Where | None, severity: Severity = WARNING) -> Problem:
    return Problem(code, message, hint=hint, where=where, severity=severity)


def _without_fields(issue: Issue, text: str) -> str:
    fallbacks = {slot.number: slot.fallback or "" for slot in issue.slots}
    return content.marker_pattern(issue.nonce).sub(lambda match: fallbacks.get(int(match[1]), ""), text).strip()


def subject(issue: Issue, rendered: Rendered, config: Config) -> Iterator[Problem]:
    """Length, shouting, and signs that filters hold against a mail."""
    text, where = _without_fields(issue, issue.front.subject), places.front(issue, "subject")
    if len(text) > LONGEST_SUBJECT:
        hint = f"Aim for under {LONGEST_SUBJECT}; put what matters first."
        yield _problem("long-subject", f"The subject has {len(text)} letters", hint, where)
    elif len(text) > PHONE:
        shown = text[:PHONE].rstrip()
        hint = "That is fine when what matters comes first."
        yield _problem("subject-cut-on-phones", f"Phones show the subject only up to “{shown}…”", hint, where, NOTE)
    letters = [letter for letter in text if letter.isalpha()]
    if len(letters) > 8 and sum(letter.isupper() for letter in letters) > 0.7 * len(letters):
        yield _problem("shouting-subject", "The subject is in capitals", "Filters take that for advertising.", where)
    if re.search(r"[!?]{2,}|[$€£]{2,}", text):
        yield _problem("shouting-subject", "The subject has repeated signs", "One ! or ? is enough.", where)
    if issue.front.sensitive:
        hint = "Somebody else may see it on a locked phone: keep it neutral."
        yield _problem("sensitive-subject", "This issue is marked sensitive", hint, where, NOTE)


def preheader(issue: Issue, rendered: Rendered, config: Config) -> Iterator[Problem]:
    """The line that inboxes show after the subject."""
    text, where = _without_fields(issue, issue.front.preheader), places.front(issue, "preheader")
    if not text:
        hint = "Write `preheader:` with what the reader gets from opening; else inboxes show the first words they find."
        yield _problem("no-preheader", "There is no preview text", hint, places.front(issue, "subject"))
    elif text.casefold() == _without_fields(issue, issue.front.subject).casefold():
        yield _problem("preheader-repeats", "The preview text repeats the subject", "Say what comes next.", where)
    elif len(text) > LONGEST_PREHEADER:
        hint = f"Inboxes show at most about {LONGEST_PREHEADER}."
        yield _problem("long-preheader", f"The preview text has {len(text)} letters", hint, where)


def headings(issue: Issue, rendered: Rendered, config: Config) -> Iterator[Problem]:
    """One first-level heading, none skipped: people who listen jump from heading to heading."""
    found = [node for node in issue.walk() if isinstance(node, content.Heading)]
    tops = [node for node in found if node.level == 1]
    if not tops:
        hint = "Begin the message with `# What it is about`."
        yield _problem("no-heading", "The message has no main heading", hint, Where(issue.file))
    for node in tops[1:]:
        text = _without_fields(issue, plain(node.tokens))
        hint = "Make it a `##`: a message has one main heading."
        yield _problem("second-main-heading", f"“{text}” is a second main heading", hint, _at(issue, node, text))
    for before, node in pairwise(found):
        if node.level > before.level + 1:
            text = _without_fields(issue, plain(node.tokens))
            hint = f"Make it a `{'#' * (before.level + 1)}`."
            message = f"“{text}” jumps from level {before.level} to {node.level}"
            yield _problem("heading-jump", message, hint, _at(issue, node, text))


def left_overs(issue: Issue, rendered: Rendered, config: Config) -> Iterator[Problem]:
    """Notes to oneself, filler text, and attachments that no mail of ours carries."""
    if not any(isinstance(node, content.Prose) for node in issue.walk()):
        yield _problem("no-text", "The message has no text", "Write it below the front matter.", Where(issue.file))
    # One bad {{ field }} leaves every other one of its paragraph unread; only the bad one is news.
    unread = any(problem.code in {"unknown-field", "bad-field", "unclosed-field"} for problem in issue.problems)
    for node, text in _texts(issue):
        for match in _FORGOTTEN.finditer(text):
            if match[0] == "{{" and unread:
                continue
            hint = "A note to yourself? Put the real words there."
            yield _problem("left-over-note", f"“{match[0]}” looks forgotten", hint, _at(issue, node, match[0]))
        if starting.FILLER in text:
            hint = "Write your own words there."
            message = "The text is still the one that newsletter new wrote"
            yield _problem("left-over-text", message, hint, _at(issue, node, starting.FILLER), Severity.ERROR)
        if pasted := _PASTED.match(text):
            hint = "Begin each line with a hyphen and a blank, and leave a line empty above the first: - one thing"
            message = "A pasted list runs together into one paragraph"
            yield _problem("pasted-list", message, hint, _at(issue, node, pasted[0].split()[-1]))
        if unread_link := _UNREAD.search(text):
            hint = "Write [words](https://…) with no blank between the brackets and none in the address."
            message = f"“{unread_link[0][:60]}” is no link: people would see its brackets"
            yield _problem("unread-link", message, hint, _at(issue, node, unread_link[0].partition("]")[0] + "]"))
        attached = _ATTACHED.search(text)
        if attached and not issue.files:
            hint = "These mails carry no attachments. Link to the file: [Title](files/name.pdf)"
            message = f"The text says “{attached[0]}”, but nothing is attached"
            yield _problem("says-attached", message, hint, _at(issue, node, attached[0]))


def correction(issue: Issue, rendered: Rendered, config: Config) -> Iterator[Problem]:
    """A correction that says what the first message said: nobody has put it right yet."""
    first = issue.folder.parent / issue.front.corrects / issue.file
    try:
        unchanged = bool(issue.front.corrects) and _words(first.read_text("utf-8-sig")) == _words(issue.source)
    except (OSError, ValueError):  # moved, renamed, or rewritten since: nothing to compare with
        return
    if unchanged:
        hint = "Say first what was wrong, then what is right."
        message = f"The text is still that of {issue.front.corrects}"
        yield _problem("correction-unchanged", message, hint, places.front(issue, "corrects"))


def _words(source: str) -> list[str]:
    """What stands below the front matter, without the main heading, which a correction changes by itself."""
    body = source.replace("\r\n", "\n").partition("\n---\n")[2]
    return [line for line in body.split("\n") if line.strip() and not line.startswith("# ")]


def dates(issue: Issue, rendered: Rendered, config: Config) -> Iterator[Problem]:
    """Dates that have passed when the issue goes out, and words such as “tomorrow”."""
    day = _date(issue.front.send_at) or _date(issue.slug)
    until = _date(issue.front.useful_until)
    main = issue.file == "issue.md"  # a translation has these dates from there, and they are told there
    if main and day and until and until < day:
        where = places.front(issue, "useful_until")
        hint = f"The issue is dated {day.isoformat()}."
        yield _problem("no-longer-useful", "`useful_until` is before the issue's own date", hint, where)
    for node, text in _texts(issue):
        match = _RELATIVE.search(text)
        if match:
            hint = "People read mail days later: write the date."
            message = f"“{match[0]}” depends on the day of reading"
            yield _problem("relative-date", message, hint, _at(issue, node, match[0]), NOTE)
        stale = re.search(r"©\s*(\d{4})", text)
        if stale and day and int(stale[1]) < day.year:
            yield _problem("stale-year", f"“{stale[0]}” is an old year", "", _at(issue, node, stale[0]))


def _texts(issue: Issue) -> Iterator[tuple[content.Node, str]]:
    for node in issue.walk():
        if isinstance(node, content.Prose | content.Heading | content.Table):
            yield node, _without_fields(issue, plain(node.tokens))
        elif isinstance(node, content.Button | content.ReplyButton):
            yield node, _without_fields(issue, node.label)
        elif isinstance(node, content.Callout | content.Card):
            yield node, _without_fields(issue, node.title)


def _at(issue: Issue, node: content.Node, needle: str) -> Where:
    return places.where(issue, needle, node.line, node.file)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
