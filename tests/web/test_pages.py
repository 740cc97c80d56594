"""View in browser, pictures, the front page, the proof of address, and what every answer carries."""

from __future__ import annotations

import hashlib
import json
import re
from unittest import mock
from urllib.parse import urlsplit

import pytest

from newsletter.mail.tokens import Purpose, new_id
from tests.web.conftest import Site, everything
from tests.workspace import TOML

PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)


def mailing(**settings: object):  # type: ignore[no-untyped-def]
    """One that somebody got."""
    from newsletter.sending.models import Mailing, Tally

    made = Mailing.objects.create(
        slug="2026-11-24-asb", rendered={}, checksum="0" * 64, audience=[], settings=settings, public_id=new_id()
    )
    Tally.objects.create(mailing=made, state="accepted", people=1)
    return made


def asset(data: bytes, extension: str, kind: str) -> str:
    from newsletter.sending.models import Asset

    sha256 = hashlib.sha256(data).hexdigest()
    Asset.objects.create(sha256=sha256, extension=extension, content_type=kind, data=data)
    return f"/i/{sha256}.{extension}"


def test_a_personal_copy_is_shown_to_nobody_else(site: Site) -> None:
    from newsletter.sending import copies
    from newsletter.sending.models import Delivery

    delivery = Delivery.objects.create(
        mailing=mailing(archive="public"), canonical="a@b.example", address="a@b.example", token=new_id()
    )
    link = f"/v/{site.keyring.make(Purpose.VIEW, bytes(delivery.token))}"
    before = everything()
    with mock.patch.object(copies, "personal", return_value="<h1>Hello Ameera</h1>") as made:
        first = site.get(link)
        answer = site.get(first.headers["location"])
    assert (first.status, first.body) == (303, b"") and link not in first.headers["location"]
    assert first.headers["cache-control"] == "private, no-store"
    assert answer.text.startswith("<main><h1>Hello Ameera</h1></main>") and made.call_args.args[0] == delivery
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    # One script may run, the one that takes the seal out of the address; it is named by its hash.
    assert "default-src 'none'" in policy and "sandbox" in policy and policy.count("script-src 'sha256-") == 1
    assert answer.text.count("<script>") == 1 and "unsafe-inline'; script" in policy
    assert "allow-same-origin" not in policy and "form-action 'none'" in policy
    assert everything() == before


@pytest.mark.parametrize(("archive", "robots"), [("unlisted", "noindex, nofollow"), ("public", "all")])
def test_the_public_copy_is_for_everybody_and_listed_only_where_wanted(site: Site, archive: str, robots: str) -> None:
    from newsletter.sending import copies

    made = mailing(archive=archive)
    with mock.patch.object(copies, "public", return_value="<h1>Hello neighbour</h1>"):
        answer = site.get(f"/v/{site.keyring.make(Purpose.VIEW, bytes(made.public_id))}")
    assert answer.text == "<main><h1>Hello neighbour</h1></main>" and answer.headers["x-robots-tag"] == robots


def test_an_issue_without_an_archive_has_no_public_copy(site: Site) -> None:
    made = mailing(archive="none")
    assert site.get(f"/v/{site.keyring.make(Purpose.VIEW, bytes(made.public_id))}").status == 404


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        (("cy-gb", "en"), "cy"),
        (("en-us", "cy"), ""),
        (("de", "cy"), "cy"),
        (("de",), ""),
        ((), ""),
        (("",), ""),
    ],
)
def test_the_public_copy_is_in_the_language_the_reader_asks_for(asked: tuple[str, ...], key: str) -> None:
    from newsletter.web.copies import reader_language

    assert reader_language(asked, {"": {"language": "en-GB"}, "cy": {"language": "cy"}}) == key


def test_view_links_that_are_forged_old_or_from_a_test(site: Site) -> None:
    ring = site.keyring
    assert site.get(f"/v/{ring.make(Purpose.VIEW, new_id())}").status == 404
    assert site.get(f"/v/{ring.make(Purpose.UNSUBSCRIBE, bytes(mailing().public_id))}").status == 404
    test = site.get(f"/v/{ring.make(Purpose.TEST, new_id())}")
    assert test.status == 200 and "A test copy is not kept" in test.text


def test_a_picture_never_changes_and_may_be_shown_by_a_webmail(site: Site) -> None:
    path = asset(PNG, "png", "image/png")
    answer = site.get(path)
    assert answer.body == PNG and answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    again = site.get(path, If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    head = site.ask("HEAD", path)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(PNG)))


def test_a_pdf_opens_in_the_browser(site: Site) -> None:
    answer = site.get(asset(b"%PDF-1.7\n", "pdf", "application/pdf"))
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == "inline"


@pytest.mark.parametrize("extension", ["svg", "html", "js", "xml"])
def test_what_can_carry_a_script_is_never_served(site: Site, extension: str) -> None:
    assert site.get(asset(b"<svg onload='alert(1)'>", extension, "image/svg+xml")).status == 404


@pytest.mark.parametrize(
    "path",
    ["/i/../../etc/passwd", "/i/%2e%2e/%2e%2e/newsletter.toml", "/i/" + "0" * 64 + ".png", "/i/" + "A" * 64 + ".png"],
)
def test_only_published_files_are_served(site: Site, path: str) -> None:
    answer = site.get(path)
    assert answer.status == 404 and "postal_address" not in answer.text


