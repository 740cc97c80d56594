"""The key that signs this workspace's addresses; a workspace that never sent anything is given one."""

from __future__ import annotations

from newsletter.config import Config
from newsletter.mail.tokens import Keyring
from newsletter.sending.models import Mailing


def keyring(config: Config) -> Keyring:
    """The key file of `var/`. The database must be ready.

    Without a mailing there is no address that a new key could kill, so that a fresh checkout can send; after one,
    raises NewsletterError(lost-key) as Keyring.load does.
    """
    path = config.var / "secret.key"
    if not path.exists() and not Mailing.objects.exists():
        return Keyring.create(path)
    return Keyring.load(path)
