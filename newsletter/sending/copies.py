"""The copies that a browser shows: the one a person was sent, and the public one with nobody in it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection

from newsletter import settings
from newsletter.audience import quickly
from newsletter.config import Config
from newsletter.mail.html_text import to_text
from newsletter.mail.tokens import Keyring
from newsletter.problems import NewsletterError
from newsletter.rendering import freeze, merge
from newsletter.rendering.model import Rendered, Variant
from newsletter.sending import links, message, previewing
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.outbox import Leased

_PICTURE = re.compile(r'<img\b[^>]{0,2000}?\balt="([^"<>]{1,500})"[^>]{0,2000}>')


def personal(delivery: Delivery) -> str:
    """The HTML that this person was sent, word for word, with pictures by address instead of inside the mail."""
    config = settings.current()
    mailing = delivery.mailing
    held = languages(mailing)
    language = message.best_language(delivery.language, held.sent)
    rendered = _rendered(mailing.pk, bytes(mailing.public_id), language, public=False)
    truths = merge.truths(rendered, message.condition_values(delivery.values, delivery.lists))
    variant = merge.variant(rendered, truths)
    fields = message.field_values(delivery.values)
    own = links.signed(
        config,
        Keyring.kept(config.var / "secret.key"),
        bytes(delivery.token),
        bytes(delivery.token),
        bytes(mailing.public_id),
    )

    def filled(subject: str) -> tuple[str, ...]:
        system = links.values(own, mailing.settings, delivery.lists, subject, rendered.language)
        return merge.fill(rendered, variant, fields, system)

    html = merge.join(variant.html, filled(merge.join(variant.subject, filled(""))))
    return _pictures_by_address(html, rendered, config)


def as_sent(delivery: Delivery) -> bytes:
    """The whole mail that this person was sent, byte for byte: it is built anew from what approval froze."""
    config = settings.current()
    composer = message.Composer.of(config, Keyring.load(config.var / "secret.key"), delivery.mailing)
    row = Leased(
        delivery.pk,
        delivery.attempt,
        delivery.tries,
        delivery.canonical,
        delivery.address,
        delivery.name,
        delivery.language,
        delivery.values,
        tuple(delivery.lists),
        bytes(delivery.token),
        bytes(delivery.token),
    )
    return composer.compose(row).data


def public(mailing: Mailing, language: str = "") -> str:
    """The HTML for everybody: fields show their fallback, and no link belongs to a person."""
    key = message.best_language(language, languages(mailing).shown)
    return _public_html(mailing.pk, bytes(mailing.public_id), key, settings.current().base_url)


def light(where: str, params: Sequence[object]) -> Mailing | None:
    """The mailing of which this is true, without the two renderings in it (65 KB of JSON, 1 ms to read)."""
    return quickly.first(Mailing, where, params, quickly.without(Mailing, "rendered", "public"))


@dataclass(frozen=True)
class Languages:
    """In which languages a mailing was frozen, by the keys of its renderings."""

    sent: Mapping[str, Mapping[str, str]]  # key → {"language", "title"}
    shown: Mapping[str, Mapping[str, str]]  # the same of the copy for everybody
    public: bool  # it has one of its own


def languages(mailing: Mailing) -> Languages:
    """Approval froze it: read once for each mailing."""
    return _languages(mailing.pk, bytes(mailing.public_id))


def previewed(frozen: Any, keyring: Keyring, until: datetime) -> str:
    """The public HTML of a rendering that nobody has got yet, with pictures that show until then."""
    config = settings.current()
    rendered = freeze.from_json(frozen)
    variant = merge.variant(rendered, merge.truths(rendered, {}))
    html = _pictures_by_address(merge.join(variant.html, merge.fill(rendered, variant, {}, {})), rendered, config)
    return previewing.sealed_html(html, rendered.assets, config, keyring, until)


def texts(delivery: Delivery) -> tuple[str, ...]:
    """The words that this person was sent: the plain part with their own values, and what their HTML says.

    For finding them again in a reply; so addresses are left out, and the words of the HTML, the same for thousands,
    are those with fallbacks. Empty where the frozen issue cannot be read: a reply is never lost for that.
    """
    # Its random number is the key of what is remembered: another database's mailing 1 is another one.
    key = frozen(delivery.mailing_id).public_id
    try:
        renderings = _renderings(delivery.mailing_id, key)
        language = message.best_language(delivery.language, renderings)
        rendered = renderings[language]
        truths = merge.truths(rendered, message.condition_values(delivery.values, delivery.lists))
        variant, from_html = _words_of_html(delivery.mailing_id, key, language, truths)
        values = merge.fill(rendered, variant, message.field_values(delivery.values), {})
    except (AttributeError, KeyError, ValueError, TypeError, NewsletterError):
        return ()
    return (merge.join(variant.text, values), *from_html)


@dataclass(frozen=True)
class Frozen:
    """What every answer to a mailing asks of it. Approval froze it, so it is remembered for a minute."""

    public_id: bytes
    sensitive: bool


def frozen(mailing: int) -> Frozen:
    """Without the 200 KB of JSON that were rendered. For a minute only, and for this database: a backup may be put
    back under a process that runs, and then mailing 1 is another one. Raises Mailing.DoesNotExist."""
    return _frozen(mailing, str(connection.settings_dict["NAME"]), int(time.monotonic() // 60))


@lru_cache(maxsize=64)
def _frozen(mailing: int, database: str, minute: int) -> Frozen:
    public_id, chosen = Mailing.objects.values_list("public_id", "settings").get(pk=mailing)
    return Frozen(bytes(public_id), bool(chosen.get("sensitive")))


@lru_cache(maxsize=4)
def _renderings(mailing: int, public_id: bytes) -> dict[str, Rendered]:
    found: dict[str, Any] = Mailing.objects.values_list("rendered", flat=True).get(pk=mailing)
    return {language: freeze.from_json(data) for language, data in found.items()}


@lru_cache(maxsize=32)
def _words_of_html(
    mailing: int, public_id: bytes, language: str, truths: frozenset[int]
) -> tuple[Variant, tuple[str, ...]]:
    """The variant, and its words: as read, and as Outlook writes them, with `[description]` for each picture."""
    rendered = _renderings(mailing, public_id)[language]
    variant = merge.variant(rendered, truths)
    html = merge.join(variant.html, merge.fill(rendered, variant, {}, {}))
    described = _PICTURE.sub(r" [\1] ", html)
    return variant, tuple(to_text(one) for one in dict.fromkeys((html, described)))


# What follows is remembered for everybody: it holds nothing of a person. The random number is in each key because
# another database's mailing 1 is another one. How many are kept: the newest mailings, which nearly everybody asks for.
@lru_cache(maxsize=256)
def _languages(mailing: int, public_id: bytes) -> Languages:
    sent, public = Mailing.objects.values_list("rendered", "public").get(pk=mailing)
    return Languages(_facts(sent), _facts(public or sent), bool(public))


def _facts(held: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    return {key: {name: str(one.get(name, "")) for name in ("language", "title")} for key, one in held.items()}


@lru_cache(maxsize=16)
def _rendered(mailing: int, public_id: bytes, language: str, *, public: bool) -> Rendered:
    column = "public" if public else "rendered"
    found: dict[str, Any] = Mailing.objects.values_list(column, flat=True).get(pk=mailing)
    return freeze.from_json(found[language])


@lru_cache(maxsize=128)  # 30 KB each
def _public_html(mailing: int, public_id: bytes, key: str, base_url: str) -> str:
    public = _languages(mailing, public_id).public
    rendered = _rendered(mailing, public_id, key, public=public)
    variant = merge.variant(rendered, merge.truths(rendered, {}))
    html = merge.join(variant.html, merge.fill(rendered, variant, {}, {}))
    return _pictures_by_address(html, rendered, settings.current())


def _pictures_by_address(html: str, rendered: Rendered, config: Config) -> str:
    for asset in rendered.assets:
        html = html.replace(f"cid:{asset.cid}", f"{config.base_url}{asset.path}")
    return html
