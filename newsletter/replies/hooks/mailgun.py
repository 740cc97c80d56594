"""Mailgun: calls are signed with the webhook signing key (https://documentation.mailgun.com, "Securing webhooks").

The signature covers a time and a random word only, not what is told. So each word counts once: a copied signature
under another text is a known event.
"""

from __future__ import annotations

from typing import Any

from anymail.signals import EventType
from anymail.webhooks.mailgun import MailgunInboundWebhookView, MailgunTrackingWebhookView

from newsletter.config.inward import Hook
from newsletter.replies.hooks import anymail_views
from newsletter.replies.hooks.calls import OLDEST, Call, Forged, Letter, Told, Unusable, dump


def read(hook: Hook, call: Call) -> list[Letter | Told]:
    """What one call tells. Raises Forged, Unusable."""
    proof = hook.proof()
    if not proof:
        raise Forged("no signing key is set")
    kind = MailgunTrackingWebhookView if call.is_json else MailgunInboundWebhookView
    view = anymail_views.made(kind, webhook_signing_key=proof)
    if call.is_json and call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Forged("JSON that does not say so")  # the signature would be looked for elsewhere
    request = anymail_views.checked(view, call)
    stamp = call.json["signature"]["timestamp"] if call.is_json else call.text("timestamp")
    if not -600 < call.now - float(stamp) < OLDEST:
        raise Forged("the signature is too old")
    if call.is_json:
        return [told for event in anymail_views.events(view, request) if (told := fact(event, call.json))]
    return [letter(call)]


def letter(call: Call) -> Letter:
    """A mail that a route forwards. The route's address must end with mime, or no raw mail comes."""
    if "body-mime" not in call.form:
        if "message-headers" not in call.form:
            raise Unusable("it is no mail")
        why = "Mailgun sent no raw mail: let the address of the route end with /mime"
        said = {name: value.decode("utf-8", "replace") for name, value in call.form.items()}
        return Letter(dump(said), call.text("recipient"), call.text("sender"), call.text("token"), unreadable=why)
    return Letter(call.form["body-mime"], call.text("recipient"), call.text("sender"), call.text("token"))


def fact(event: Any, said: dict[str, Any]) -> Told | None:
    """A bounce or complaint; None for what changes nothing, such as a temporary failure."""
    if event.event_type not in (EventType.BOUNCED, EventType.REJECTED, EventType.COMPLAINED):
        return None
    status = said["event-data"].get("delivery-status") or {}
    return Told(
        "complaint" if event.event_type == EventType.COMPLAINED else "bounce",
        str(event.event_id),
        event.recipient or "",
        dump(said),
        names=tuple(filter(None, (event.message_id,))),
        status=str(status.get("enhanced-code") or ""),
        words=" ".join(filter(None, (event.mta_response, event.description))),
        permanent=said["event-data"].get("severity") == "permanent",
        ours=event.event_type == EventType.REJECTED,
    )
