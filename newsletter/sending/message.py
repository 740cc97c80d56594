"""Building one person's mail from the frozen issue: their language, their blocks, their own values and links."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from newsletter.config import Config, languages
from newsletter.content.model import Slot
from newsletter.mail import headers, outgoing
from newsletter.mail.addresses import Address, parse
from newsletter.mail.dkim import Signer
from newsletter.mail.plates import Plate
from newsletter.mail.segments import value
from newsletter.mail.tokens import Keyring, Purpose
from newsletter.problems import NewsletterError, Problem
from newsletter.rendering import freeze, merge
from newsletter.rendering.model import Asset as Picture
from newsletter.rendering.model import Context, Rendered, Variant
from newsletter.sending import links, list_words
from newsletter.sending.models import Asset, Mailing
from newsletter.sending.outbox import SHORT, Leased
from newsletter.sending.transports.connection import unfit as wrong_bytes

# Tokens that nobody has, put where those of a person belong; random, so that no text of an issue can be one.
_EACH = len(links.PURPOSES) - 1  # all but the one that everybody shares
_BOUNCE = links.Tokens._fields.index("bounce")
_STAND_INS = tuple(secrets.token_hex(16).translate(str.maketrans("0189", "wxyz")) for _ in range(_EACH))

KNOWN = 4096  # encoded values that are remembered: half a MiB
SEVERAL = ("list", "tag", "area", "segment")  # conditions on these look at lists of text; all other values are text


class Ready(NamedTuple):
    """One person's mail, ready for the wire."""

    envelope_sender: str
    recipient: Address
    data: bytes
    unfit: str = ""  # why these bytes must not leave, in words


