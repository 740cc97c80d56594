"""Reads the export files of other services, so that whoever left there, or cannot be reached, stays so here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from newsletter.audience.guided import govdelivery, listmonk, mailchimp
from newsletter.audience.guided.past import STATES, Guide, Past, Was
from newsletter.config import Config

__all__ = ["SERVICES", "STATES", "Guide", "Past", "Was", "guide"]

_GUIDES = {"mailchimp": mailchimp.guide, "govdelivery": govdelivery.guide, "listmonk": listmonk.guide}
SERVICES = tuple(_GUIDES)


def guide(service: str, header: Sequence[str], config: Config, path: Path, state: str = "") -> Guide:
    """How to read this export. `service` is a key of SERVICES; `state` one of STATES where the file does not say.

    Raises NewsletterError: never-asked, for a file of people who never agreed to anything.
    """
    american = config.site.language.lower() == "en-us"
    fields = {key: (key, known.title) for key, known in config.fields.items()}
    return _GUIDES[service](header, fields, path.name, STATES.get(state), american=american)
