"""Building one person's mail from the frozen issue: their language, their blocks, their own values and links."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from newsletter.config import Config
from newsletter.mail import outgoing
from newsletter.mail.addresses import Address, parse
from newsletter.mail.dkim import Signer
from newsletter.mail.tokens import Keyring
from newsletter.problems import NewsletterError, Problem
from newsletter.rendering import freeze, merge
from newsletter.rendering.model import Asset as Picture
from newsletter.rendering.model import Rendered, Variant
from newsletter.sending import links
from newsletter.sending.models import Asset, Mailing
from newsletter.sending.outbox import Leased
from newsletter.sending.transports.connection import unfit

SEVERAL = ("list", "tag", "area")  # conditions on these look at lists of text; all other values are text


@dataclass(frozen=True)
class Ready:
    """One person's mail, ready for the wire."""

    envelope_sender: str
    recipient: Address
    data: bytes
    unfit: str = ""  # why these bytes must not leave, in words


@dataclass(frozen=True)
class _Compiled:
    variant: Variant
    compiled: outgoing.Compiled
    plain_subject: str | None  # None: the subject has values of the person in it
    checked: set[bool]  # not empty: a whole mail of this variant was looked at byte by byte


class Composer:
    """Builds the mails of one mailing. Compiles once per language, set of `only` blocks and first list.

    Safe to use from several threads: at worst two of them compile the same variant.
    """

    def __init__(
        self,
        config: Config,
        keyring: Keyring,
        renders: Mapping[str, Rendered],
        settings: Mapping[str, Any],
        public_id: bytes,
        date: datetime,
        *,
        test: bool = False,
        picture: Callable[[str], bytes] | None = None,
    ) -> None:
        self.config, self.keyring = config, keyring
        self.renders, self.settings = renders, settings
        self.public_id, self.date, self.test = public_id, date, test
        self.picture = picture or (lambda sha256: bytes(Asset.objects.get(pk=sha256).data))
        self.signer = Signer.of(config.dkim)
        self.signed_at = int(date.timestamp())  # as the mail's Date, so that every attempt is the same bytes
        self._images: dict[str, list[Picture]] = {}
        self._cache: dict[tuple[str, frozenset[int], str], _Compiled] = {}

    @classmethod
    def of(cls, config: Config, keyring: Keyring, mailing: Mailing) -> Composer:
        """For what approval froze. The pictures are read now, so that sending threads need no database of their own."""
        renders = {language: freeze.from_json(data) for language, data in mailing.rendered.items()}
        composer = cls(config, keyring, renders, mailing.settings, bytes(mailing.public_id), mailing.approved_at)
        for language in renders:
            composer.images(language)
        return composer

    def compose(self, row: Leased) -> Ready:
        """The mail for one row. Raises NewsletterError with words for what this person's values make impossible."""
        recipient = _address(row.address)
        language = best_language(row.language, self.renders)
        rendered = self.renders[language]
        truths = merge.truths(rendered, condition_values(row.values, row.lists))
        made = self._compiled(language, truths, row.lists)
        own = links.signed(self.config, self.keyring, row.token, row.unsubscribe_token, self.public_id, test=self.test)
        fields = field_values(row.values)
        subject = made.plain_subject
        if subject is None:
            first = merge.fill(rendered, made.variant, fields, links.values(own, self.settings, row.lists, ""))
            subject = merge.join(made.variant.subject, first)
        system = links.values(own, self.settings, row.lists, subject)
        values = merge.fill(rendered, made.variant, fields, system)
        person = outgoing.Person(
            to=recipient,
            message_id=own.message_id,
            reply_to=links.reply_to(own, self.settings),
            unsubscribe_url=own.unsubscribe_url,
            unsubscribe_mailto=own.unsubscribe_address,
            name=row.name,
        )
        data = made.compiled.build(values, person)
        unfit = self._unfit(made, data)
        if self.signer and not unfit:
            data = self.signer.sign(data, self.signed_at) + data
        return Ready(own.envelope_sender, recipient, data, unfit)

    @staticmethod
    def _unfit(made: _Compiled, data: bytes) -> str:
        """The first mail of a variant is looked at whole, every later one as far as its headers go: the rest is the
        same pieces and values in quoted-printable, which no letter leaves (50 us a mail of 40 KB)."""
        if not made.checked:
            why = unfit(data)
            made.checked.update({True} if not why else ())
            return why
        return unfit(data[: data.find(b"\r\n\r\n") + 2])

    def _compiled(self, language: str, truths: frozenset[int], lists: Sequence[str]) -> _Compiled:
        first = lists[0] if lists else ""
        key = (language, truths, first)
        made = self._cache.get(key)
        if made is None:
            made = self._cache[key] = self._compile(language, truths, first)
        return made

    def _compile(self, language: str, truths: frozenset[int], first: str) -> _Compiled:
        rendered = self.renders[language]
        variant = merge.variant(rendered, truths)
        compiled = outgoing.compile(
            self._common(rendered, first), variant.subject, variant.text, variant.html, self.images(language)
        )
        fixed = all(isinstance(piece, str) for piece in variant.subject)
        plain = "".join(str(piece) for piece in variant.subject) if fixed else None
        return _Compiled(variant, compiled, plain, set())

    def _common(self, rendered: Rendered, first: str) -> outgoing.Common:
        known = self.settings.get("lists", {})
        title = known[first]["title"] if first in known else ""
        return outgoing.Common(
            from_name=self.settings["sender_name"],
            from_address=self.settings["sender_address"],
            date=self.date,
            language=rendered.language,
            list_id=f"{first or 'newsletter'}.{self.config.mail.reply_domain}",
            list_title=title,
            reply_name=self.settings["sender_name"],
            feedback_id=self._feedback_id(rendered.slug, first),
        )

    def _feedback_id(self, slug: str, first: str) -> str:
        """`issue:list:newsletter:sender`, by which Gmail's Postmaster Tools group complaints; nobody is named.

        Gmail asks for at most four parts, the last one the same in every mail and 5 to 15 characters long.
        """
        sender = hashlib.sha256(self.config.mail.reply_domain.encode()).hexdigest()[:12]
        issue, topic = (re.sub(r"[^A-Za-z0-9._-]+", "-", part)[:60] for part in (slug, first or "all"))
        return f"{issue}:{topic}:newsletter:{sender}"

    def images(self, language: str) -> list[Picture]:
        """The pictures that travel inside the mail, with their bytes."""
        if language not in self._images:
            self._images[language] = [
                Picture(a.sha256, a.extension, a.content_type, a.data or self.picture(a.sha256), True)
                for a in self.renders[language].assets
                if a.inline
            ]
        return self._images[language]


