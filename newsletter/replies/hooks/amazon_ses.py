"""Amazon SES through SNS: calls are signed with a certificate of Amazon's, and come from a topic that we named.

anymail does not check the signature of SNS and needs Amazon's whole library, so the check is ours:
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html. A signature alone proves no more than
"somebody's topic": without the list of our topics anybody with an account at Amazon could report bounces.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.request
from functools import lru_cache
from typing import Any

from anymail.signals import EventType
from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from newsletter.config.inward import Hook
from newsletter.replies.hooks.calls import Call, Forged, Letter, Told, Unusable, dump

AT_AMAZON = re.compile(r"https://sns\.[a-z0-9-]{4,30}\.amazonaws\.com(?:\.cn)?/[\w.?=&:%-]{1,900}")
SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
ONLY_FOR_NOTIFICATIONS, ONLY_FOR_OTHERS = ("Subject",), ("SubscribeURL", "Token")
WAIT = 10  # seconds for Amazon to hand out a certificate, or to take a confirmation
GOOD_NEWS = "Successfully validated SNS topic for Amazon SES event publishing."


def read(hook: Hook, call: Call) -> list[Letter | Told]:
    """What one call tells; a topic of ours that asks is confirmed. Raises Forged, Unusable."""
    said = call.json
    if not isinstance(said, dict):
        raise Forged("it is no object")
    if hook.proof():
        call.log_in(hook.proof())
    if said.get("TopicArn") not in hook.topics:
        raise Forged("it is from no topic that newsletter.toml names")
    proved(said)
    kind = said.get("Type")
    if kind == "SubscriptionConfirmation":
        confirm(str(said["SubscribeURL"]))
        return []
    if kind != "Notification" or said["Message"] == GOOD_NEWS:
        return []
    try:
        event = json.loads(said["Message"])
    except ValueError as error:
        raise Unusable("its message is no JSON") from error
    if event.get("notificationType") == "Received":
        return letters(event, str(said["MessageId"]))
    return facts(event, said)


def proved(said: dict[str, Any]) -> None:
    """Check the signature of SNS (versions 1 and 2). Raises Forged."""
    url = str(said.get("SigningCertURL", ""))
    if not AT_AMAZON.fullmatch(url) or not url.endswith(".pem"):
        raise Forged("its certificate is not at Amazon")
    digest = {"1": hashes.SHA1, "2": hashes.SHA256}.get(str(said.get("SignatureVersion")))
    if digest is None:
        raise Forged("a signature of an unknown version")
    left_out = ONLY_FOR_OTHERS if said.get("Type") == "Notification" else ONLY_FOR_NOTIFICATIONS
    names = [name for name in SIGNED if name not in left_out and said.get(name) is not None]
    text = "".join(f"{name}\n{said[name]}\n" for name in names)
    try:
        key = public_key(certificate(url))
        key.verify(base64.b64decode(str(said.get("Signature"))), text.encode(), padding.PKCS1v15(), digest())
    except (InvalidSignature, ValueError) as error:
        raise Forged("the signature is not Amazon's") from error


def public_key(pem: bytes) -> rsa.RSAPublicKey:
    """The key of a certificate. Raises ValueError."""
    key = x509.load_pem_x509_certificate(pem).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("the certificate has no RSA key")
    return key


@lru_cache(maxsize=8)
def certificate(url: str) -> bytes:
    """The certificate behind an address of Amazon's. Raises OSError when it cannot be had: Amazon calls again."""
    return asked(url)


def confirm(url: str) -> None:
    """Say yes to a topic of ours. Raises Forged, OSError."""
    if not AT_AMAZON.fullmatch(url):
        raise Forged("the confirmation is not at Amazon")
    asked(url)


class _NowhereElse(urllib.request.HTTPRedirectHandler):
    """Amazon answers where it is asked; whatever leads elsewhere is not followed."""

    def redirect_request(self, *arguments: Any, **more: Any) -> None:
        return None


def asked(url: str) -> bytes:
    """GET, over TLS, at most 64 KB, no redirects. Raises OSError."""
    opener = urllib.request.build_opener(_NowhereElse())
    with opener.open(url, timeout=WAIT) as answer:
        return bytes(answer.read(65_536))


def letters(event: dict[str, Any], number: str) -> list[Letter | Told]:
    """A mail that a receipt rule with the action SNS brought, once for each of our recipients."""
    receipt, mail = event.get("receipt", {}), event.get("mail", {})
    action = receipt.get("action", {})
    if "content" not in event:
        why = "Amazon sent no mail with it: choose the action SNS in the receipt rule"
        return [Letter(dump(event), str((mail.get("destination") or [""])[0]), "", number, unreadable=why)]
    text = str(event["content"])
    raw = base64.b64decode(text) if action.get("encoding") == "BASE64" else text.encode("utf-8", "replace")
    sender = str(mail.get("source") or "").strip("<>")
    recipients = [str(one) for one in receipt.get("recipients") or mail.get("destination") or [""]]
    return [Letter(raw, one, sender, f"{number}-{place}") for place, one in enumerate(recipients)]


def facts(event: dict[str, Any], said: dict[str, Any]) -> list[Letter | Told]:
    """Bounces and complaints, one for each address."""
    view: Any = AmazonSESTrackingWebhookView
    found = view.esp_to_anymail_events(None, event, said)  # it reads its arguments only
    bounce, mail = event.get("bounce", {}), event.get("mail", {})
    headers = {str(one.get("name", "")).lower(): str(one.get("value", "")) for one in mail.get("headers", [])}
    names = tuple(filter(None, (headers.get("message-id"), str(mail.get("messageId") or ""))))
    statuses = {one.get("emailAddress"): one.get("status") or "" for one in bounce.get("bouncedRecipients", [])}
    told: list[Letter | Told] = []
    for one in found:
        if one.event_type not in (EventType.BOUNCED, EventType.COMPLAINED):
            continue
        complaint = one.event_type == EventType.COMPLAINED
        told.append(
            Told(
                "complaint" if complaint else "bounce",
                f"{one.event_id}-{one.recipient}",
                one.recipient,
                dump({"event": event, "about": one.recipient}),
                names=names,
                status=statuses.get(one.recipient, ""),
                words=" ".join(filter(None, (one.mta_response, one.description))),
                permanent=bounce.get("bounceType") == "Permanent",
                ours=bounce.get("bounceSubType") in ("Suppressed", "OnAccountSuppressionList", "ContentRejected"),
                feedback=(one.description or "abuse") if complaint else "",
            )
        )
    return told
