"""The copies that a browser shows: the one a person was sent, and the public one with nobody in it."""

from __future__ import annotations

from functools import lru_cache

from newsletter import settings
from newsletter.config import Config
from newsletter.mail.tokens import Keyring
from newsletter.rendering import freeze, merge
from newsletter.rendering.model import Rendered
from newsletter.sending import links, message
from newsletter.sending.models import Delivery, Mailing


def personal(delivery: Delivery) -> str:
    """The HTML that this person was sent, word for word, with pictures by address instead of inside the mail."""
    config = settings.current()
    mailing = delivery.mailing
    language = message.best_language(delivery.language, mailing.rendered)
    rendered = _rendered(mailing.pk, mailing.checksum, language, public=False)
    truths = merge.truths(rendered, message.condition_values(delivery.values, delivery.lists))
    variant = merge.variant(rendered, truths)
    fields = message.field_values(delivery.values)
    own = links.signed(
        config,
        Keyring.load(config.var / "secret.key"),
        bytes(delivery.token),
        bytes(delivery.token),
        bytes(mailing.public_id),
    )

    def filled(subject: str) -> tuple[str, ...]:
        system = links.values(own, mailing.settings, delivery.lists, subject)
        return merge.fill(rendered, variant, fields, system)

    html = merge.join(variant.html, filled(merge.join(variant.subject, filled(""))))
    return _pictures_by_address(html, rendered, config)


def public(mailing: Mailing, language: str = "") -> str:
    """The HTML for everybody: fields show their fallback, and no link belongs to a person."""
    config = settings.current()
    held = mailing.public or mailing.rendered
    key = message.best_language(language, held)
    rendered = _rendered(mailing.pk, mailing.checksum, key, public=bool(mailing.public))
    variant = merge.variant(rendered, merge.truths(rendered, {}))
    html = merge.join(variant.html, merge.fill(rendered, variant, {}, {}))
    return _pictures_by_address(html, rendered, config)


@lru_cache(maxsize=16)
def _rendered(mailing: int, checksum: str, language: str, *, public: bool) -> Rendered:
    """A frozen rendering read once; the checksum is there so that another database's mailing 1 is another one."""
    found = Mailing.objects.get(pk=mailing)
    return freeze.from_json((found.public if public else found.rendered)[language])


def _pictures_by_address(html: str, rendered: Rendered, config: Config) -> str:
    for asset in rendered.assets:
        html = html.replace(f"cid:{asset.cid}", f"{config.base_url}{asset.path}")
    return html
