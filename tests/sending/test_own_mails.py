"""The mails that one person asked for: like the body's other mail, marked as automatic, without anything typed."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage
from pathlib import Path

import pytest

from newsletter.mail import addresses
from tests.workspace import Workspace

GOLDEN = Path(__file__).parents[1] / "golden" / "own_mails"
LINK = "http://127.0.0.1:8000/c/abcdefghijklmnopqrstuvwxyz234567"


def read(data: bytes) -> EmailMessage:
    found = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def made(workspace: Workspace, kind: str, language: str) -> EmailMessage:
    from newsletter.sending import own_mails

    notice = own_mails.queue(
        workspace.config,
        kind,
        "ameera.k@example.net",
        language,
        LINK,
        lists=["all-residents"],
        once=f"{kind}{language}",
    )
    return read(bytes(notice.data))


def test_every_language_says_the_same_things() -> None:
    from newsletter.sending.own_mails import KINDS, all_words
    from newsletter.web.words import all_words as pages

    languages = all_words()
    assert set(languages) == set(pages())
    wanted = {f"{kind}_{part}" for kind in KINDS for part in ("subject", "text", "button", "why")}
    for name, texts in languages.items():
        assert set(texts) == wanted, name
        for key, said in texts.items():
            assert sorted(re.findall(r"{(\w+)}", said)) == sorted(re.findall(r"{(\w+)}", languages["en"][key])), key
            assert bool(said.strip()) == bool(languages["en"][key]), (name, key)


@pytest.mark.parametrize("language", ["en", "cy", "ar", "ur"])
@pytest.mark.parametrize(
    "kind", ["confirm", "already", "welcome", "goodbye", "change", "move", "moved", "data", "forget"]
)
def test_the_words_are_those_of_the_golden_file(workspace: Workspace, kind: str, language: str) -> None:
    """To accept new words: delete the file, run again, read it."""
    mail = made(workspace, kind, language)
    shown = f"Subject: {mail['Subject']}\n\n{text_of(mail)}"
    golden = GOLDEN / f"{kind}.{language}.txt"
    if not golden.exists():
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


def test_it_is_marked_as_automatic_and_not_as_bulk(workspace: Workspace) -> None:
    mail = made(workspace, "confirm", "en")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert not [name for name in mail if name.lower().startswith(("list-", "precedence", "feedback-id"))]
    assert mail["To"] == "ameera.k@example.net" and mail["From"] == "Example Council <news@council.example>"
    assert addresses.parse(str(mail["Reply-To"])).domain == "reply.council.example"
    assert mail["Content-Language"] == "en"


def test_both_parts_hold_the_link_and_nothing_of_a_mailing(workspace: Workspace) -> None:
    mail = made(workspace, "confirm", "en")
    html = text_of(mail, "html")
    assert html.count(LINK) == 1 and text_of(mail).count(LINK) == 1
    for other in ("/u/", "/p/", "/v/", "/r/", "Unsubscribe", "View in browser"):
        assert other not in html and other not in text_of(mail), other
    assert "Zq" not in html


def test_a_name_of_a_list_with_marks_in_it_stands_there_as_it_is(workspace: Workspace) -> None:
    text = (workspace.root / "newsletter.toml").read_text()
    (workspace.root / "newsletter.toml").write_text(
        text.replace('"All residents"', "'*All* <b>residents</b> {x} [a](b)'")
    )
    workspace.ready()
    mail = made(workspace, "welcome", "en")
    assert "*All* <b>residents</b> {x} [a](b)" in text_of(mail).replace("\n", " ")
    assert "<b>" not in text_of(mail, "html")


def test_a_language_we_do_not_speak_becomes_the_sites(workspace: Workspace) -> None:
    assert made(workspace, "confirm", "de-DE")["Content-Language"] == "en"
    assert made(workspace, "confirm", "cy_GB")["Content-Language"] == "cy"


def test_the_same_one_twice_is_one_mail(workspace: Workspace) -> None:
    from newsletter.sending.models import Notice

    made(workspace, "welcome", "en")
    made(workspace, "welcome", "en")
    assert Notice.objects.count() == 1
