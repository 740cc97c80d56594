"""What a browser shows: a person's own copy as it was sent, and the public one with nobody in it."""

from __future__ import annotations

from dataclasses import replace

from newsletter.mail.tokens import Keyring, Purpose
from newsletter.rendering.model import Asset as Picture
from newsletter.rendering.model import Context, Hole, Mode
from newsletter.sending import copies, links, mailings
from newsletter.sending.models import Delivery, Mailing, UnsubscribeKey
from tests.sending.made import NORTH, a_rendered, an_issue, only_north
from tests.workspace import Workspace

PICTURE = Picture("a" * 64, "png", "image/png", b"\x89PNG", inline=True)


def approved(workspace: Workspace, **more: object) -> Mailing:
    workspace.people("sam@home.example", first_name="Sam <3", attributes={"ward": "Stafford North"})
    rendered = a_rendered(
        subject=("News for ", Hole(0, Context.SUBJECT)),
        more=(f'<img src="cid:{PICTURE.cid}">', *only_north("Only in the north")),
        conditions=(NORTH,),
    )
    renders = {"": replace(rendered, assets=(PICTURE,))}
    return mailings.approve(workspace.config, renders, an_issue(), **more)  # type: ignore[arg-type]


def test_the_personal_copy_is_the_one_that_was_sent(workspace: Workspace) -> None:
    approved(workspace)
    html = copies.personal(Delivery.objects.get())
    assert "Hello Sam &lt;3," in html
    assert "Only in the north" in html
    assert f"{workspace.config.base_url}/i/{PICTURE.sha256}.png" in html and "cid:" not in html


def test_its_links_are_the_links_of_the_mail(workspace: Workspace) -> None:
    approved(workspace)
    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    delivery = Delivery.objects.get()
    html = copies.personal(delivery)
    assert f"/v/{keyring.make(Purpose.VIEW, bytes(delivery.token))}" in html
    assert f"mailto:reply+{keyring.make(Purpose.REPLY, bytes(delivery.token))}@" in html
    assert "subject=Re%3A%20News%20for%20Sam" in html


def test_the_public_copy_has_nobody_in_it(workspace: Workspace) -> None:
    mailing = approved(workspace, public={"": replace(a_rendered(mode=Mode.WEB), assets=(PICTURE,))})
    html = copies.public(mailing)
    assert "Hello neighbour," in html and "Sam" not in html
    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    delivery = Delivery.objects.get()
    for purpose in (Purpose.VIEW, Purpose.REPLY, Purpose.UNSUBSCRIBE):
        assert keyring.make(purpose, bytes(delivery.token)) not in html


def test_without_a_web_rendering_the_public_copy_still_has_nobody_in_it(workspace: Workspace) -> None:
    html = copies.public(approved(workspace))
    assert "Hello neighbour," in html and "Only in the north" not in html


def values_of(workspace: Workspace, mailing: Mailing, subject: str = "") -> dict[str, str]:
    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    own = links.signed(workspace.config, keyring, b"123456789", b"abcdefghi", bytes(mailing.public_id))
    return links.values(own, mailing.settings, ["all-residents"], subject, "en-GB")


def test_looking_at_a_copy_writes_nothing_down(workspace: Workspace) -> None:
    """The unsubscribe key of somebody who was erased must not come back because a scanner opened an old link."""
    approved(workspace)
    assert "Hello Sam &lt;3," in copies.personal(Delivery.objects.get())
    assert not UnsubscribeKey.objects.exists()


def test_the_system_values_are_those_that_themes_may_use(workspace: Workspace) -> None:
    from newsletter.content.model import SYSTEM_SLOTS

    mailing = approved(workspace)
    values = values_of(workspace, mailing)
    assert set(values) == set(SYSTEM_SLOTS)
    assert values["why"] == "You get this because you asked for messages to all residents."


def test_an_issue_may_name_an_address_for_replies(workspace: Workspace) -> None:
    mailing = approved(workspace)
    mailing.settings["reply_to"] = "desk@council.example"
    values = values_of(workspace, mailing, "A & B")
    # No page of ours: what is written there would come to our desk.
    assert values["reply_url"] == "mailto:desk@council.example?subject=Re%3A%20A%20%26%20B" == values["reply_mailto"]


def test_the_reply_button_leads_to_the_persons_own_page(workspace: Workspace) -> None:
    mailing = approved(workspace)
    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    token = keyring.make(Purpose.REPLY, b"123456789")
    assert values_of(workspace, mailing)["reply_url"] == f"{workspace.config.base_url}/r/{token}"


def test_a_test_copy_changes_nothing(workspace: Workspace) -> None:
    mailing = approved(workspace)
    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    made = links.signed(workspace.config, keyring, b"123456789", b"abcdefghi", bytes(mailing.public_id), test=True)
    for text in (made.reply_address, made.envelope_sender, made.message_id, made.unsubscribe_url, made.view_url):
        token = next(part for part in text.replace("@", "/").replace("+", "/").split("/") if len(part) == 32)
        found = keyring.read(token)
        assert found and found[0] is Purpose.TEST
