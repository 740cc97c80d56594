"""A real mail of the example workspace: every link in it is followed, every promise in its headers is tried."""

from __future__ import annotations

import email
import re
import shutil
import socket
from email import policy
from email.message import EmailMessage
from urllib.parse import unquote

import pytest

from tests.conftest import ROOT
from tests.web.conftest import Answer, Site


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def sent(site: Site, carry: str) -> dict[str, EmailMessage]:
    """The winter letter, sent to two people by the command; their mails by address."""
    toml = (ROOT / "newsletter.toml").read_text().replace('carry = "cid"', f'carry = "{carry}"')
    shutil.copytree(ROOT / "issues", site.workspace.root / "issues")
    more = f'\n[catch]\nsmtp = "127.0.0.1:{free_port()}"\n[web]\nlisten = "127.0.0.1:{site.port}"\n'
    site.workspace.toml(more, base=toml)
    site.workspace.people("ameera@example.net", lists=("monthly",), first_name="Ameera")
    site.workspace.people("bob@example.net", lists=("monthly",), first_name="Bob")
    ran = site.workspace.run("send", "2026-12-01-winter-letter", "--yes", "--expect", "2")
    assert ran.exit == 0, ran.out + ran.err
    mails = {}
    for path in (site.workspace.root / "var" / "mail").glob("*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        mails[str(mail["To"])] = mail
    return mails


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def followed(site: Site, path: str) -> Answer:
    """What is there; a person's own copy is behind a seal that ends."""
    answer = site.get(path)
    return site.get(answer.headers["location"]) if answer.status == 303 else answer


def addresses(site: Site, *texts: str) -> set[str]:
    """Every address of ours in these texts, as a path."""
    found = set()
    for text in texts:
        found |= {match.rstrip(").,>") for match in re.findall(re.escape(site.url) + r"(/[^\s\"'<>]*)", text)}
    return found


@pytest.mark.parametrize("carry", ["cid", "url"])
def test_every_link_of_a_mail_leads_somewhere(site: Site, carry: str) -> None:
    mail = sent(site, carry)["ameera@example.net"]
    paths = addresses(site, part(mail, "html"), part(mail, "plain"), str(mail["List-Unsubscribe"]))
    kinds = {path[:3] for path in paths}
    assert {"/u/", "/v/"} <= kinds and ("/i/" in kinds or carry == "cid")
    for path in paths:
        answer = followed(site, path)
        assert answer.status == 200, path
        if path.startswith("/v/"):
            inner = addresses(site, answer.text)
            assert "cid:" not in answer.text and {path[:3] for path in inner} >= {"/i/"}
            for picture in inner:
                assert followed(site, picture).status == 200, picture


def test_the_personal_copy_names_the_person_and_the_shared_one_nobody(site: Site) -> None:
    mails = sent(site, "cid")
    html = {to: part(mail, "html") for to, mail in mails.items()}
    views = {to: {path for path in addresses(site, text) if path.startswith("/v/")} for to, text in html.items()}
    shared = views["ameera@example.net"] & views["bob@example.net"]
    [own] = views["ameera@example.net"] - shared
    assert len(shared) == 1
    assert "Ameera" in followed(site, own).text
    for path in shared:
        public = site.get(path).text
        assert "Ameera" not in public and "Bob" not in public and "neighbour" in public
        assert "/u/" not in public and "reply+" not in public, "a shared copy must not let others leave or answer"
        assert own not in public


def test_the_headers_of_the_mail_do_what_they_promise(site: Site) -> None:
    from newsletter.audience import subscribing
    from newsletter.replies import intake

    mails = sent(site, "cid")
    page, by_mail = re.findall(r"<([^<>]+)>", str(mails["ameera@example.net"]["List-Unsubscribe"]))
    answer = site.ask(
        "POST",
        page.removeprefix(site.url),
        "List-Unsubscribe=One-Click",
        Content_Type="application/x-www-form-urlencoded",
    )
    assert answer.status == 200 and subscribing.has_left("ameera@example.net", ["monthly"])
    _, by_mail = re.findall(r"<([^<>]+)>", str(mails["bob@example.net"]["List-Unsubscribe"]))
    to = unquote(by_mail.removeprefix("mailto:").partition("?")[0])
    wish = f"From: bob@example.net\nTo: {to}\nSubject: unsubscribe\n\n".encode()
    assert intake.accept(wish, to, "bob@example.net").kind == "unsubscribe"
    assert subscribing.has_left("bob@example.net", ["monthly"])


def test_an_answer_to_the_mail_arrives_with_its_issue_and_person(site: Site) -> None:
    from newsletter.replies import intake
    from newsletter.replies.models import Conversation

    mail = sent(site, "cid")["ameera@example.net"]
    to = re.findall(r"[^<\s]+@[^>\s]+", str(mail["Reply-To"]))[-1]
    head = f"From: Ameera <ameera@example.net>\nTo: {to}\nSubject: Re: letter\nIn-Reply-To: {mail['Message-ID']}\n"
    answer = f"{head}\nThanks!\n"
    assert intake.accept(answer.encode(), to, "ameera@example.net").kind == "person"
    found = Conversation.objects.get()
    assert found.mailing and found.mailing.slug == "2026-12-01-winter-letter"
    assert found.subscriber and found.subscriber.canonical == "ameera@example.net"
    assert found.messages.get().new_words == "Thanks!"
