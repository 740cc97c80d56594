"""The one mail to somebody who left by writing "unsubscribe": that it was done, and how to take it back."""

from __future__ import annotations

import re

from django.utils import timezone

from newsletter import settings
from newsletter.mail import outgoing
from newsletter.mail.incoming import Incoming
from newsletter.mail.tokens import Purpose, new_id
from newsletter.replies import telling
from newsletter.sending import keys, links, notices
from newsletter.sending.models import Delivery, Mailing, Notice

# language → (subject, text); {site} and {lists} are filled in.
WORDS = {
    "en": (
        "You get no more of these messages",
        "You asked to leave, and it is done: you get no more of {lists}.\n\nWas that a mistake? Answer this mail, and a"
        " person will put it right.\n\nThis is an automatic answer from {site}.\n",
    ),
    "cy": (
        "Ni chewch ragor o’r negeseuon hyn",
        "Gofynnoch am gael gadael, ac mae wedi’i wneud: ni chewch ragor o {lists}.\n\nCamgymeriad? Atebwch y neges hon,"
        " a bydd person yn ei gywiro.\n\nAteb awtomatig gan {site} yw hwn.\n",
    ),
    "de": (
        "Sie bekommen diese Nachrichten nicht mehr",
        "Sie wollten sich abmelden, und das ist geschehen: {lists} bekommen Sie nicht mehr.\n\nWar das ein Versehen?"
        " Antworten Sie auf diese Nachricht, dann bringt es ein Mensch in Ordnung."
        "\n\nAutomatische Antwort von {site}.\n",
    ),
    "fr": (
        "Vous ne recevrez plus ces messages",
        "Vous avez demandé à partir, et c’est fait : vous ne recevrez plus {lists}.\n\nC’était une erreur ? Répondez à"
        " ce message et une personne la corrigera.\n\nRéponse automatique de {site}.\n",
    ),
    "pl": (
        "Nie będą już Państwo dostawać tych wiadomości",
        "Zgodnie z prośbą: nie będą już Państwo dostawać {lists}.\n\nTo pomyłka? Proszę odpowiedzieć na tę wiadomość,"
        " a ktoś to naprawi.\n\nAutomatyczna odpowiedź: {site}.\n",
    ),
}
_PLAIN = re.compile(r"[\x21-\x7e]{1,200}")


def answered(notice: Notice) -> Delivery | None:
    """The copy whose reader had left, where `notice` is the mail that told them so; None for any other mail. Whoever
    answers it ("that was a mistake") is the person we know, not a stranger."""
    kind, _, number = (notice.once or "").partition(":")
    if notice.kind != Notice.Kind.CONFIRMATION or kind != "left" or not number.isdecimal():
        return None
    return Delivery.objects.filter(pk=int(number)).first()


def confirm(delivery: Delivery, incoming: Incoming) -> Notice:
    """Queue it, in the caller's transaction: to the address on record, from `<>`, once for each mail of ours.

    RFC 3834: automatic, in the thread, with nothing of theirs quoted. Its own reply address brings the answer back to
    a person.
    """
    config = settings.current()
    frozen = Mailing.objects.filter(pk=delivery.mailing_id).values_list("settings", flat=True).first() or {}
    language = (delivery.language or config.site.language).partition("-")[0].lower()
    language = language if language in WORDS else "en"
    subject, text = WORDS[language]
    titles = [config.list_said(key, language).title for key in delivery.lists]
    first = next(iter(config.senders.values()), None)
    sender = config.replies.address or frozen.get("sender_address") or (first.address if first else "")
    token, keyring = new_id(), keys.keyring(config)
    domain = config.mail.reply_domain
    message_id = f"{keyring.make(Purpose.MESSAGE_ID, token)}@{domain}"
    answered = f"<{incoming.message_id}>" if _PLAIN.fullmatch(incoming.message_id) else ""
    common = outgoing.Common(
        from_name=config.replies.name or config.site.name,
        from_address=sender or f"noreply@{domain}",
        date=timezone.localtime(),
        language=language,
        auto_submitted="auto-replied",
        in_reply_to=answered,
        references=(answered,) if answered else (),
    )
    body = text.format(site=config.site.name, lists=", ".join(titles) or config.site.name)
    person = outgoing.Person(
        to=delivery.address,
        message_id=message_id,
        reply_to=links.way_back(config, "reply", keyring.make(Purpose.REPLY, token), domain),
    )
    data = outgoing.compile(common, [subject], [body]).build((), person)
    return notices.queue(
        Notice.Kind.CONFIRMATION,
        delivery.address,
        telling.signed(config, data),
        token=token,
        message_id=message_id,
        once=f"left:{delivery.pk}",
    )
