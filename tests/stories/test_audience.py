"""The audience's story in a real browser: sign up, confirm, get a mail, choose, leave, come back; and who may not."""

from __future__ import annotations

import email
import shutil
from email import policy
from email.message import EmailMessage
from pathlib import Path
from unittest import mock

import pytest
from playwright.sync_api import Browser, Page

from newsletter.mail.tokens import Purpose
from tests.conftest import ROOT
from tests.web.conftest import Site, everything, site  # noqa: F401 (a fixture)
from tests.web.test_browser import opened, pressed
from tests.web.test_whole_mail import addresses, free_port, part

pytestmark = pytest.mark.browser
ISSUE = "2026-12-01-winter-letter"
ME = "ameera.k@example.net"


@pytest.fixture
def town(site: Site) -> Site:  # noqa: F811
    """The example workspace, its pages served, its mail caught."""
    toml = (ROOT / "newsletter.toml").read_text()
    shutil.copytree(ROOT / "issues", site.workspace.root / "issues")
    more = f'\n[catch]\nsmtp = "127.0.0.1:{free_port()}"\n[web]\nlisten = "127.0.0.1:{site.port}"\n'
    site.workspace.toml(more, base=toml)
    return site


class Mailbox:
    """What was caught; `new` gives each mail once, by subject."""

    def __init__(self, town: Site) -> None:
        self.town, self.seen = town, set[Path]()

    def new(self, to: str = ME) -> dict[str, EmailMessage]:
        """After a turn of the worker: what came for this person."""
        ran = self.town.workspace.run("worker", "--once")
        assert ran.exit == 0, ran.out + ran.err
        mails = {}
        for path in sorted((self.town.workspace.root / "var" / "mail").glob("*.eml")):
            if path in self.seen:
                continue
            mail = email.message_from_bytes(path.read_bytes(), policy=policy.default)
            assert isinstance(mail, EmailMessage)
            if to in str(mail["To"]):
                self.seen.add(path)
                mails[str(mail["Subject"])] = mail
        return mails

    def only(self, to: str = ME) -> EmailMessage:
        """The one mail that came."""
        [mail] = self.new(to).values()
        return mail


def link(town: Site, mail: EmailMessage, kind: str) -> str:
    """The link of this kind in a mail, the same in both parts."""
    [path] = {one for one in addresses(town, part(mail, "html"), part(mail, "plain")) if one.startswith(f"/{kind}/")}
    return town.url + path


def signed_up(town: Site, page: Page, mailbox: Mailbox) -> None:
    """Fill in the form and press the link in the mail, in another browser than the one that asked."""
    from newsletter.web import filling

    page.goto(f"{town.url}/subscribe")
    page.fill("#email", ME)
    page.fill("#name", "Ameera Khan")
    page.fill("#area", "ST16 3AA")
    page.get_by_label("The monthly letter").check()
    with mock.patch.object(filling, "QUICKEST", 0.0):
        pressed(page, page.get_by_role("button", name="Sign up"))
    page.get_by_role("heading", name="Look into your mailbox").wait_for()
    page.context.clear_cookies()
    page.goto(link(town, mailbox.only(), "c"))
    pressed(page, page.get_by_role("button", name="Yes, send them to me"))
    page.get_by_role("heading", name="You are signed up").wait_for()
    mailbox.new()


def mailed(town: Site, mailbox: Mailbox) -> EmailMessage:
    ran = town.workspace.run("send", ISSUE, "--yes", "--expect", "1")
    assert ran.exit == 0, ran.out + ran.err
    return mailbox.only()


def gets_mail() -> bool:
    from newsletter.audience import subscribing

    return not subscribing.has_left(ME, ["monthly"])


def test_from_signing_up_to_leaving_and_back(town: Site, browser: Browser) -> None:
    page, mailbox = opened(browser, java_script_enabled=False), Mailbox(town)
    signed_up(town, page, mailbox)
    mail = mailed(town, mailbox)
    page.goto(link(town, mail, "p"))
    assert page.get_by_label("The monthly letter").is_checked()
    assert "ameera" not in page.content().lower() and "st16" not in page.content().lower()
    page.get_by_label("Community messages").check()
    pressed(page, page.get_by_role("button", name="Save"))
    page.get_by_text("Your choices are saved.").wait_for()
    page.goto(link(town, mail, "u"))
    pressed(page, page.get_by_role("button", name="Unsubscribe"))
    page.get_by_role("heading", name="You are unsubscribed").wait_for()
    assert not gets_mail()
    pressed(page, page.get_by_role("button", name="Undo"))
    page.get_by_role("heading", name="You are subscribed again").wait_for()
    assert gets_mail()
    page.context.close()


