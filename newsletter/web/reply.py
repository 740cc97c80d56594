"""The reply page: who it goes to, what to do in an emergency, a box, a button. No login, no cookie, no script needed.

Opening it changes nothing (scanners open every link); only a POST acts, and pressing twice is harmless: each form
has a name of its own, which becomes the Message-ID. The page shows no name and no address from the link, for the
screen may be watched (REPLIES, "Safety first"). Files come on the page after: what is too big there can never take
the words with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from newsletter import settings
from newsletter.mail import addresses, page_mail
from newsletter.mail.page_mail import Written, message_id
from newsletter.mail.tokens import Purpose
from newsletter.replies import emergency, intake
from newsletter.replies.models import Conversation, Kind, Message
from newsletter.replies.page import CHANNEL
from newsletter.web import links
from newsletter.web.answers import contact, page, unknown_link
from newsletter.web.copies import delivery_of
from newsletter.web.look import REPLY_POLICY
from newsletter.web.methods import refused
from newsletter.web.reply_files import Place, add, new_name, thanks
from newsletter.web.words import Words, words_for

LONGEST = 50_000  # letters; a page of print has 3,000
ONCE = re.compile(r"[a-z0-9]{20}")


@dataclass(frozen=True)
class Form:
    """What was typed. `errors` are keys of the folder words/, by field."""

    values: Mapping[str, str]
    errors: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")


NAMES = ("once", "message", "name", "write", "address", "phone", "call", "copy", "website", "language")


def reply(request: HttpRequest, token: str = "") -> HttpResponse:
    """`/r/<token>`; `/r/` alone is for people whose mail server told them of this page."""
    if request.method not in ("GET", "HEAD", "POST"):
        return refused(request, "GET, HEAD, POST, OPTIONS")
    link = read(token)
    if link is None:
        return unknown_link(request)
    said = words_for(request, link.delivery.language if link.delivery else "")
    if request.method != "POST":
        return form_page(request, link, said, Form({"once": new_name()}, {}))
    if "file_of" in request.POST:
        return add(request, link, said)
    form = typed(request)
    if form.errors:
        return form_page(request, link, said, form, status=422)
    if link.test:
        return page(request, "message.html", "test_title", words=said, paragraphs=("reply_test_done",))
    return received(request, link, said, form)


def read(token: str) -> Place | None:
    """The copy behind a link; None for a link that is not ours, or whose copy is in no record."""
    if not token:
        return Place("")
    found = links.read(token, Purpose.REPLY, Purpose.TEST)
    if found is None:
        return None
    if found[0] is Purpose.TEST:
        return Place(token, test=True)
    return Place(token, delivery_of(found[1]))


def typed(request: HttpRequest) -> Form:
    """Read the form; what is missing or cannot be used is in `errors`."""
    values = {name: request.POST.get(name, "").strip() for name in NAMES}
    errors: dict[str, str] = {}
    if not any(letter.isalnum() for letter in values["message"]):
        errors["message"] = "reply_error_empty"
    elif len(values["message"]) > LONGEST:
        errors["message"] = "reply_error_long"
    if values["write"] == "other":
        try:
            addresses.parse(values["address"])
        except ValueError:
            errors["address"] = "reply_error_address"
    if not ONCE.fullmatch(values["once"]):
        values["once"] = new_name()
    return Form(values, errors)


def received(request: HttpRequest, link: Place, said: Words, form: Form) -> HttpResponse:
    """Keep what was written, then say so. Nothing is said before it is on the disk."""
    config = settings.current()
    written = Written(
        words=form["message"],
        once=form["once"],
        to=link.address,
        domain=config.mail.reply_domain,
        at=timezone.localtime(),
        subject=link.subject,
        name=form["name"],
        address=answer_to(link, form),
        phone=form["phone"],
        write={"this": "yes", "other": "yes", "no": "no"}.get(form["write"], ""),
        call=form["call"] if form["call"] in ("yes", "no") else "",
        language=said.language,
        trap=form["website"],
    )
    verdict = intake.accept(page_mail.build(written), written.to, written.address, CHANNEL)
    conversation = conversation_of(verdict.conversation_id, form["once"])
    if form["copy"] and written.address and conversation and verdict.kind == Kind.PERSON:
        from newsletter.replies import acknowledging

        acknowledging.reference_only(conversation, written.address, said.language)
    return thanks(request, link, said, conversation, form["once"])


def conversation_of(number: int | None, once: str) -> Conversation | None:
    """Where it went; also when it was there already because the button was pressed twice."""
    if number is not None:
        return Conversation.objects.filter(pk=number).first()
    name = message_id(once, settings.current().mail.reply_domain)
    found = Message.objects.select_related("conversation").filter(message_id=name).first()
    return found.conversation if found else None


def form_page(request: HttpRequest, link: Place, said: Words, form: Form, status: int = 200) -> HttpResponse:
    """The form, empty or with what was typed and what is wrong with it."""
    config = settings.current()
    hours = config.replies.hours
    answer = page(
        request,
        "reply.html",
        "reply_title",
        words=said,
        status=status,
        form=form,
        who=who(link),
        test=link.test,
        linked=link.delivery is not None or link.test,
        emergency=emergency.words(config, said.language, link.sender) or said.plain("reply_emergency"),
        hours=str(hours),
        exit_url=config.web.exit_url,
        contact=contact(),
    )
    answer.headers["Content-Security-Policy"] = REPLY_POLICY
    return answer


def who(link: Place) -> str:
    """Who reads it: the sender of the issue, as its readers know them. Nothing of the person behind the link."""
    if link.delivery is None:
        return settings.current().site.name
    facts = link.delivery.mailing.settings
    name, organisation = str(facts.get("sender_name", "")), str(facts.get("organisation", ""))
    return ", ".join(dict.fromkeys(filter(None, (name, organisation))))


def answer_to(link: Place, form: Form) -> str:
    """Where they want an answer: the address of the copy, another one, or "" for nowhere."""
    if form["write"] == "this" and link.delivery is not None:
        return link.delivery.address
    return form["address"] if form["write"] == "other" else ""