@dataclass
class _Compiled:
    rendered: Rendered
    variant: Variant
    compiled: outgoing.Compiled
    plain_subject: str | None  # None: the subject has values of the person in it
    own: tuple[tuple[int, Slot, Context], ...]  # the holes that the person's own values fill
    checked: set[bool]  # not empty: a whole mail of this variant was looked at byte by byte
    gaps: tuple[tuple[Slot, Context], ...] = ()  # those holes in the order of the plate
    plate: Plate | None = None
    # (gap, value) → as it stands in the mail: first names repeat, and encoding one was 6 of a mail's 100 us.
    known: dict[tuple[int, str], bytes] = field(default_factory=dict)


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
        self._cache: dict[tuple[str, frozenset[int], tuple[str, ...]], _Compiled] = {}
        self._made: dict[tuple[str, frozenset[int], str, str], _Compiled] = {}
        self._languages: dict[str, str] = {}
        self._mint = keyring.minter(*[Purpose.TEST if test else purpose for purpose in links.PURPOSES[:_EACH]])
        sender = links.made(config, links.Tokens._make((*_STAND_INS, ""))).envelope_sender
        self._sender = sender.split(_STAND_INS[_BOUNCE])

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
        language = self._language(row.language)
        rendered = self.renders[language]
        truths: frozenset[int] = frozenset()
        if rendered.conditions:
            truths = merge.truths(rendered, condition_values(row.values, row.lists))
        made = self._compiled(language, truths, row.lists)
        if made.plate is None:
            return self._first(row, recipient, made)
        to = headers.mailbox("To", row.name, recipient.wire).encode()
        own = self._own(made, row)
        # Everything else was looked at in the first mail.
        unfit = wrong_bytes(b"".join((to, *own)))
        tokens = self._tokens(row)
        data = made.plate.build(to, own, tokens)
        sender = tokens[_BOUNCE].decode("ascii").join(self._sender)  # one shared mailbox has no place for a token
        return self._ready(sender, recipient, data, unfit)

    def _first(self, row: Leased, recipient: Address, made: _Compiled) -> Ready:
        """A mail built the long way: the first of every variant, which is looked at byte by byte and from which the
        plate for the others is cast; and all of them where there can be no plate."""
        own = links.signed(self.config, self.keyring, row.token, row.unsubscribe_token, self.public_id, test=self.test)
        fields = field_values(row.values)
        subject = made.plain_subject
        if subject is None:
            system = links.values(own, self.settings, row.lists, "", made.rendered.language)
            first = merge.fill(made.rendered, made.variant, fields, system)
            subject = merge.join(made.variant.subject, first)
        values, person = self._filled(made, own, row, fields, subject)
        data = made.compiled.build(values, person._replace(to=recipient))
        unfit = wrong_bytes(data) if not made.checked else wrong_bytes(data[: data.find(b"\r\n\r\n") + 2])
        if not unfit and not made.checked:
            made.checked.add(True)
            plate = self._plate(made, row, subject)
            if plate:
                places = {number: (slot, context) for number, slot, context in made.own}
                made.gaps = tuple(places[number] for number in plate.holes)
                to = headers.mailbox("To", row.name, recipient.wire).encode()
                if plate.build(to, self._own(made, row), self._tokens(row)) == data:
                    made.plate = plate  # else all of them are built the long way: never another mail
        return self._ready(own.envelope_sender, recipient, data, unfit)

    def _own(self, made: _Compiled, row: Leased) -> list[bytes]:
        """The person's own values, encoded, for the gaps of the plate."""
        if not made.gaps:
            return []
        fields = field_values(row.values)
        encoded = []
        for number, (slot, context) in enumerate(made.gaps):
            held = fields.get(slot.key, "")
            found = made.known.get((number, held))
            if found is None:
                found = value(merge.own_value(slot, context, made.rendered, {slot.key: held}))
                if len(held) <= SHORT and len(made.known) < KNOWN:
                    made.known[number, held] = found
            encoded.append(found)
        return encoded

    def _tokens(self, row: Leased) -> list[bytes]:
        return self._mint((row.token, row.token, row.unsubscribe_token, row.token, row.token))

    def _plate(self, made: _Compiled, row: Leased, subject: str) -> Plate | None:
        """The mail with stand-ins for all tokens but the one that everybody has."""
        share = links.signed(self.config, self.keyring, row.token, row.token, self.public_id, test=self.test).share_url
        own = replace(links.made(self.config, links.Tokens._make((*_STAND_INS, ""))), share_url=share)
        values, person = self._filled(made, own, row, {}, subject)
        gaps = {number for number, _, _ in made.own}
        return made.compiled.plate(
            [None if number in gaps else text for number, text in enumerate(values)], person, _STAND_INS
        )

    def _filled(
        self, made: _Compiled, own: links.Links, row: Leased, fields: Mapping[str, str], subject: str
    ) -> tuple[tuple[str, ...], outgoing.Person]:
        """The values of all holes, and what the headers say of the person."""
        system = links.values(own, self.settings, row.lists, subject, made.rendered.language)
        person = outgoing.Person(
            to=row.address,
            message_id=own.message_id,
            reply_to=links.reply_to(own, self.settings),
            unsubscribe_url=own.unsubscribe_url,
            unsubscribe_mailto=own.unsubscribe_address,
            name=row.name,
        )
        return merge.fill(made.rendered, made.variant, fields, system), person

    def _ready(self, envelope_sender: str, recipient: Address, data: bytes, unfit: str) -> Ready:
        if self.signer and not unfit:
            data = self.signer.sign(data, self.signed_at) + data
        return Ready(envelope_sender, recipient, data, unfit)

    def _language(self, wanted: str) -> str:
        found = self._languages.get(wanted)
        if found is None:
            found = self._languages[wanted] = best_language(wanted, self.renders)
        return found

    def _compiled(self, language: str, truths: frozenset[int], lists: tuple[str, ...]) -> _Compiled:
        key = (language, truths, lists)
        made = self._cache.get(key)
        if made is None:
            # Of several sets of lists with the same first and the same footer there is one: a plate has 40 KB.
            first = lists[0] if lists else ""
            same = (language, truths, first, links.why(self.settings, lists, self.renders[language].language))
            made = self._cache[key] = self._made.get(same) or self._compile(language, truths, first)
            self._made[same] = made
        return made

    def _compile(self, language: str, truths: frozenset[int], first: str) -> _Compiled:
        rendered = self.renders[language]
        variant = merge.variant(rendered, truths)
        compiled = outgoing.compile(
            self._common(rendered, first), variant.subject, variant.text, variant.html, self.images(language)
        )
        fixed = all(isinstance(piece, str) for piece in variant.subject)
        plain = "".join(str(piece) for piece in variant.subject) if fixed else None
        return _Compiled(rendered, variant, compiled, plain, merge.own_holes(rendered, variant), set())

    def _common(self, rendered: Rendered, first: str) -> outgoing.Common:
        return outgoing.Common(
            from_name=self.settings["sender_name"],
            from_address=self.settings["sender_address"],
            date=self.date,
            language=rendered.language,
            list_id=f"{first or 'newsletter'}.{self.config.mail.reply_domain}",
            list_title=list_words.said(self.settings, first, rendered.language).title,
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


def best_language(wanted: str, renders: Mapping[str, Any]) -> str:
    """The key of the rendering for a person: their language, its family (cy for cy-GB), else the default ""."""
    return languages.nearest(wanted, renders, _spoken(renders.get("")))


def _spoken(rendered: Any) -> str:
    """The language of a rendering, or of one as it is kept."""
    found = rendered.get("language", "") if isinstance(rendered, Mapping) else getattr(rendered, "language", "")
    return str(found).lower()


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