def test_a_scanner_opens_everything_first_and_nothing_changes(town: Site, browser: Browser) -> None:
    page, mailbox = opened(browser), Mailbox(town)
    signed_up(town, page, mailbox)
    page.context.close()
    mail = mailed(town, mailbox)
    paths = addresses(town, part(mail, "html"), part(mail, "plain"), str(mail["List-Unsubscribe"]))
    assert {path[:3] for path in paths} >= {"/u/", "/p/", "/v/", "/r/"}
    own = link(town, mail, "p")
    for action in ("change", "data", "forget"):
        town.ask("POST", own[len(town.url) :], f"action={action}", Content_Type="application/x-www-form-urlencoded")
    for one in mailbox.new().values():
        paths |= addresses(town, part(one, "html"), part(one, "plain"))
    assert len([path for path in paths if path.startswith("/c/")]) == 3
    before = everything()
    for path in sorted(paths):
        for method in ("HEAD", "GET", "GET", "OPTIONS"):
            town.ask(method, path)
        scanner = opened(browser)
        scanner.goto(town.url + path, wait_until="networkidle")
        scanner.evaluate("document.querySelectorAll('a').forEach(a => a.click())")
        scanner.context.close()
    assert everything() == before


def test_a_forwarded_mail_cannot_erase_or_read_its_owner(town: Site, browser: Browser) -> None:
    from newsletter.audience.models import Subscriber

    page, mailbox = opened(browser), Mailbox(town)
    signed_up(town, page, mailbox)
    mail = mailed(town, mailbox)
    thief = opened(browser)
    for name in ("Change my address", "Download my data", "Forget me"):
        thief.goto(link(town, mail, "p"))
        pressed(thief, thief.get_by_role("button", name=name))
        shown = thief.content().lower()
        assert "look into your mailbox" in shown and "/c/" not in shown
        assert not [secret for secret in ("ameera", "khan", "st16") if secret in shown]
    assert Subscriber.objects.get().canonical == ME
    assert len(mailbox.new()) == 3
    ring = town.keyring
    read = ring.read(link(town, mail, "p")[-32:])
    assert read
    for purpose in Purpose:
        answer = town.post(f"/c/{ring.make(purpose, read[1])}", action="yes")
        assert answer.status == 404, purpose
    assert Subscriber.objects.exists()
    page.context.close()
    thief.context.close()


def test_a_wish_to_be_forgotten_under_a_legal_hold_reaches_staff(town: Site, browser: Browser) -> None:
    from newsletter.audience.models import Subscriber
    from newsletter.replies import desk
    from newsletter.replies.desk import Colleague
    from newsletter.replies.models import Conversation

    page, mailbox = opened(browser), Mailbox(town)
    signed_up(town, page, mailbox)
    mail = mailed(town, mailbox)
    page.goto(link(town, mail, "r"))
    page.fill("#message", "The lamp in Mill Lane is out again.")
    page.get_by_label("Yes, to the address this message was sent to").check()
    pressed(page, page.get_by_role("button", name="Send message"))
    page.get_by_text("Your reference number").wait_for()
    held = Conversation.objects.get()
    desk.hold(held.pk, Colleague("jo", "Jo Malik"), True, "Asked for by the coroner")
    page.goto(link(town, mail, "p"))
    pressed(page, page.get_by_role("button", name="Forget me"))
    [wish] = [one for subject, one in mailbox.new().items() if "forget me" in subject]
    page.goto(link(town, wish, "c"))
    pressed(page, page.get_by_role("button", name="Delete everything"))
    page.get_by_role("heading", name="A person will write to you").wait_for()
    assert Subscriber.objects.exists()
    told = [subject for subject in mailbox.new("jo.malik@staffordshire.example") if "legal hold" in subject]
    assert told == [f"Asked to be forgotten, on legal hold: {held.reference}"]
    desk.hold(held.pk, Colleague("jo", "Jo Malik"), False, "The inquest is over")
    page.goto(link(town, mail, "p"))
    pressed(page, page.get_by_role("button", name="Forget me"))
    [wish] = [one for subject, one in mailbox.new().items() if "forget me" in subject]
    page.goto(link(town, wish, "c"))
    pressed(page, page.get_by_role("button", name="Delete everything"))
    page.get_by_role("heading", name="You are forgotten").wait_for()
    assert not Subscriber.objects.exists()
    page.context.close()
