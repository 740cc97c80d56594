"""Follows every link of the rendered seed as far as HTML can say: whose it is, and that it says where it goes."""

from __future__ import annotations

import pytest

from newsletter.rendering.model import Mode
from tests.themes import mails, markup

OURS = ("reply_url", "reply_mailto", "share_url", "view_url", "rate_url", "preferences_url", "unsubscribe_url")


def links(mail: mails.Mail) -> dict[str, str]:
    """Words → address of every link."""
    found = markup.body(mail.html).iter("a")
    return {" ".join(link.text_content().split()): link.get("href") for link in found}


@pytest.mark.parametrize("theme", mails.THEMES)
def test_the_reply_button_opens_the_persons_own_page(theme: str) -> None:
    found = links(mails.mail(theme, "asb"))
    assert found["Reply to this message"] == mails.SYSTEM["reply_url"]
    assert found["or just reply to this e-mail"] == mails.SYSTEM["reply_mailto"]  # for those who rather write a mail


@pytest.mark.parametrize(("theme", "words"), [("alert", "Share this message"), ("letter", "Share this letter")])
def test_share_is_the_public_copy_and_never_a_persons_own(theme: str, words: str) -> None:
    found = links(mails.mail(theme, "asb"))
    assert found[words] == mails.SYSTEM["share_url"]
    assert mails.TOKEN[1:] not in found[words]


@pytest.mark.parametrize("theme", mails.THEMES)
def test_one_can_view_it_in_the_browser_and_leave(theme: str) -> None:
    found = links(mails.mail(theme, "asb"))
    assert found["View in browser"] == mails.SYSTEM["view_url"]
    (leave,) = [words for words, href in found.items() if href == mails.SYSTEM["unsubscribe_url"]]
    assert leave.startswith("Unsubscribe from")


@pytest.mark.parametrize("theme", mails.THEMES)
def test_every_link_of_the_seed_is_the_writers_or_ours(theme: str) -> None:
    ours = {mails.SYSTEM[name] for name in OURS}
    writers = {
        "https://pcc.example/asb-case-review",
        "https://pcc.example/community-remedy",
        "https://pcc.example/asb-harmony",
    }
    assert set(links(mails.mail(theme, "asb")).values()) == ours | writers


@pytest.mark.parametrize("theme", mails.THEMES)
def test_no_button_is_drawn_for_what_does_not_exist_yet(theme: str) -> None:
    words = markup.body(mails.mail(theme, "asb").html).text_content()
    assert "Rate" not in words and "Settings" not in words


@pytest.mark.parametrize("theme", mails.THEMES)
def test_the_public_page_has_no_link_that_is_a_persons_own(theme: str) -> None:
    page = mails.mail(theme, "asb", mode=Mode.WEB)
    for name in ("reply_url", "reply_mailto", "view_url", "rate_url", "preferences_url", "unsubscribe_url", "why"):
        assert mails.SYSTEM[name] not in page.html
    assert "mailto:" not in page.html


@pytest.mark.parametrize("theme", mails.THEMES)
def test_an_issue_without_a_public_copy_has_no_share_button(theme: str) -> None:
    mail = mails.variation(theme, "asb", "archive: unlisted", "archive: none")
    assert mails.SYSTEM["share_url"] not in mail.html
    assert mails.SYSTEM["view_url"] in mail.html


@pytest.mark.parametrize("theme", mails.THEMES)
def test_the_theme_draws_its_own_reply_button_where_the_writer_has_none(theme: str) -> None:
    mail = mails.variation(theme, "asb", "::reply[Reply to this message]", "")
    assert list(links(mail).values()).count(mails.SYSTEM["reply_url"]) == 1


@pytest.mark.parametrize("theme", mails.THEMES)
def test_the_foot_says_why_how_to_leave_and_where_we_are(theme: str) -> None:
    words = " ".join(markup.body(mails.mail(theme, "asb").html).text_content().split())
    why, leave = words.index(mails.SYSTEM["why"]), words.index("Unsubscribe from")
    assert why < leave < words.index(mails.config().site.postal_address)
