"""Why people may be written to at all: an import says it for everybody in the file, in words that are kept as proof."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from newsletter.problems import Exit, NewsletterError, Problem

LONGEST = 20_000  # letters; a form with its privacy notice has about 5,000
SHORTEST = 12  # letters; “yes” and “consent” say nothing that could be shown to anybody later


@dataclass(frozen=True)
class Basis:
    """Either the words that the people were shown when they consented, or the public task that they are written for."""

    wording: str = ""
    task: str = ""

    def why(self, name: str) -> str:
        """Our own note beside each proof."""
        return f"Imported from {name}" + (f"; without asking: {self.task}" if self.task else "")


def told(consent: str, consent_file: Path | None, task: str) -> Basis | None:
    """What the one who imports has said; None: nothing. Raises NewsletterError: two-bases, vague-basis, cannot-read."""
    given = [word for word in (consent.strip(), str(consent_file or ""), task.strip()) if word]
    if not given:
        return None
    if len(given) > 1:
        hint = "Give one of --consent, --consent-file and --basis. People with different ones go in two files."
        raise NewsletterError(Problem("two-bases", "More than one reason to write is given", hint), exit=Exit.USAGE)
    words = _read(consent_file) if consent_file else consent.strip()
    said = words or task.strip()
    if not SHORTEST <= len(said) <= LONGEST:
        short = len(said) < SHORTEST
        message = "That is too short to be a proof" if short else f"At most {LONGEST:,} letters can be kept as proof"
        hint = "Write the words that stood beside the box they ticked, or the task and the law it rests on."
        raise NewsletterError(Problem("vague-basis", message, hint), exit=Exit.USAGE)
    return Basis(words, "" if words else said)


def missing() -> Problem:
    """Nothing is imported without a reason that could be shown to the people, and to whoever asks for them."""
    return Problem(
        "needs-consent",
        "It is not said why these people may be written to, so nothing was imported",
        hint="They agreed? Give the words they were shown, with the place and the year: "
        '--consent "Ticked ‘Send me the monthly letter’ on the form of May 2026" (or --consent-file FILE). '
        "They did not, and you write because it is your task? Name it and its law: "
        '--basis "public task: flood warnings to households, Civil Contingencies Act 2004".',
    )


def _read(path: Path | None) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")[: LONGEST + 1].strip() if path else ""
    except (OSError, UnicodeDecodeError) as error:
        hint = "Name a text file in UTF-8 with the words that the people were shown."
        raise NewsletterError(Problem("cannot-read", f"{path} cannot be read", hint)) from error
