"""The reply page over real HTTP: opening changes nothing, a press is kept once, no file takes the words along."""

from __future__ import annotations

import re
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from newsletter.mail.tokens import Purpose, new_id
from newsletter.replies.models import Conversation, Kind, Message, Raw
from tests.sending.made import a_rendered, an_issue
from tests.web.conftest import Answer, Site, everything

FORM = "application/x-www-form-urlencoded"
ONCE = re.compile(r'name="once" value="([a-z0-9]{20})"')


@pytest.fixture
def link(site: Site) -> str:
    """The path of the reply page of a copy that was sent to Ameera."""
    from newsletter.sending import mailings
    from newsletter.sending.models import Delivery

    site.workspace.people("ameera.k@example.net", lists=("all-residents",))
    mailings.approve(site.workspace.config, {"": a_rendered()}, an_issue())
    return f"/r/{site.keyring.make(Purpose.REPLY, bytes(Delivery.objects.get().token))}"


def press(site: Site, path: str, **form: str) -> Answer:
    return site.ask("POST", path, urlencode(form), Content_Type=FORM)


def pressed(site: Site, path: str, message: str = "There is a man in my garden.", **form: str) -> Answer:
    """Open the page, write, press the button."""
    once = ONCE.search(site.get(path).text)
    assert once
    return press(site, path, once=once[1], message=message, **form)


def test_opening_it_changes_nothing_however_often(site: Site, link: str) -> None:
    before = everything()
    for method in ("GET", "HEAD", "OPTIONS"):
        for _ in range(5):
            assert site.ask(method, link).status in (200, 204)
    assert everything() == before


def test_it_says_who_reads_it_and_what_to_do_in_an_emergency_above_the_box(site: Site, link: str) -> None:
    text = site.get(link).text
    assert text.index("999") < text.index("<textarea")
    assert text.index(site.workspace.config.site.name) < text.index("<textarea")


def test_it_shows_nothing_of_the_person_behind_the_link(site: Site, link: str) -> None:
    assert "ameera" not in site.get(link).text.lower()


def test_what_is_written_becomes_a_conversation_with_the_copy_it_answers(site: Site, link: str) -> None:
    answer = pressed(site, link, write="this", phone="01785 232385", call="no", name="Ameera")
    talk = Conversation.objects.get()
    assert answer.status == 200 and talk.reference in answer.text
    assert talk.messages.get().new_words == "There is a man in my garden."
    assert talk.delivery is not None and talk.verified and not talk.someone_else
    assert (talk.from_address, talk.from_name) == ("ameera.k@example.net", "Ameera")
    assert (talk.phone, talk.safe_to_write, talk.safe_to_phone) == ("01785 232385", "yes", "no")


def test_another_address_is_another_writer_and_never_changes_the_persons_own(site: Site, link: str) -> None:
    pressed(site, link, write="other", address="neighbour@example.org")
    talk = Conversation.objects.get()
    assert talk.someone_else and talk.subscriber is None and talk.from_address == "neighbour@example.org"


def test_who_wants_no_mail_gets_none_and_the_desk_has_no_address(site: Site, link: str) -> None:
    pressed(site, link, write="no")
    talk = Conversation.objects.get()
    assert (talk.from_address, talk.safe_to_write) == ("", "no")


def test_pressing_twice_keeps_it_once(site: Site, link: str) -> None:
    once = ONCE.search(site.get(link).text)
    assert once
    answers = [press(site, link, once=once[1], message="Twice.", write="this") for _ in range(3)]
    talk = Conversation.objects.get()
    assert [answer.status for answer in answers] == [200] * 3
    assert all(talk.reference in answer.text for answer in answers)
    assert talk.messages.count() == 1
    assert sorted(Raw.objects.values_list("kind", flat=True)) == [Kind.DUPLICATE, Kind.DUPLICATE, Kind.PERSON]


