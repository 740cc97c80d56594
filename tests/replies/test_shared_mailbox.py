"""One shared mailbox for all answers: the copy is found by what is quoted, at last by the sender's address alone."""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import pytest

from newsletter.mail.tokens import Purpose
from tests.replies.conftest import Post, mail

BOX = "news@council.example"


@pytest.fixture
def shared(post: Post) -> Post:
    post.workspace.toml(f'[replies]\nmode = "shared"\nmailbox = "{BOX}"\n')
    return post


def take(raw: bytes):  # type: ignore[no-untyped-def]
    from newsletter.replies import intake
    from newsletter.replies.models import Conversation

    verdict = intake.accept(raw, BOX, "ameera@example.net", "imap")
    return Conversation.objects.get(pk=verdict.conversation_id), verdict


def test_answers_bounces_and_wishes_lead_to_the_mailbox_and_none_promises_a_token(shared: Post) -> None:
    from newsletter.sending import links

    sent = shared.sent_to()
    made = links.signed(shared.workspace.config, sent.keyring, b"123456789", b"abcdefghi", b"ABCDEFGHI")
    assert (made.reply_address, made.envelope_sender, made.unsubscribe_address) == (BOX, BOX, "")
    assert links.reply_to(made, {"reply_to": "inbox"}) == BOX


def test_with_plus_addresses_every_address_is_one_of_the_mailbox(post: Post) -> None:
    from newsletter.replies import intake
    from newsletter.sending import links

    config = post.workspace.toml(f'[replies]\nmailbox = "{BOX}"\n')
    sent = post.sent_to()
    made = links.signed(config, sent.keyring, bytes(sent.delivery.token), b"abcdefghi", b"ABCDEFGHI")
    for address in (made.reply_address, made.envelope_sender, made.unsubscribe_address):
        assert address.startswith("news+") and address.endswith("@council.example")
    verdict = intake.accept(mail(made.reply_address), made.reply_address)
    assert verdict.reason == "answers the copy sent to ameera@example.net"


def test_without_a_mailbox_the_addresses_are_what_they_always_were(post: Post) -> None:
    from newsletter.sending import links

    sent = post.sent_to()
    made = links.signed(post.workspace.config, sent.keyring, bytes(sent.delivery.token), sent.unsubscribe_id, b"A" * 9)
    assert (made.reply_address, made.envelope_sender, made.unsubscribe_address) == (sent.reply, sent.bounce, sent.leave)


def test_the_message_it_answers_comes_first(shared: Post) -> None:
    sent = shared.sent_to()
    found, _ = take(mail(BOX, in_reply_to=sent.message_id))
    assert found.delivery == sent.delivery and found.identified == "message-id" and found.verified


@pytest.mark.parametrize("purpose", [Purpose.VIEW, Purpose.REPLY])
def test_then_a_signed_link_in_what_they_quoted(shared: Post, purpose: Purpose) -> None:
    sent = shared.sent_to()
    quoted = f"Yes please.\n\n> Read it in the browser:\n> https://n.example/v/{sent.token(purpose)}\n"
    found, _ = take(mail(BOX, quoted))
    assert found.delivery == sent.delivery and found.identified == "quoted" and found.verified


def test_a_link_in_html_alone_is_found_too(shared: Post) -> None:
    sent = shared.sent_to()
    html = (
        f'<p>Yes please.</p><blockquote><a href="https://n.example/v/{sent.token(Purpose.VIEW)}">read</a></blockquote>'
    )
    raw = mail(BOX, html).replace(b"Content-Type: text/plain", b"Content-Type: text/html")
    found, _ = take(raw)
    assert found.delivery == sent.delivery and found.identified == "quoted"


def test_a_forged_link_leads_nowhere(post: Post) -> None:
    sent = post.sent_to()
    token = sent.token(Purpose.VIEW)
    forged = ("b" if token[0] != "b" else "c") + token[1:]
    found, _ = take(mail(BOX, f"Hello\n> https://n.example/v/{forged}\n"))
    assert found.delivery is None and not found.verified