def test_the_content_type_is_ours_whatever_the_database_says(site: Site) -> None:
    assert site.get(asset(PNG, "png", "text/html")).headers["content-type"] == "image/png"


def test_the_proof_of_address_is_signed_with_our_key(site: Site) -> None:
    nonce = "0123456789abcdef0123456789abcdef"
    answer = site.get(f"/.well-known/newsletter?nonce={nonce}")
    found = json.loads(answer.text)
    assert found == {"newsletter": 1, "nonce": nonce, "proof": site.keyring.sign("well-known", nonce.encode())}
    assert answer.headers["cache-control"] == "no-store"
    for bad in ("", "short", "a" * 65, "a" * 20 + "%0a", "a b" * 10):
        assert site.get(f"/.well-known/newsletter?nonce={bad.replace(' ', '%20')}").status == 400


def test_the_proof_can_never_be_a_token(site: Site) -> None:
    proof = json.loads(site.get("/.well-known/newsletter?nonce=" + "a" * 32).text)["proof"]
    assert site.keyring.read(proof[:32]) is None


def test_the_front_page_tells_a_stranger_nothing(site: Site) -> None:
    site.leave_link()
    answer = site.get("/")
    assert answer.status == 200 and "Example Council" in answer.text and "ameera" not in answer.text


def test_the_accessibility_statement_is_there_in_every_language_and_every_page_leads_to_it(site: Site) -> None:
    for tag, word in (("en", "keyboard"), ("cy", "bysellfwrdd"), ("ur", "کی بورڈ"), ("ar", "لوحة المفاتيح")):
        answer = site.get("/accessibility", Accept_Language=tag)
        assert answer.status == 200 and answer.headers["content-language"] == tag and word in answer.text
        assert "news@council.example" in answer.text and "WCAG" in answer.text and "EHRC" in answer.text
    for path in ("/", "/subscribe", "/archive", site.leave_link(), "/nothing-here"):
        assert 'href="/accessibility"' in site.get(path).text, path
    site.workspace.toml("", base=TOML.replace("[site]", '[site]\ntime_zone = "Europe/Berlin"'))
    assert "EHRC" not in site.get("/accessibility").text, "whoever enforces it there"


def test_the_sign_of_life_says_so_when_the_database_is_gone(site: Site, request: pytest.FixtureRequest) -> None:
    assert (site.get("/healthz").status, site.get("/healthz").text) == (200, "ok\n")
    if site.workspace.url:
        request.getfixturevalue("cluster").drop(urlsplit(site.workspace.url).path[1:])
    else:
        path = site.workspace.root / "var" / "newsletter.db"
        path.rename(path.with_suffix(".away"))
        path.mkdir()
    answer = site.get("/healthz")
    assert answer.status == 503 and answer.headers["retry-after"] == "120"
    assert "Something went wrong on our side" in answer.text and "Traceback" not in answer.text


def test_our_own_faults_are_told_without_details(site: Site) -> None:
    from newsletter.web import unsubscribe

    with mock.patch.object(unsubscribe.subscribing, "has_left", side_effect=RuntimeError("secret detail")):
        answer = site.get(site.leave_link())
    assert answer.status == 500 and "secret detail" not in answer.text
    assert "We may not have done what you asked." in answer.text


def test_a_lost_key_is_our_fault_and_does_not_blame_the_link(site: Site) -> None:
    link = site.leave_link()
    (site.workspace.root / "var" / "secret.key").unlink()
    assert site.get(link).status == 503
    assert site.ask("POST", link, "List-Unsubscribe=One-Click", Content_Type="text/plain").status == 503


def test_every_answer_carries_the_security_headers_and_no_cookie(site: Site) -> None:
    paths = ["/", "/healthz", "/robots.txt", "/u/x", "/v/x", "/i/x", "/nothing", "/.well-known/newsletter"]
    for path in [*paths, site.leave_link(), asset(PNG, "png", "image/png")]:
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            headers = site.ask(method, path, Cookie="sessionid=x; csrftoken=y").headers
            assert "set-cookie" not in headers, path
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "server" not in headers


def test_every_page_is_small_and_needs_nothing_else(site: Site) -> None:
    for path in ("/", "/u/x", site.leave_link()):
        page = site.get(path).text
        assert len(page.encode()) < 10_000
        assert not re.search(r"<script|<img|<link|src=|@import|url\(|https?://", page)
        assert page.count("<h1>") == 1 and "<main>" in page and 'name="viewport"' in page


def test_a_host_header_of_an_attacker_appears_nowhere(site: Site) -> None:
    answer = site.get(site.leave_link(), Host="evil.example")
    assert answer.status == 200 and "evil.example" not in answer.text + str(answer.headers)


def test_the_log_holds_no_token(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    from newsletter.web import unsubscribe

    link = site.leave_link()
    with mock.patch.object(unsubscribe.subscribing, "has_left", side_effect=RuntimeError("boom")):
        site.get(link)
    site.get("/v/" + link[3:])
    assert "boom" in caplog.text and link[3:] not in caplog.text and "ameera" not in caplog.text
