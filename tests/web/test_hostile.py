"""Whatever a stranger puts into an address, a query or a form (threats T2, T10): an answer, never a fault of ours."""

from __future__ import annotations

from unittest import mock
from urllib.parse import quote, urlencode

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.audience.models import Subscriber, Suppression
from newsletter.mail.tokens import Purpose
from newsletter.sending import keys, own_mails
from newsletter.sending.models import Delivery
from newsletter.web import filling
from tests.web.archived import SLUG, sent
from tests.web.conftest import everything
from tests.workspace import Workspace

WORDS = st.one_of(
    st.sampled_from(
        [
            "' OR '1'='1",
            "1; DROP TABLE audience_subscriber; --",
            "') UNION SELECT canonical, 1 FROM audience_subscriber --",
            "%' AND 1=1 --",
            "\\",
            "%",
            "_",
            "\0",
            "\udcff",
            "../../etc/passwd",
            "{{ 7*7 }}",
            "<script>alert(1)</script>",
            "9" * 400,
            "-1",
            "💥" * 50,
            "http://evil.example/",
            "\r\nSet-Cookie: a=b",
        ]
    ),
    st.text(max_size=12),
)
FIELDS = ("action", "list", "area", "language", "pause", "reason", "useful", "new", "email", "name", "shown", "website")
ACTIONS = ("save", "leave", "undo", "only:x", "undo:x", "pause", "resume", "reason", "goodbye", "change", "data", "yes")


def paths(workspace: Workspace) -> list[str]:
    """One of each kind that somebody who got a mail has, and those that everybody has."""
    sent(workspace)
    ring = keys.keyring(workspace.config)
    delivery = Delivery.objects.order_by("pk")[0]
    leave = own_mails.preferences_link(workspace.config, delivery.canonical, ["all-residents"])[-32:]
    view = ring.make(Purpose.VIEW, bytes(delivery.token))
    reply = ring.make(Purpose.REPLY, bytes(delivery.token))
    own = [f"/u/{leave}", f"/p/{leave}", f"/v/{view}", f"/r/{reply}", f"/rate/{view}", f"/archive/{SLUG}"]
    return [*own, "/subscribe", "/archive", "/feed.xml", "/", "/c/x", "/preview/a/b", "/i/x", "/.well-known/newsletter"]


def encoded(pairs: dict[str, str]) -> str:
    return urlencode(pairs, errors="surrogateescape")


@pytest.fixture
def mailed(workspace: Workspace) -> list[str]:
    return paths(workspace)


SEEN = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SEEN
@given(query=st.dictionaries(st.sampled_from(("q", "year", "page", "lang", "list", "nonce", "see")), WORDS), word=WORDS)
def test_any_query_is_answered_and_opening_changes_nothing(mailed: list[str], query: dict[str, str], word: str) -> None:
    client = Client(raise_request_exception=False)
    before = everything()
    kinds = ("u", "p", "c", "v", "r", "rate", "archive", "preview", "i", "hooks")
    guessed = [f"/{kind}/{quote(word, safe='', errors='surrogateescape')}" for kind in kinds]
    for path in (*mailed, *guessed):
        for method in ("get", "head", "options"):
            answer = getattr(client, method)(f"{path}?{encoded(query)}")
            assert answer.status_code < 500, (method, path, query)
            assert "evil.example" not in answer.headers.get("Location", "")
    assert everything() == before


@SEEN
@given(form=st.dictionaries(st.sampled_from(FIELDS), WORDS | st.sampled_from(ACTIONS), max_size=5))
def test_any_form_is_answered_and_reaches_nobody_else(mailed: list[str], form: dict[str, str]) -> None:
    client = Client(raise_request_exception=False)
    Subscriber.objects.get_or_create(canonical="other@home.example", defaults={"address": "other@home.example"})
    other = Subscriber.objects.filter(canonical="other@home.example").values().get()
    with mock.patch.object(filling, "is_fair", lambda *_: True):
        for path in mailed:
            body = encoded(form)
            answer = client.post(path, body, content_type="application/x-www-form-urlencoded")
            assert answer.status_code < 500, (path, form)
    assert Subscriber.objects.filter(canonical="other@home.example").values().get() == other
    assert not Suppression.objects.filter(canonical="other@home.example").exists()


@pytest.mark.parametrize("field", [*FIELDS, "message", "phone"])
def test_a_nul_is_answered_and_kept_nowhere(mailed: list[str], field: str) -> None:
    client = Client(raise_request_exception=False)
    with mock.patch.object(filling, "is_fair", lambda *_: True):
        for path in mailed:
            for action in ("save", "leave", "undo", "reason", ""):
                form = {"action": action, "email": "new@home.example", "message": "Words", "list": "all-residents"}
                body = encoded({**form, field: "a\0b"})
                answer = client.post(path, body, content_type="application/x-www-form-urlencoded")
                assert answer.status_code < 500, (path, form)
    for path in ("/archive/a%00b", "/preview/a%00b/x", "/c/a%00b", "/archive?q=%00&year=%00&page=%00"):
        assert client.get(path).status_code in (200, 404)
    kept = [cell for rows in everything().values() for row in rows for cell in row if isinstance(cell, str)]
    assert not [cell for cell in kept if "\0" in cell or "\\u0000" in cell]