def test_a_copy_that_was_passed_on_is_not_attributed_to_its_recipient(shared: Post) -> None:
    sent = shared.sent_to()
    quoted = f"He hits me.\n> https://n.example/v/{sent.token(Purpose.VIEW)}\n"
    found, _ = take(mail(BOX, quoted, "Jo <jo@victim.example>"))
    assert found.someone_else and found.subscriber is None


def test_at_last_the_senders_address_and_it_says_so(shared: Post) -> None:
    from newsletter.replies import showing

    sent = shared.sent_to()
    found, verdict = take(mail(BOX, "A new letter", subject="Bins"))
    assert found.delivery == sent.delivery and found.identified == "address" and not found.verified
    assert "matched by address" in verdict.reason
    assert "nothing shows that they wrote this" in showing.who(found)


def test_the_address_alone_counts_only_with_one_shared_mailbox(post: Post) -> None:
    post.sent_to()
    found, _ = take(mail(BOX, "A new letter"))
    assert found.delivery is None and not found.verified


def test_an_old_issue_and_a_stranger_are_matched_with_nobody(shared: Post) -> None:
    from datetime import timedelta

    from django.utils import timezone

    from newsletter.sending.models import Delivery

    shared.sent_to()
    found, _ = take(mail(BOX, "Hello", "stranger@example.com", message_id="<s@x>"))
    assert found.delivery is None
    Delivery.objects.update(changed=timezone.now() - timedelta(days=90))
    found, _ = take(mail(BOX, "Hello", message_id="<t@x>"))
    assert found.delivery is None


def test_never_by_the_subject(shared: Post) -> None:
    shared.sent_to()
    found, _ = take(mail(BOX, "Hello", "stranger@example.com", subject="Re: Is anti-social behaviour a problem?"))
    assert found.delivery is None


def test_shared_without_a_mailbox_is_an_error_of_the_settings(post: Post) -> None:
    from newsletter.problems import NewsletterError

    with pytest.raises(NewsletterError) as told:
        post.workspace.toml('[replies]\nmode = "shared"\n')
    assert "needs the address of the mailbox" in str(told.value)


MAILDIR = '[mailboxes.inbox]\nkind = "maildir"\npath = "mail"\n'


def probe(post: Post, arrives: bool, caught: bool = False) -> list[str]:
    """What doctor says of plus addresses, with a mail server that delivers into a Maildir, or loses what it took."""
    from newsletter.cli import doctor_replies
    from newsletter.sending.models import Notice

    for name in ("new", "cur", "tmp"):
        (post.workspace.root / "mail" / name).mkdir(parents=True)
    config = post.workspace.toml(MAILDIR)
    config = replace(config, mail=replace(config.mail, transport="catcher" if caught else "smtp"))

    def carry(config: object, only: list[int]) -> int:
        notice = Notice.objects.get(pk__in=only)
        if arrives:
            (post.workspace.root / "mail" / "new" / "1.M1.host").write_bytes(bytes(notice.data))
        return Notice.objects.filter(pk=notice.pk).update(state="accepted")

    with mock.patch("newsletter.sending.notices.deliver", carry):
        return [finding.text for finding in doctor_replies.plus(config, BOX, wait=lambda seconds: None)]


def test_doctor_says_that_plus_addresses_work(post: Post) -> None:
    [said] = probe(post, arrives=True)
    assert 'mode = "token"' in said


def test_doctor_says_that_they_do_not_within_a_bounded_time(post: Post) -> None:
    [said] = probe(post, arrives=False)
    assert "did not come back within 90 seconds" in said


def test_doctor_draws_no_conclusion_while_mail_is_only_caught(post: Post) -> None:
    [said] = probe(post, arrives=False, caught=True)
    assert "cannot be tried while the catcher takes all mail" in said
