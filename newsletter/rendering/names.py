"""Every name that a theme's templates may use, with its value for this issue (docs/reference/theme-format.md)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from newsletter.content import model as content
from newsletter.content.values import long_date
from newsletter.rendering import styles
from newsletter.rendering.material import Material


def names(material: Material) -> dict[str, Any]:
    """The names of theme, blocks and style sheets; `blocks` and `banner` are added by the pipeline."""
    config, issue, rtl = material.config, material.issue, material.direction == "rtl"
    nobody = SimpleNamespace(name=config.site.name, address="", role="", area="", organisation="")
    sender = config.senders.get(issue.front.sender) or nobody
    first_list = next((config.lists[key] for key in issue.front.audience if key in config.lists), None)
    return {
        "lang": styles.language(material.language),
        "dir": styles.keyword(material.direction),
        "start": styles.keyword("right" if rtl else "left"),
        "end": styles.keyword("left" if rtl else "right"),
        "mode": material.mode.value,
        "issue": _facts(material),
        "by": issue.front.by or content.By(sender.name, sender.role, sender.area, sender.organisation),
        "sender": sender,
        "site": config.site,
        "list_title": first_list.said(material.language).title if first_list else "",
        "has_h1": any(isinstance(node, content.Heading) and node.level == 1 for node in issue.walk()),
        "has_reply": any(isinstance(node, content.ReplyButton) for node in issue.walk()),
        "option": SimpleNamespace(**_options(material)),
        "slot": material.slot,
        "can": material.can,
        "t": material.words,
        "banner": Markup(""),
        "blocks": Markup(""),
    }


def _facts(material: Material) -> SimpleNamespace:
    issue, front = material.issue, material.issue.front
    day = long_date(issue.slug[:10], material.language)
    until = long_date(front.useful_until, material.language)
    return SimpleNamespace(
        title=material.without_person(front.title or front.subject),
        preheader=front.preheader,
        number=front.number,
        kind=front.kind,
        kind_label=material.words(f"kind_{front.kind}", default=front.kind) if front.kind else "",
        priority=front.priority,
        priority_label=material.words(f"priority_{front.priority}", default=front.priority) if front.priority else "",
        date=day,
        iso_date=issue.slug[:10] if day else "",
        slug=issue.slug,
        topic=front.topic,
        sensitive=front.sensitive,
        useful_until=until or front.useful_until,
        language=material.language,
        hero=material.picture(front.hero) if front.hero else None,
    )


def _options(material: Material) -> dict[str, Any]:
    found = dict(material.theme.options)
    for key, option in material.theme.known.items():
        if option.kind == "image":
            found[key] = material.logo(key, str(found[key]))
    return found
