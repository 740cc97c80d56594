"""The mails that one person asked for: confirmation, welcome, goodbye, change of address, data, forget.

They go through the same pipeline, theme and mail code as an issue, so that they look like the body's other mail, and
are marked as what they are: Auto-Submitted (RFC 3834), no list headers, no bulk. Nothing that somebody typed on a page
stands in them (T13); the link is the only thing that differs.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from django.utils import timezone

from newsletter.config import Config
from newsletter.content import model as content
from newsletter.content.markdown import parser
from newsletter.mail import outgoing
from newsletter.mail.dkim import Signer
from newsletter.mail.tokens import Purpose, new_id
from newsletter.rendering import merge, pipeline, themes
from newsletter.rendering.model import Mode, Rendered
from newsletter.sending import keys, links, notices
from newsletter.sending.models import Notice, UnsubscribeKey

KINDS = ("confirm", "already", "welcome", "goodbye", "change", "move", "moved", "data", "forget")
_NONCE = "0facade1"  # no word of ours holds it


@cache
def all_words() -> Mapping[str, Mapping[str, str]]:
    """Every language of own_mails.toml."""
    found: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return found


def language_for(config: Config, *wanted: str) -> str:
    """The first of these that we speak, else the site's, else English; as a tag without its region."""
    for tag in (*wanted, config.site.language):
        primary = tag.replace("_", "-").partition("-")[0].lower()
        if primary in all_words():
            return primary
    return "en"


def queue(
    config: Config, kind: str, address: str, language: str, link: str, *, lists: Sequence[str] = (), once: str
) -> Notice:
    """Queue one, in the caller's transaction; the same `once` again queues nothing. `link` is the button's."""
    rendered = _rendered(config, kind, language, lists)
    words = all_words()[rendered.language]
    made = merge.variant(rendered, ())
    values = merge.fill(rendered, made, {}, {"own_url": link, "why": words[f"{kind}_why"]})
    token, keyring, domain = new_id(), keys.keyring(config), config.mail.reply_domain
    message_id = f"{keyring.make(Purpose.MESSAGE_ID, token)}@{domain}"
    first = next(iter(config.senders.values()), None)
    common = outgoing.Common(
        from_name=first.name if first else config.site.name,
        from_address=first.address if first else f"noreply@{domain}",
        date=timezone.localtime(),
        language=rendered.language,
        auto_submitted="auto-generated",
    )
    person = outgoing.Person(
        to=address,
        message_id=message_id,
        reply_to=links.way_back(config, "reply", keyring.make(Purpose.REPLY, token), domain),
    )
    images = [asset for asset in rendered.assets if asset.inline]
    data = outgoing.compile(common, made.subject, made.text, made.html, images).build(values, person)
    signer = Signer.of(config.dkim)
    data = signer.sign(data, int(timezone.now().timestamp())) + data if signer else data
    return notices.queue(Notice.Kind.OWN, address, data, token=token, message_id=message_id, once=once)


def preferences_link(config: Config, canonical: str, lists: Sequence[str]) -> str:
    """The person's own page to choose; its token is one that also leaves these lists."""
    chosen = sorted(lists)
    key = UnsubscribeKey.objects.filter(canonical=canonical, lists_key=" ".join(chosen)[:500]).first()
    if key is None:
        key = UnsubscribeKey.objects.create(
            canonical=canonical, lists=chosen, lists_key=" ".join(chosen)[:500], token=new_id()
        )
    return f"{config.base_url}/p/{keys.keyring(config).make(Purpose.UNSUBSCRIBE, bytes(key.token))}"


def titles(config: Config, lists: Sequence[str], language: str) -> list[str]:
    """The lists as people know them, in their language."""
    return [config.list_said(key, language).title for key in lists]


_kept: dict[tuple[str, str, tuple[str, ...]], tuple[Config, Rendered]] = {}
_MOST_KEPT = 64  # a rendering takes 40 ms, and after a report in the paper the same one goes out 500 times


def _rendered(config: Config, kind: str, language: str, lists: Sequence[str]) -> Rendered:
    key = (kind, language_for(config, language), tuple(lists))
    known = _kept.get(key)
    if known and known[0] is config:
        return known[1]
    issue = _issue(config, kind, key[1], lists)
    made = pipeline.render(issue, themes.load(issue.front.template, config), config, Mode.OWN)
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[key] = (config, made)
    return made


def _issue(config: Config, kind: str, language: str, lists: Sequence[str]) -> content.Issue:
    """The mail as an issue that nobody wrote: a heading, our paragraphs, a button."""
    words = all_words()[language]
    named = {"site": config.site.name, "lists": ", ".join(titles(config, lists, language)) or config.site.name}
    subject = words[f"{kind}_subject"].format(**named)
    slot = content.Slot(0, "own_url", content.SlotKind.SYSTEM)
    text = parser().parse(words[f"{kind}_text"].format(**{key: _escaped(value) for key, value in named.items()}))
    nodes: tuple[content.Node, ...] = (content.Prose(1, tokens=tuple(text)),)
    if label := words[f"{kind}_button"]:
        nodes += (content.Button(2, label=label, href=content.marker(_NONCE, 0)),)
    front = content.FrontMatter(
        subject=subject, sender=next(iter(config.senders), ""), audience=(), language=language, archive="none"
    )
    return content.Issue(
        slug=f"own-{kind}",
        folder=config.root,
        file=f"own-{kind}",
        source="",
        sha256=hashlib.sha256(subject.encode()).hexdigest(),
        nonce=_NONCE,
        language=language,
        front=front,
        nodes=nodes,
        slots=(slot,),
    )


def _escaped(text: str) -> str:
    """A name of ours inside Markdown: every sign that means something there is plain."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#+-.!|&~:" else letter for letter in text)