def test_an_empty_form_is_shown_again_with_what_was_typed(site: Site, link: str) -> None:
    answer = pressed(site, link, message=" \n ", name="Ameera", write="other", address="not one")
    assert answer.status == 422
    assert "Write your message" in answer.text and "such as name@example.org" in answer.text
    assert 'value="Ameera"' in answer.text and 'value="not one"' in answer.text
    assert not Raw.objects.exists()


def test_the_same_words_by_mail_and_by_page_are_one_message(site: Site, link: str) -> None:
    from newsletter.replies import intake

    pressed(site, link, write="this")
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = "ameera.k@example.net", "Re: news", "<by-mail@example.net>"
    mail.set_content("There is a man\nin my garden.\n")
    recipient = f"reply+{link.rpartition('/')[2]}@{site.workspace.config.mail.reply_domain}"
    verdict = intake.accept(mail.as_bytes(), recipient, "ameera.k@example.net")
    assert verdict.kind == Kind.DUPLICATE
    assert Conversation.objects.get().messages.count() == 1


def test_the_same_words_much_later_are_a_reminder_and_are_kept(site: Site, link: str) -> None:
    from newsletter.replies import doubles, intake

    pressed(site, link, write="this")
    Message.objects.update(at=timezone.now() - doubles.WINDOW - timedelta(minutes=1))
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = "ameera.k@example.net", "Re: news", "<by-mail@example.net>"
    mail.set_content("There is a man in my garden.\n")
    recipient = f"reply+{link.rpartition('/')[2]}@{site.workspace.config.mail.reply_domain}"
    assert intake.accept(mail.as_bytes(), recipient, "ameera.k@example.net").kind == Kind.PERSON
    assert Conversation.objects.get().messages.count() == 2


@pytest.mark.parametrize("acknowledge", ["true", "false"])
def test_a_copy_by_mail_goes_only_when_it_was_ticked_and_holds_a_reference_only(
    site: Site, link: str, acknowledge: str
) -> None:
    """Whoever else reads the mailbox must not learn that somebody wrote, also where mail is thanked for by itself."""
    from newsletter import settings
    from newsletter.sending.models import Notice

    toml = site.workspace.root / "newsletter.toml"
    toml.write_text(f"{toml.read_text(encoding='utf-8')}\n[replies]\nacknowledge = {acknowledge}\n", encoding="utf-8")
    settings.setup(site.workspace.config)
    pressed(site, link, "First.", write="this")
    pressed(site, link, "Second.", write="no", copy="yes")
    assert not Notice.objects.exists(), "not ticked; and ticked beside “it is not safe to write to me”"
    once = ONCE.search(site.get(link).text)
    assert once
    for _ in range(2):
        press(
            site, link, once=once[1], message="He is in my garden.", write="other", address="safe@x.example", copy="yes"
        )
    notice = Notice.objects.get()
    assert notice.address == "safe@x.example"
    text = str(message_from_bytes(bytes(notice.data), policy=default).get_content())  # type: ignore[attr-defined]
    assert Conversation.objects.get(from_address="safe@x.example").reference in text
    assert "garden" not in text and "ameera" not in bytes(notice.data).decode().lower()


def multipart(**fields: str | tuple[str, bytes]) -> tuple[bytes, str]:
    """A form with files, as a browser sends it."""
    parts = []
    for name, value in fields.items():
        head = f'--edge\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(value, tuple):
            head += f'; filename="{value[0]}"\r\nContent-Type: image/jpeg\r\n\r\n'
            parts.append(head.encode() + value[1] + b"\r\n")
        else:
            parts.append(f"{head}\r\n\r\n{value}\r\n".encode())
    return b"".join(parts) + b"--edge--\r\n", "multipart/form-data; boundary=edge"


def hidden(text: str) -> dict[str, str]:
    """The hidden fields of the form for files."""
    return dict(re.findall(r'type="hidden" name="(file_of|seal|once)" value="([^"]*)"', text))


