"""SendGrid: events are signed with a key of theirs; mail that came in is proved by user and password in the address.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events
"""

from __future__ import annotations

import json
from typing import Any

from anymail.signals import EventType
from anymail.webhooks.sendgrid import SendGridTrackingWebhookView

from newsletter.config.inward import Hook
from newsletter.mail import header_reading
from newsletter.replies.hooks import anymail_views
from newsletter.replies.hooks.calls import OLDEST, Call, Forged, Letter, Told, Unusable, dump

STAMP = "x-twilio-email-event-webhook-timestamp"
UNKNOWN = "unknown"  # no address, and not the empty one
DROPPED_BEFORE = ("bounced address", "invalid")  # drops that say something of the address


def read(hook: Hook, call: Call) -> list[Letter | Told]:
    """What one call tells. Raises Forged, Unusable."""
    if not call.is_json:
        call.log_in(hook.proof())
        return letters(call)
    if not hook.public_key:
        call.log_in(hook.proof())
        view = anymail_views.made(SendGridTrackingWebhookView, webhook_secret=hook.proof())
    else:
        view = anymail_views.made(SendGridTrackingWebhookView, tracking_webhook_verification_key=hook.public_key)
    request = anymail_views.checked(view, call)
    stamp = call.headers.get(STAMP, "")
    if hook.public_key and (not stamp.isdigit() or not -600 < call.now - int(stamp) < OLDEST):
        raise Forged("the signature is too old")
    if not isinstance(call.json, list):
        raise Unusable("it is no list of events")
    found = zip(anymail_views.events(view, request), call.json, strict=True)
    return [told for event, said in found if (told := fact(event, said))]


def letters(call: Call) -> list[Letter | Told]:
    """A mail that came in, once for each recipient of its envelope."""
    envelope = json.loads(call.text("envelope") or "{}")
    recipients = [str(one) for one in envelope.get("to") or [""]]
    # Only an envelope that says so has the empty sender, which only machines use; where it is missing, the From counts.
    header_from = [box for _, box in header_reading.mailboxes(call.text("from"))]
    sender = str(envelope["from"] or "") if "from" in envelope else next(filter(None, header_from), UNKNOWN)
    if "email" in call.form:
        return [Letter(call.form["email"], recipient, sender) for recipient in recipients]
    if "headers" not in call.form:
        raise Unusable("it is no mail")
    why = "SendGrid sent no raw mail: tick POST the raw, full MIME message"
    said = {name: value.decode("utf-8", "replace") for name, value in call.form.items()}
    return [Letter(dump(said), recipients[0], sender, unreadable=why)]


def fact(event: Any, said: dict[str, Any]) -> Told | None:
    """A bounce or complaint; None for what changes nothing."""
    if event.event_type not in (EventType.BOUNCED, EventType.REJECTED, EventType.COMPLAINED):
        return None
    reason = str(said.get("reason") or said.get("response") or "")
    if event.event_type == EventType.REJECTED and reason.lower() not in DROPPED_BEFORE:
        return None  # a drop for a reason of SendGrid's own, such as an unsubscribe kept there
    return Told(
        "complaint" if event.event_type == EventType.COMPLAINED else "bounce",
        str(event.event_id),
        event.recipient or "",
        dump(said),
        names=tuple(filter(None, (event.message_id,))),
        status=str(said.get("status") or ""),
        words=reason,
        permanent=said.get("type") == "bounce" or event.event_type == EventType.REJECTED,
        ours=said.get("type") == "blocked",
    )
