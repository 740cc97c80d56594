"""Before mail leaves: is the address that its links point to really ours, and alive?"""

from __future__ import annotations

import hmac
import http.client
import json
import secrets
import ssl
from urllib.parse import urlsplit

from newsletter.config import Config
from newsletter.mail.tokens import Keyring
from newsletter.problems import Exit, NewsletterError, Problem, Where

PATH = "/.well-known/newsletter"
SECONDS = 10
MOST = 4096  # bytes of an answer that we look at
DEAD = "Unsubscribe, View in browser, Share and the pictures"


def check(
    config: Config, keyring: Keyring, *, loopback_http: bool = False, context: ssl.SSLContext | None = None
) -> None:
    """Ask `site.url` for a nonce signed with our key; follows no redirect, waits 10 seconds at most.

    `loopback_http`: plain http to 127.0.0.1 is enough (tests). `context` replaces the system's certificates (tests).
    Raises NewsletterError(site-not-ours, exit 4), naming what would be dead in the mail.
    """
    nonce = secrets.token_hex(16)
    try:
        status, body = _ask(config.base_url, nonce, loopback_http, context)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _refusal(config, f"it does not answer ({_reason(error)})") from error
    if 300 <= status < 400:
        raise _refusal(config, "it sends us on to another address; write the final one")
    proof = _proof(body)
    if status != 200 or not hmac.compare_digest(proof, keyring.sign("well-known", nonce.encode("ascii"))):
        what = (
            "another newsletter answers there, with another key"
            if proof
            else f"what answers there ({status}) is not this newsletter"
        )
        raise _refusal(config, what)


def _ask(base: str, nonce: str, loopback_http: bool, context: ssl.SSLContext | None) -> tuple[int, bytes]:
    url = urlsplit(base)
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(url.netloc, timeout=SECONDS, context=context)
    elif loopback_http and url.hostname == "127.0.0.1":
        connection = http.client.HTTPConnection(url.netloc, timeout=SECONDS)
    else:
        raise ValueError("not https")
    try:
        connection.request("GET", f"{url.path.rstrip('/')}{PATH}?nonce={nonce}", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read(MOST)
    finally:
        connection.close()


def _proof(body: bytes) -> str:
    try:
        said = json.loads(body)
        return str(said["proof"]).encode("ascii", "replace").decode() if said["newsletter"] == 1 else ""
    except (ValueError, KeyError, TypeError):
        return ""


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _refusal(config: Config, why: str) -> NewsletterError:
    return NewsletterError(
        Problem(
            "site-not-ours",
            f"{config.base_url} cannot serve the links of this mail: {why}. Dead would be: {DEAD}",
            hint="Run `newsletter web` there behind https, with this workspace's key. Nothing was sent.",
            where=Where("newsletter.toml"),
        ),
        exit=Exit.REFUSED,
    )
