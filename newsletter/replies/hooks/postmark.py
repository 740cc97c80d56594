"""Postmark: calls are proved by user and password in the address (https://postmarkapp.com/developer/webhooks)."""

from __future__ import annotations

from typing import Any

from anymail.signals import EventType
from anymail.webhooks.postmark import PostmarkTrackingWebhookView

from newsletter.config.inward import Hook
from newsletter.replies.hooks import anymail_views
from newsletter.replies.hooks.calls import Call, Letter, Told, Unusable, dump, mail_bytes

OURS = ("Blocked", "SpamNotification", "DMARCPolicy", "ManuallyDeactivated", "VirusNotification")
PERMANENT = ("HardBounce", "BadEmailAddress")


def read(hook: Hook, call: Call) -> list[Letter | Told]:
    """What one call tells. Raises Forged, Unusable."""
    call.log_in(hook.proof())
    said = call.json
    if not isinstance(said, dict):
        raise Unusable("it is no object")
    if said.get("RecordType", "Inbound") == "Inbound":
        return [letter(said)]
    view = anymail_views.made(PostmarkTrackingWebhookView, webhook_secret=hook.proof())
    found = anymail_views.events(view, anymail_views.checked(view, call))
    return [told for event in found if (told := fact(event, said))]


def letter(said: dict[str, Any]) -> Letter:
    """A mail that came in; without its raw text the call itself is kept for a person."""
    headers = said.get("Headers") or []
    first = headers[0] if headers and headers[0].get("Name", "").lower() == "return-path" else None
    sender = str(first["Value"]).strip("<> ") if first else str((said.get("FromFull") or {}).get("Email", ""))
    recipient, number = str(said.get("OriginalRecipient", "")), f"in-{said['MessageID']}"
    if not said.get("RawEmail"):
        why = "Postmark sent no raw mail: switch on Include raw email content in JSON payload"
        return Letter(dump(said), recipient, sender, number, unreadable=why)
    return Letter(mail_bytes(str(said["RawEmail"])), recipient, sender, number)


def fact(event: Any, said: dict[str, Any]) -> Told | None:
    """A bounce or complaint; None for what changes nothing."""
    kind = "complaint" if event.event_type == EventType.COMPLAINED else "bounce"
    if event.event_type not in (EventType.BOUNCED, EventType.REJECTED, EventType.COMPLAINED):
        return None
    if said.get("Type") == "SpamNotification":  # a filter called it spam; no person pressed anything
        kind = "bounce"
    return Told(
        kind,
        f"{said.get('RecordType')}-{event.event_id or event.message_id}",
        event.recipient or "",
        dump(said),
        names=tuple(str(name) for name in (event.message_id,) if name),
        words=" ".join(filter(None, (event.mta_response, event.description))),
        permanent=said.get("Type") in PERMANENT,
        ours=said.get("Type") in OURS,
    )