def best_language(wanted: str, renders: Mapping[str, Rendered]) -> str:
    """The key of the rendering for a person: their language, its family (cy for cy-GB), else the default ""."""
    wanted = wanted.lower()
    for key in (wanted, wanted.split("-")[0]):
        for language in renders:
            if language and language.lower() == key:
                return language
    return ""


def field_values(values: Mapping[str, Any]) -> dict[str, str]:
    """The frozen values as text, for filling; lists have no place in a sentence."""
    return {key: text(value) for key, value in values.items() if not isinstance(value, list)}


def condition_values(values: Mapping[str, Any], lists: Sequence[str]) -> dict[str, Any]:
    """The frozen values as conditions look at them: `list`, `tag` and `area` are lists of text, the rest text."""
    fields: dict[str, Any] = field_values(values)
    for key in SEVERAL:
        held = values.get(key) or []
        fields[key] = [text(item) for item in (held if isinstance(held, list) else [held])]
    fields["list"] = list(lists)
    return fields


def text(value: Any) -> str:
    """A frozen value as a person reads it; what is missing is empty."""
    return "" if value is None else str(value)


def _address(typed: str) -> Address:
    try:
        return parse(typed)
    except ValueError as error:
        raise NewsletterError(
            Problem("bad-address", f"{typed!r} cannot be an address: {error}", hint="Put the address right.")
        ) from None
