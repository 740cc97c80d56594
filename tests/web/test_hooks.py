"""Calls of mail services: what they can prove is taken once; forged, repeated and unprovable calls change nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from django.test import Client

from newsletter.problems import NewsletterError
from tests.replies.conftest import Post, Sent, mail, post  # noqa: F401 (a fixture)

TOPIC = "arn:aws:sns:eu-west-2:123456789012:ses"
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = "".join(
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
    .splitlines()[1:-1]
)
AMAZON = rsa.generate_private_key(65537, 2048)
TOML = f"""
[hooks.pm]
provider = "postmark"
secret_file = "hook.secret"
[hooks.mg]
provider = "mailgun"
secret_file = "hook.secret"
[hooks.sg]
provider = "sendgrid"
secret_file = "hook.secret"
public_key = "{PUBLIC}"
[hooks.ses]
provider = "amazon-ses"
topics = ["{TOPIC}"]
"""
SECRET = "news:" + "s3cret" * 4
LOGIN = "Basic " + base64.b64encode(SECRET.encode()).decode()


@dataclass
class Told:
    """A call as its provider makes it, and the key of the hook."""

    key: str
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] | None = None

    def send(self, **other: str) -> int:
        headers = {**(self.headers or {}), **other}
        answer = Client().post(f"/hooks/{self.key}/", self.body, content_type=self.content_type, headers=headers)
        return int(answer.status_code)


@pytest.fixture
def ready(post: Post) -> Post:  # noqa: F811
    post.workspace.write("hook.secret", SECRET + "\n")
    post.workspace.toml(TOML)
    with mock.patch("newsletter.replies.hooks.amazon_ses.certificate", lambda url: certificate()):
        yield post


def certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(AMAZON.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(AMAZON, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def postmark(said: dict[str, Any]) -> Told:
    return Told("pm", json.dumps(said).encode(), headers={"Authorization": LOGIN})


def mailgun(said: dict[str, Any], token: str = "t" * 50, at: float | None = None) -> Told:
    return Told("mg", json.dumps({"signature": signature(token, at), "event-data": said}).encode())


def signature(token: str, at: float | None = None) -> dict[str, str]:
    stamp = str(int(at or time.time()))
    digest = hmac.new(SECRET.encode(), (stamp + token).encode(), hashlib.sha256).hexdigest()
    return {"timestamp": stamp, "token": token, "signature": digest}


def sendgrid(*events: dict[str, Any], at: float | None = None) -> Told:
    body, stamp = json.dumps(list(events)).encode(), str(int(at or time.time()))
    signed = KEY.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signed).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
    }
    return Told("sg", body, headers=headers)


def sns(message: Any, number: str = "m-1", topic: str = TOPIC, **more: str) -> Told:
    said = {
        "Type": "Notification",
        "MessageId": number,
        "TopicArn": topic,
        "Message": json.dumps(message),
        "Timestamp": "2026-11-24T10:00:00.000Z",
        "SignatureVersion": "2",
        "SigningCertURL": "https://sns.eu-west-2.amazonaws.com/SimpleNotificationService-1.pem",
        **more,
    }
    kinds = {"Notification": ("Message", "MessageId", "Timestamp", "TopicArn", "Type")}
    others = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    text = "".join(f"{name}\n{said[name]}\n" for name in kinds.get(said["Type"], others))
    said["Signature"] = base64.b64encode(AMAZON.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    return Told("ses", json.dumps(said).encode(), "text/plain; charset=UTF-8")


def bounced(address: str) -> dict[str, Told]:
    """The same hard bounce as each of the four tells it."""
    words = "smtp; 550 5.1.1 No such user here"
    return {
        "postmark": postmark(
            {
                "RecordType": "Bounce", "ID": 4711, "Type": "HardBounce", "MessageID": "883953f4-6105-42a2",
                "Email": address, "Details": words, "Description": "The server was unable to deliver your message",
                "BouncedAt": "2026-11-24T10:00:00Z",
            }
        ),
        "mailgun": mailgun(
            {
                "event": "failed", "severity": "permanent", "reason": "bounce", "recipient": address,
                "timestamp": time.time(), "message": {"headers": {"message-id": "x@y.example"}},
                "delivery-status": {"code": 550, "message": words, "enhanced-code": "5.1.1"},
            }
        ),
        "sendgrid": sendgrid(
            {
                "event": "bounce", "type": "bounce", "email": address, "timestamp": int(time.time()),
                "sg_event_id": "e-1", "smtp-id": "<x@y.example>", "reason": words, "status": "5.1.1",
            }
        ),
        "ses": sns(
            {
                "notificationType": "Bounce",
                "mail": {"messageId": "0102-x", "destination": [address]},
                "bounce": {
                    "bounceType": "Permanent", "bounceSubType": "General",
                    "bouncedRecipients": [{"emailAddress": address, "status": "5.1.1", "diagnosticCode": words}],
                },
            }
        ),
    }  # fmt: skip


def complained(address: str) -> dict[str, Told]:
    return {
        "postmark": postmark(
            {"RecordType": "SpamComplaint", "ID": 9, "Type": "SpamComplaint", "MessageID": "8-8", "Email": address}
        ),
        "mailgun": mailgun(
            {"event": "complained", "recipient": address, "timestamp": time.time(), "message": {"headers": {}}}
        ),
        "sendgrid": sendgrid(
            {"event": "spamreport", "email": address, "timestamp": int(time.time()), "sg_event_id": "e-2"}
        ),
        "ses": sns(
            {
                "notificationType": "Complaint",
                "mail": {"messageId": "0102-x", "destination": [address]},
                "complaint": {"complainedRecipients": [{"emailAddress": address}], "complaintFeedbackType": "abuse"},
            }
        ),
    }


def letters(sent: Sent) -> dict[str, Told]:
    raw = mail(sent.reply, "Grüße, I would like a review.").replace(b"\n", b"\r\n")
    text = raw.decode()
    envelope = json.dumps({"to": [sent.reply], "from": "ameera@example.net"})
    form = multipart({"email": raw, "envelope": envelope.encode(), "to": sent.reply.encode()})
    fields = {**signature("u" * 50), "recipient": sent.reply, "sender": "ameera@example.net", "body-mime": text}
    return {
        "postmark": postmark(
            {
                "MessageID": "in-1", "OriginalRecipient": sent.reply, "RawEmail": text,
                "FromFull": {"Email": "ameera@example.net"},
                "Headers": [{"Name": "Return-Path", "Value": "<ameera@example.net>"}],
            }
        ),
        "mailgun": Told("mg", urlencode(fields).encode(), "application/x-www-form-urlencoded"),
        "sendgrid": Told("sg", form, "multipart/form-data; boundary=xYzZY", {"Authorization": LOGIN}),
        "ses": sns(
            {
                "notificationType": "Received",
                "mail": {"source": "ameera@example.net", "destination": [sent.reply]},
                "receipt": {"recipients": [sent.reply], "action": {"type": "SNS", "encoding": "BASE64"}},
                "content": base64.b64encode(raw).decode(),
            }
        ),
    }  # fmt: skip


def multipart(fields: dict[str, bytes]) -> bytes:
    parts = b"".join(
        b'--xYzZY\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
        for name, value in fields.items()
    )
    return parts + b"--xYzZY--\r\n"


def suppressed() -> list[tuple[str, str]]:
    from newsletter.audience.models import Suppression

    return list(Suppression.objects.order_by("id").values_list("canonical", "reason"))


def kinds() -> list[str]:
    from newsletter.replies.models import Raw

    return list(Raw.objects.order_by("id").values_list("kind", flat=True))


PROVIDERS = ["postmark", "mailgun", "sendgrid", "ses"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_bounce_becomes_a_fact_on_the_delivery_once(ready: Post, provider: str) -> None:
    from newsletter.replies.models import Bounce

    sent = ready.sent_to()
    told = bounced("ameera@example.net")[provider]
    assert (told.send(), told.send()) == (200, 200)
    bounce = Bounce.objects.get()
    assert (bounce.delivery, bounce.outcome) == (sent.delivery, "gone")
    assert kinds() == ["bounce"] and suppressed() == [("ameera@example.net", "gone")]
    assert b"No such user" in bytes(bounce.raw.data)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_complaint_ends_the_mailings_to_whoever_complained(ready: Post, provider: str) -> None:
    from newsletter.replies.models import Complaint

    sent = ready.sent_to()
    told = complained("Ameera@example.net")[provider]
    assert (told.send(), told.send()) == (200, 200)
    assert Complaint.objects.get().delivery == sent.delivery
    assert suppressed() == [("ameera@example.net", "complaint")]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_mail_that_came_in_is_kept_as_it_was_and_becomes_one_conversation(ready: Post, provider: str) -> None:
    from newsletter.replies.models import Conversation, Raw

    sent = ready.sent_to()
    told = letters(sent)[provider]
    assert (told.send(), told.send()) == (200, 200)
    assert Conversation.objects.get().delivery == sent.delivery
    raw = Raw.objects.get(kind="person")
    assert bytes(raw.data) == mail(sent.reply, "Grüße, I would like a review.").replace(b"\n", b"\r\n")
    assert (raw.channel, raw.recipient, raw.sender) == ("webhook", sent.reply, "ameera@example.net")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("what", [bounced, complained])
def test_a_forged_call_changes_nothing(ready: Post, provider: str, what: Callable[[str], dict[str, Told]]) -> None:
    ready.sent_to()
    told = what("ameera@example.net")[provider]
    match provider:
        case "postmark":
            told.headers = {"Authorization": "Basic " + base64.b64encode(b"news:guessed").decode()}
        case "mailgun":
            told.body = told.body.replace(b'"signature": "', b'"signature": "0')
        case _:
            told.body = told.body.replace(b"ameera", b"brigid")
    assert told.send() == 403
    assert kinds() == [] and suppressed() == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_forged_letter_is_refused(ready: Post, provider: str) -> None:
    told = letters(ready.sent_to())[provider]
    match provider:
        case "postmark" | "sendgrid":
            told.headers = {}
        case "mailgun":
            told.body = told.body.replace(b"signature=", b"signature=0")
        case _:
            told.body = told.body.replace(b"ameera", b"brigid")
    assert told.send() == 403 and kinds() == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_without_a_secret_nothing_is_taken(ready: Post, provider: str) -> None:
    ready.workspace.write("hook.secret", "")
    ready.workspace.toml(TOML.replace(TOPIC, "arn:aws:sns:eu-west-2:1:another").replace(PUBLIC, ""))
    ready.sent_to()
    assert bounced("ameera@example.net")[provider].send() == 403
    assert kinds() == []


def test_a_hook_with_nothing_that_could_prove_it_is_an_error_of_the_settings(ready: Post) -> None:
    with pytest.raises(NewsletterError) as told:
        ready.workspace.toml('[hooks.pm]\nprovider = "postmark"\n')
    assert told.value.problems[0].code == "hook-without-secret"


def test_a_copied_signature_of_mailgun_under_another_text_changes_nothing(ready: Post) -> None:
    ready.sent_to()
    ready.sent_to("brigid@example.net")
    assert bounced("ameera@example.net")["mailgun"].send() == 200
    assert bounced("brigid@example.net")["mailgun"].send() == 200  # the same token: Mailgun signs nothing else
    assert suppressed() == [("ameera@example.net", "gone")]


def test_a_call_that_is_days_old_is_refused(ready: Post) -> None:
    ready.sent_to()
    old = time.time() - 3 * 86400
    event = {"event": "bounce", "type": "bounce", "email": "ameera@example.net", "sg_event_id": "e", "reason": "x"}
    assert sendgrid(event, at=old).send() == 403
    assert mailgun({"event": "complained", "recipient": "ameera@example.net"}, at=old).send() == 403


def test_anothers_topic_at_amazon_is_refused_in_spite_of_its_good_signature(ready: Post) -> None:
    ready.sent_to()
    event = {
        "notificationType": "Complaint",
        "mail": {"messageId": "1", "destination": []},
        "complaint": {"complainedRecipients": [{"emailAddress": "ameera@example.net"}]},
    }
    assert sns(event, topic="arn:aws:sns:eu-west-2:666666666666:ses").send() == 403
    assert sns(event, SigningCertURL="https://sns.eu-west-2.amazonaws.com.evil.example/x.pem").send() == 403
    assert suppressed() == []


def test_a_topic_of_ours_that_asks_is_confirmed_at_amazon_only(ready: Post) -> None:
    at_amazon = "https://sns.eu-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=abc"
    facts = {"Type": "SubscriptionConfirmation", "Token": "abc"}
    with mock.patch("newsletter.replies.hooks.amazon_ses.asked") as asked:
        assert sns("x", SubscribeURL=at_amazon, **facts).send() == 200
        assert sns("x", SubscribeURL="http://169.254.169.254/latest/meta-data", **facts).send() == 403
    asked.assert_called_once_with(at_amazon)


def test_a_filters_word_is_about_us_and_a_mailbox_that_is_full_is_not_gone(ready: Post) -> None:
    from newsletter.replies.models import Bounce

    ready.sent_to()
    ready.sent_to("brigid@example.net")
    common = {"RecordType": "Bounce", "MessageID": "m"}
    assert postmark({**common, "ID": 1, "Type": "SpamNotification", "Email": "ameera@example.net"}).send() == 200
    full = {"Type": "SoftBounce", "Email": "brigid@example.net", "Details": "552 5.2.2 mailbox full"}
    assert postmark({**common, "ID": 2, **full}).send() == 200
    assert [bounce.outcome for bounce in Bounce.objects.order_by("id")] == ["blocked", "full"]
    assert suppressed() == []


def test_a_call_without_the_raw_mail_is_kept_for_a_person(ready: Post) -> None:
    from newsletter.replies.models import Raw

    sent = ready.sent_to()
    told = {"MessageID": "in-2", "OriginalRecipient": sent.reply, "TextBody": "Please help", "Headers": []}
    assert postmark(told).send() == 200
    aside = Raw.objects.get()
    assert aside.kind == "quarantine" and "raw email" in aside.reason and b"Please help" in bytes(aside.data)


def test_a_mail_in_a_form_keeps_every_byte(ready: Post) -> None:
    from newsletter.replies.models import Raw

    sent = ready.sent_to()
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ameera@example.net", sent.reply, "Re: x"
    raw = message.as_bytes() + b"Gr\xfc\xdfe\r\n\r\n--not-a-boundary\r\n"
    form = multipart({"email": raw, "envelope": json.dumps({"to": [sent.reply], "from": "a@b.example"}).encode()})
    assert Told("sg", form, "multipart/form-data; boundary=xYzZY", {"Authorization": LOGIN}).send() == 200
    assert bytes(Raw.objects.get().data) == raw


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff\xfe", b'{"RecordType": "Bounce"}', b"[" * 9000])
def test_any_text_gets_an_answer_and_no_error(ready: Post, body: bytes) -> None:
    for key in ("pm", "mg", "sg", "ses"):
        assert Told(key, body, headers={"Authorization": LOGIN}).send() in (200, 400, 403)
    assert kinds() in ([], ["quarantine"])


def test_only_post_acts_and_unknown_names_are_not_there(ready: Post) -> None:
    assert Client().get("/hooks/pm/").status_code == 405
    assert Client().head("/hooks/pm/").status_code == 200
    assert Client().post("/hooks/nothing/", b"{}", content_type="application/json").status_code == 404
    assert kinds() == []


def test_a_failing_database_makes_the_provider_call_again(ready: Post) -> None:
    from django.db import OperationalError

    sent = ready.sent_to()
    with mock.patch("newsletter.replies.intake.store", side_effect=OperationalError("disk I/O error")):
        assert letters(sent)["postmark"].send() >= 500
    assert letters(sent)["postmark"].send() == 200 and kinds() == ["person"]
