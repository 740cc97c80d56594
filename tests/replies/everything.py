"""One person who has left something in every table that can hold something of a person, and in the folder's files."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from newsletter.audience import subscribing
from newsletter.audience.models import Request, Subscriber
from newsletter.mail.tokens import new_id
from newsletter.replies import desk, intake
from newsletter.replies.models import Bounce, Complaint, Conversation, Look, Message, Raw, Tag
from newsletter.sending import notices, rating
from newsletter.sending.models import Delivery, Notice
from tests.replies.conftest import Post, mail
from tests.replies.desk_made import Desk, desk_of
from tests.replies.test_evidence import with_picture

HERS, BEFORE = "ameera@example.net", "a.k@old.example"
NAME, PLACE = "Ameera Kaleidoskop", "ZZ99 9ZZ"
NEEDLES = (HERS, "Ameera", "Kaleidoskop", PLACE, "on the 12th", "cam 1", BEFORE)


def everything(post: Post) -> tuple[Desk, Conversation]:
    """She moved, chose, asked, was mailed, bounced, complained, wrote with a picture, and was answered."""
    own = desk_of(post)
    post.workspace.people(BEFORE, name="Somebody")
    subscribing.move(BEFORE, HERS, "page", "Change my address")
    subscribing.edit(HERS, {"name": NAME, "postcode": PLACE, "ward": "Stafford North"}, "page")
    found, raw = with_picture(own)
    sent_to = Raw.objects.get().recipient
    intake.accept(raw, sent_to)  # the same once more
    intake.accept(mail(sent_to, "I am away", subject="Automatic reply: x", message_id="<2@x>"), sent_to, HERS)
    subscribing.ask(HERS, HERS, ["monthly"], "page", "Yes, please.")
    subscribing.suppress(HERS, "bulk", "complaint", "mail", why=f"incoming message 1: {HERS} pressed it")
    desk.note(found.pk, own.jo, f"{NAME} rang about it")
    Tag.objects.create(conversation=found, word="Kaleidoskop")
    Look.objects.create(conversation=found, staff="jo", version=1, at=timezone.now())
    delivery = Delivery.objects.get(canonical=HERS)
    Delivery.objects.filter(pk=delivery.pk).update(
        name=NAME, values={"name": NAME}, reply_text=f"250 Ok <{HERS}>", reason=f"to {HERS}"
    )
    rating.keep(delivery, True)
    automatic = Raw.objects.order_by("-pk")[0]
    Bounce.objects.create(
        raw=automatic, delivery=delivery, canonical=HERS, outcome="gone", words=f"550 <{HERS}> unknown"
    )
    Complaint.objects.create(raw=automatic, delivery=delivery, canonical=HERS)
    answer = notices.queue(Notice.Kind.ANSWER, HERS, b"To: " + HERS.encode() + b"\r\n\r\nDear Ameera\r\n")
    Message.objects.create(conversation=found, kind=Message.Kind.ANSWER, notice=answer, to_address=HERS)
    notices.queue(Notice.Kind.CONFIRMATION, HERS, b"To: " + HERS.encode() + b"\r\n\r\nDear Ameera\r\n")
    soon = timezone.now() + timedelta(days=1)
    Request.objects.create(token=new_id(), kind="data", canonical=HERS, address=HERS, expires=soon)
    Request.objects.create(
        token=new_id(), kind="change", canonical=BEFORE, address=BEFORE, facts={"to": HERS}, expires=soon
    )
    assert Subscriber.objects.get(canonical=HERS).name == NAME
    return own, found


def files(post: Post, found: Conversation) -> None:
    """What commands, the catcher and colleagues leave in the folder."""
    write = post.workspace.write
    write("var/mail/1.eml", f"To: {HERS}\n\nDear Ameera\n")
    write("var/mail/2.eml", "To: ben@example.net\n\nDear Ben\n")
    write(f"var/copies/{found.pk}.eml", f"To: {HERS}")
    write("build/2026-11-24-asb/message.html", f"<p>{NAME} {HERS}</p>")
    write("recipients/old.refused.csv", f'email,name\n{HERS},"{NAME}"\nben@,Ben\n')
    write("recipients/people.csv", f'email,name\nben@example.net,Ben\n{HERS},"{NAME},\nsecond line"\n')
    write("recipients/others.csv", f"email,name\nnot.{HERS},Another\n")
