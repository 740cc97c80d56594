"""Nobody is imported without a reason that can be shown later."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.audience import basis
from newsletter.audience.models import ConsentEvent, Subscriber
from newsletter.problems import NewsletterError
from tests.workspace import Workspace

IMPORT = ("recipients", "import", "recipients/people.csv", "--list", "monthly", "--yes")
WORDS = "Ticked “Send me the monthly letter” on the form of May 2026"


def code(consent: str = "", file: Path | None = None, task: str = "") -> str:
    with pytest.raises(NewsletterError) as caught:
        basis.told(consent, file, task)
    return caught.value.problems[0].code


def test_an_import_without_a_reason_says_what_to_write_and_imports_nobody(workspace: Workspace) -> None:
    workspace.write("recipients/people.csv", "email\nsam@example.org\n")
    ran = workspace.run(*IMPORT)
    assert (ran.exit, Subscriber.objects.count()) == (4, 0)
    assert "--consent" in ran.err and "--basis" in ran.err
    looked = workspace.run(*IMPORT[:-1], "--dry-run")
    assert looked.exit == 0, "looking needs no reason"
    assert "--consent" in looked.out and "--basis" in looked.out, "but it says that one will be needed"
    assert "--basis" not in workspace.run(*IMPORT[:-1], "--dry-run", "--consent", WORDS).out


def test_the_words_may_come_from_a_file(workspace: Workspace) -> None:
    workspace.write("recipients/people.csv", "email\nsam@example.org\n")
    words = workspace.write("words.txt", WORDS)
    assert workspace.run(*IMPORT, "--consent-file", str(words)).exit == 0
    event = ConsentEvent.objects.get()
    assert event.wording and (event.wording.text, event.why) == (WORDS, "Imported from recipients/people.csv")


def test_a_public_task_is_kept_as_the_reason_and_is_not_dressed_up_as_consent(workspace: Workspace) -> None:
    workspace.write("recipients/people.csv", "email\nsam@example.org\n")
    ran = workspace.run(*IMPORT, "--basis", "Flood warnings, Example Act 2004")
    assert ran.exit == 0 and "Under every mail they read: “" in ran.out, "the footer must be true for them, too"
    event = ConsentEvent.objects.get()
    assert event.wording is None
    assert event.why == "Imported from recipients/people.csv; without asking: Flood warnings, Example Act 2004"


def test_two_reasons_a_word_that_says_nothing_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    assert code(WORDS, task="Flood warnings to all households") == "two-bases"
    assert code("yes") == code(task="our task") == code("x" * 20_001) == "vague-basis"
    assert code(file=tmp_path / "none.txt") == "cannot-read"


def test_columns_are_mapped_by_hand(workspace: Workspace) -> None:
    workspace.write("recipients/people.csv", "Kontakt,E-mail,Quarter\nsam@example.org,old@example.org,North\n")
    maps = ("--map", "Kontakt=email", "--map", "Quarter=ward")
    assert workspace.run(*IMPORT, "--consent", WORDS, *maps).exit == 0
    [person] = Subscriber.objects.all()
    assert (person.canonical, person.attributes) == ("sam@example.org", {"ward": "North"})


@pytest.mark.parametrize(
    ("said", "words"), [("email", "does not say"), ("Kontact=email", "Kontakt"), ("Kontakt=emial", "email")]
)
def test_a_slip_in_a_map_is_said(workspace: Workspace, said: str, words: str) -> None:
    workspace.write("recipients/people.csv", "Kontakt\nsam@example.org\n")
    ran = workspace.run(*IMPORT, "--consent", WORDS, "--map", said)
    assert ran.exit in (1, 2)
    assert words in ran.err + ran.out
