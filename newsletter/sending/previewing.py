"""Links that show what nobody has got yet, for a while: an issue's page, and its pictures wherever they are shown.

A seal is the time at which it ends and an HMAC over it and what it is for, under labels of their own. It cannot be
taken back; who must not see an issue must not get its link.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from newsletter.config import Config
from newsletter.mail.tokens import Keyring
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.rendering import freeze
from newsletter.rendering.model import Asset as Picture
from newsletter.rendering.model import Piece, Rendered
from newsletter.sending.models import Asset, AssetUse, Draft, Mailing

PAGE, PICTURE, COPY = "preview-page", "preview-picture", "own-copy"
_SEAL = re.compile(r"([0-9a-z]{1,9})-([0-9a-f]{32})")
_DURATION = re.compile(r"([1-9]\d{0,3})\s*(h|d|w)")
_HOURS = {"h": 1, "d": 24, "w": 168}
LONGEST = timedelta(days=90)
OF_A_TEST = timedelta(days=30)  # a test copy's pictures; nobody reads one later


def seal(keyring: Keyring, use: str, what: str, until: datetime) -> str:
    """`<end>-<HMAC>`: 32 hex digits (128 bits) after the end in seconds, base 36."""
    end = _base36(int(until.timestamp()))
    return f"{end}-{keyring.sign(use, f'{end} {what}'.encode())[:32]}"


def ends(keyring: Keyring, use: str, what: str, text: str, now: datetime | None = None) -> datetime | None:
    """Until when the seal is good; None when it is forged, of something else, or over."""
    found = _SEAL.fullmatch(text)
    if not found:
        return None
    signatures = keyring.signatures(use)(f"{found[1]} {what}".encode())
    if not any(hmac.compare_digest(one[:32], found[2]) for one in signatures):
        return None
    end = datetime.fromtimestamp(int(found[1], 36), tz=timezone.get_current_timezone())
    return end if end > (now or timezone.now()) else None


def duration(text: str) -> timedelta:
    """`36h`, `7d`, `2w`. Raises NewsletterError(bad-duration), also over 90 days."""
    found = _DURATION.fullmatch(text.strip().lower())
    long = timedelta(hours=int(found[1]) * _HOURS[found[2]]) if found else None
    if long is None or long > LONGEST:
        message = f"‘{text}’ is not a time that a preview link can last"
        hint = "Write hours, days or weeks, 90 days at most: 36h, 7d, 2w."
        raise NewsletterError(Problem("bad-duration", message, hint=hint), exit=Exit.USAGE)
    return long


def link(config: Config, keyring: Keyring, slug: str, until: datetime) -> str:
    """The address to pass on."""
    return f"{config.base_url}/preview/{slug}/{seal(keyring, PAGE, slug, until)}"


def keep_draft(slug: str, copies: Mapping[str, Rendered], until: datetime) -> None:
    """Keep an issue that is not approved as it is now, until then; what is over goes."""
    now = timezone.now()
    Draft.objects.filter(Q(until__lt=now) & ~Q(slug=slug)).delete()
    for rendered in copies.values():
        keep_assets(rendered.assets, None)
    earlier = Draft.objects.filter(slug=slug).first()
    Draft.objects.update_or_create(
        slug=slug,
        defaults={
            "public": {key: freeze.to_json(rendered) for key, rendered in copies.items()},
            "checksum": copies[""].checksum,
            "until": max(until, earlier.until) if earlier else until,
        },
    )


def keep_assets(assets: Iterable[Picture], mailing: Mailing | None) -> None:
    """Keep pictures and files, and for which mailing; for none, they show to whoever holds a sealed address."""
    for asset in assets:
        kept, new = Asset.objects.get_or_create(
            sha256=asset.sha256,
            defaults={"extension": asset.extension, "content_type": asset.content_type, "data": asset.data},
        )
        # Of before there were uses: everybody may see it, and it stays so.
        if new or kept.uses.exists():
            AssetUse.objects.get_or_create(asset=kept, mailing=mailing)


def sealed_html(html: str, assets: Iterable[Picture], config: Config, keyring: Keyring, until: datetime) -> str:
    """The same with a seal behind the address of each picture and file."""
    for asset in assets:
        address = f"{config.base_url}{asset.path}"
        html = html.replace(address, f"{address}?see={seal(keyring, PICTURE, asset.sha256, until)}")
    return html


def sealed_test(rendered: Rendered, config: Config, keyring: Keyring) -> Rendered:
    """A test copy's rendering whose pictures, where they are shown by address, show to whoever got it for 30 days."""
    by_address = [asset for asset in rendered.assets if not asset.inline]
    if not by_address:
        return rendered
    keep_assets(by_address, None)
    until = timezone.now() + OF_A_TEST

    def sealed(piece: Piece) -> Piece:
        return sealed_html(piece, by_address, config, keyring, until) if isinstance(piece, str) else piece

    return replace(rendered, html=tuple(map(sealed, rendered.html)), text=tuple(map(sealed, rendered.text)))


def _base36(number: int) -> str:
    letters = ""
    while number:
        number, digit = divmod(number, 36)
        letters = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + letters
    return letters or "0"
