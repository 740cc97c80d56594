"""The page after the reply page: the reference number, and files, which can then never take the words with them."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import get_random_string

from newsletter import settings
from newsletter.mail import page_mail, tokens
from newsletter.mail.page_mail import File, Written, message_id
from newsletter.replies import emergency, intake
from newsletter.replies.models import Conversation, Message
from newsletter.replies.page import CHANNEL
from newsletter.sending.models import Delivery
from newsletter.web import links
from newsletter.web.answers import page
from newsletter.web.look import REPLY_POLICY
from newsletter.web.words import Words

BIGGEST = 25 * 1024 * 1024  # bytes of one file; a phone's half minute of video has about 20 MB
TOGETHER = 33 * 1024 * 1024  # bytes of one mail: base64 makes 44 MB of it, and mail is taken up to 50
MOST = 20


@dataclass(frozen=True)
class Place:
    """What the link says: the copy that is answered; None for a test copy, and for the page without a link."""

    token: str
    delivery: Delivery | None = None
    test: bool = False

    @property
    def address(self) -> str:
        """The reply address that the message is kept under; the page's own where there was no link."""
        mail = settings.current().mail
        if not self.token:
            return f"page@{mail.reply_domain}"
        return tokens.address("reply", self.token, mail.reply_domain, mail.separator)

    @property
    def subject(self) -> str:
        """`Re:` and the subject, as staff know it."""
        if self.delivery is None:
            return ""
        return f"Re: {self.delivery.mailing.settings.get('subject') or self.delivery.mailing.slug}"

    @property
    def sender(self) -> str:
        """The key in [senders] of who sent the copy, for their own emergency words; "" when unknown."""
        address = self.delivery.mailing.settings.get("sender_address") if self.delivery else ""
        return emergency.sender_of(settings.current(), str(address or ""))


def thanks(
    request: HttpRequest,
    place: Place,
    said: Words,
    conversation: Conversation | None,
    once: str,
    added: Sequence[str] = (),
    left_out: Sequence[str] = (),
) -> HttpResponse:
    """We have it: the number to quote, what happens next, and a form for files.

    What should be looked at first gets the emergency words and no promise of time.
    """
    config = settings.current()
    promise = conversation is not None and not conversation.look_first
    answer = page(
        request,
        "reply_done.html",
        "reply_done_title",
        words=said,
        tone="good",
        reference=conversation.reference if conversation else "",
        hours=str(config.replies.hours) if promise else "",
        emergency=emergency.words(config, said.language, place.sender) or said.plain("reply_emergency"),
        file_of=once,
        seal=seal(once),
        once=new_name(),
        added=added,
        left_out=left_out,
        exit_url=config.web.exit_url,
    )
    answer.headers["Content-Security-Policy"] = REPLY_POLICY
    return answer


def add(request: HttpRequest, place: Place, said: Words) -> HttpResponse:
    """Files that belong to what was written before; only the page that was shown then can send them."""
    first, once = request.POST.get("file_of", ""), request.POST.get("once", "")
    domain = settings.current().mail.reply_domain
    before = Message.objects.filter(message_id=message_id(first, domain)).select_related("conversation").first()
    if before is None or not hmac.compare_digest(request.POST.get("seal", ""), seal(first)):
        return page(request, "message.html", "method_title", words=said, paragraphs=("method_text",), status=400)
    files, left_out = taken(list(request.FILES.getlist("files")))
    if files and not place.test:
        written = Written(
            words=said.plain("reply_files_words"),
            once=once if once.isalnum() and len(once) == 20 else new_name(),
            to=place.address,
            domain=domain,
            at=timezone.localtime(),
            subject=place.subject,
            address=before.from_address,
            language=said.language,
            follows=before.message_id,
            files=files,
        )
        intake.accept(page_mail.build(written), written.to, written.address, CHANNEL)
    names = [file.name for file in files]
    return thanks(request, place, said, before.conversation, first, names, left_out)


def taken(uploads: Sequence[UploadedFile[Any]]) -> tuple[list[File], list[str]]:
    """The files that fit, and the names of those that do not; the ones that fit are never lost with the others."""
    files: list[File] = []
    left_out: list[str] = []
    total = 0
    for upload in uploads:
        size, name = upload.size or 0, (upload.name or "file")[:150]
        if not size:
            continue
        if size > BIGGEST or total + size > TOGETHER or len(files) == MOST:
            left_out.append(name)
            continue
        total += size
        files.append(File(name, upload.read()))
    return files, left_out


def seal(once: str) -> str:
    """Shows that the page with this form was made by us; a label of its own, so that it can never become a token."""
    return links.keyring().sign("page-files", once.encode("utf-8", "replace"))


def new_name() -> str:
    """The name of one form (102 random bits)."""
    return get_random_string(20, "abcdefghjkmnpqrstuvwxyz23456789")
