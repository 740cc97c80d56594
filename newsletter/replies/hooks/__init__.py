"""What mail services tell us by calling a web address: mail that came in, bounces, complaints. Proved, or refused.

A call is checked first (each provider has its own proof, and without a secret nothing is taken), then kept as it
came, then it becomes the same facts as a mail would. The same event again changes nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

from newsletter.config import Config
from newsletter.config.inward import Hook
from newsletter.problems import NewsletterError
from newsletter.replies.hooks import landing
from newsletter.replies.hooks.calls import Call, Forged, Letter, Told, Unusable

__all__ = ["BIGGEST", "Call", "Forged", "Unusable", "take"]

BIGGEST = 72 * 1024 * 1024  # bytes of a call: a mail of 50 MB in JSON or base64

# What stands in [hooks.KEY] provider → the module that checks and reads its calls.
PROVIDERS: Mapping[str, str] = {
    "amazon-ses": "newsletter.replies.hooks.amazon_ses",
    "postmark": "newsletter.replies.hooks.postmark",
    "mailgun": "newsletter.replies.hooks.mailgun",
    "sendgrid": "newsletter.replies.hooks.sendgrid",
}


def take(config: Config, key: str, call: Call) -> int:
    """Check one call and take in what it tells; gives back how many new things that were.

    Raises Forged when nothing proves who calls (also where no secret is set), Unusable for what cannot be read, and
    NewsletterError or django.db.Error when it is not on our disk: then the provider must call again.
    """
    hook = config.hooks[key]
    read: Callable[[Hook, Call], list[Letter | Told]] = importlib.import_module(PROVIDERS[hook.provider]).read
    try:
        told = read(hook, call)
    except (Forged, Unusable, NewsletterError):
        raise
    except (TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
        # The proof was good, but the text is not as its provider writes it.
        raise Unusable(f"{type(error).__name__}: {error}") from error
    if any(isinstance(one, Told) and not one.address for one in told):
        raise Unusable("it says nothing of whom it is about")
    return sum(landing.land(config, key, one) for one in told)