def test_files_follow_on_the_next_page_and_come_to_the_same_conversation(site: Site, link: str) -> None:
    page = pressed(site, link, write="this")
    body, kind = multipart(**hidden(page.text), files=("door.jpg", b"\xff\xd8\xff" + b"x" * 200_000))
    answer = site.ask("POST", link, body, Content_Type=kind)
    assert answer.status == 200 and "door.jpg" in answer.text
    talk = Conversation.objects.get()
    assert talk.messages.count() == 2
    raw = message_from_bytes(bytes(Raw.objects.order_by("-id")[0].data), policy=default)
    assert [part.get_filename() for part in raw.iter_attachments()] == ["door.jpg"]  # type: ignore[attr-defined]


def test_a_file_that_is_too_big_is_left_out_and_the_others_are_kept(
    site: Site, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from newsletter.web import reply_files

    monkeypatch.setattr(reply_files, "BIGGEST", 1000)
    page = pressed(site, link, write="this")
    fields: dict[str, str | tuple[str, bytes]] = {**hidden(page.text), "files": ("film.mov", b"x" * 2000)}
    body, kind = multipart(**fields)
    answer = site.ask("POST", link, body, Content_Type=kind)
    assert "Too big, left out:" in answer.text and "film.mov" in answer.text
    assert Conversation.objects.get().messages.count() == 1


def test_files_without_the_page_that_came_before_are_refused(site: Site, link: str) -> None:
    page = pressed(site, link, write="this")
    body, kind = multipart(**{**hidden(page.text), "seal": "0" * 64}, files=("a.jpg", b"x"))
    assert site.ask("POST", link, body, Content_Type=kind).status == 400
    assert Message.objects.count() == 1


def test_a_body_larger_than_any_form_is_refused_before_it_is_read(site: Site, link: str) -> None:
    from newsletter.web.server import BIGGEST_REPLY, BIGGEST_REQUEST

    for path, size in ((link, BIGGEST_REPLY + 1), ("/u/x", BIGGEST_REQUEST + 1)):
        assert site.ask("POST", path, b"", Content_Length=str(size), Content_Type=FORM).status == 413


def test_a_test_copy_shows_the_page_and_keeps_nothing(site: Site) -> None:
    path = f"/r/{site.keyring.make(Purpose.TEST, new_id())}"
    assert "test copy" in site.get(path).text
    assert "This was a test" in pressed(site, path).text
    assert not Raw.objects.exists()


@pytest.mark.parametrize("purpose", [Purpose.BOUNCE, Purpose.UNSUBSCRIBE, Purpose.VIEW, Purpose.MESSAGE_ID])
def test_a_token_for_something_else_opens_no_reply_page(site: Site, purpose: Purpose) -> None:
    assert site.get(f"/r/{site.keyring.make(purpose, new_id())}").status == 404


def test_without_a_link_one_is_heard_too_but_not_verified(site: Site) -> None:
    answer = pressed(site, "/r/", write="other", address="somebody@example.org")
    talk = Conversation.objects.get()
    assert talk.reference in answer.text
    assert not talk.verified and talk.delivery is None


def test_what_only_our_page_may_say_means_nothing_in_a_mail(site: Site, link: str) -> None:
    from newsletter.replies import intake

    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["X-Page-Phone"] = "ameera.k@example.net", "Re: news", "0900 1"
    mail.set_content("Hello\n")
    recipient = f"reply+{link.rpartition('/')[2]}@{site.workspace.config.mail.reply_domain}"
    intake.accept(mail.as_bytes(), recipient, "ameera.k@example.net")
    assert Conversation.objects.get().phone == ""


@pytest.mark.parametrize(
    "typed",
    ["<script>alert(1)</script>", "a\r\nBcc: x@example.org", "\x00\x1b[2J", "\ud83d", "ا" * 3000, "=?utf-8?q?=0D=0A?="],
)
def test_whatever_is_typed_is_kept_and_shown_as_text(site: Site, link: str, typed: str) -> None:
    typed = typed.encode("utf-8", "replace").decode()
    assert "<script>alert" not in pressed(site, link, message=" ", name=typed).text
    answer = pressed(site, link, message=f"words {typed}", write="this", name=typed, phone=typed)
    assert answer.status == 200
    assert b"\nBcc:" not in bytes(Raw.objects.get().data)
