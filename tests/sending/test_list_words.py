"""Why a person gets this, and the list's name, in the language of their mail; also years after they were frozen."""

from __future__ import annotations

import json
from email.message import EmailMessage
from pathlib import Path

import pytest

from newsletter.replies import confirming, my_data
from newsletter.sending import copies, mailings, own_mails
from newsletter.sending.models import Delivery, Mailing
from tests.sending.made import an_issue
from tests.sending.test_languages import SLUG, caught, issue  # noqa: F401 (issue is a fixture)
from tests.sending.test_own_mails import read, text_of
from tests.workspace import Workspace

WELSH = '[lists.all-residents.cy]\ntitle = "Pob preswylydd"\nwhy = "Rydych yn derbyn hwn oherwydd i chi ofyn."\n'
ENGLISH_WHY = "You get this because you asked for messages to all residents."
WELSH_WHY = "Rydych yn derbyn hwn oherwydd i chi ofyn."
pytestmark = pytest.mark.usefixtures("issue")


def both(mail: EmailMessage) -> tuple[str, str]:
    """Plain text and HTML, each in one line."""
    plain, html = (" ".join(text_of(mail, kind).split()) for kind in ("plain", "html"))
    return plain, html


def test_each_mail_of_one_mailing_ends_in_its_own_language(workspace: Workspace) -> None:
    workspace.toml(WELSH)
    assert workspace.run("send", "--yes", "--expect", "5").exit == 0
    mails = caught(workspace)
    for to in ("sian@home.example", "rhys@home.example"):
        for text in both(mails[to]):
            assert WELSH_WHY in text and ENGLISH_WHY not in text
        assert mails[to]["List-Id"] == "Pob preswylydd <all-residents.reply.council.example>"
    for to in ("sam@home.example", "ola@home.example", "jo@home.example"):
        for text in both(mails[to]):
            assert ENGLISH_WHY in text and WELSH_WHY not in text
        assert mails[to]["List-Id"] == "All residents <all-residents.reply.council.example>"


def test_approval_freezes_the_words_of_every_language(workspace: Workspace) -> None:
    workspace.toml(WELSH)
    assert workspace.run("send", "--yes", "--expect", "5").exit == 0
    workspace.toml("")
    sian = Delivery.objects.select_related("mailing").get(address="sian@home.example")
    assert WELSH_WHY in copies.personal(sian) and WELSH_WHY.encode() in copies.as_sent(sian)


def test_a_list_in_one_language_is_kept_as_it_always_was(workspace: Workspace) -> None:
    kept = mailings.settings_of(workspace.config, an_issue())["lists"]
    assert kept == {"all-residents": {"title": "All residents", "why": ENGLISH_WHY, "urgent": False}}


def test_a_mailing_that_was_frozen_before_is_read_as_before(workspace: Workspace) -> None:
    assert workspace.run("send", "--yes", "--expect", "5").exit == 0
    mailing = Mailing.objects.get()
    mailing.settings["lists"] = {"all-residents": {"title": "All residents", "why": ENGLISH_WHY}}
    mailing.save()
    sian = Delivery.objects.select_related("mailing").get(address="sian@home.example")
    assert ENGLISH_WHY in copies.personal(sian)


def test_a_test_copy_and_a_rendered_one_end_as_the_mail_will(workspace: Workspace) -> None:
    workspace.toml(WELSH)
    assert workspace.run("test", "--to", "me@home.example", "--lang", "cy").exit == 0
    for text in both(caught(workspace)["me@home.example"]):
        assert WELSH_WHY in text and ENGLISH_WHY not in text
    assert workspace.run("render").exit == 0
    build = workspace.root / "build" / SLUG
    assert WELSH_WHY in (build / "message.cy.txt").read_text(encoding="utf-8")
    assert ENGLISH_WHY in (build / "message.txt").read_text(encoding="utf-8")
    assert read((build / "message.cy.eml").read_bytes())["List-Id"].startswith("Pob preswylydd <")


def test_check_names_the_words_that_are_missing(workspace: Workspace) -> None:
    def notes() -> list[dict[str, object]]:
        found = json.loads(workspace.run("check", "--json").out)["problems"]
        return [one for one in found if one["code"] == "list-not-translated"]

    (one,) = notes()
    assert one["severity"] == "note" and one["file"] == "newsletter.toml"
    assert one["message"] == "issue.cy.md is in cy; the title and why of [lists.all-residents] would not be"
    assert one["hint"] == 'Add a section [lists.all-residents.cy] to it, with title = "…" and why = "…" below.'
    workspace.toml(WELSH.splitlines()[0] + '\ntitle = "Pob preswylydd"\n')
    (one,) = notes()
    assert one["hint"] == 'Add a section [lists.all-residents.cy] to it, with why = "…" below.'
    workspace.toml(WELSH)
    assert notes() == []


def test_check_looks_behind_a_segment(workspace: Workspace, issue: Path) -> None:  # noqa: F811
    from newsletter.audience import segments

    workspace.people("nia@home.example", attributes={"ward": "North"})
    segments.save(workspace.ready(), "north", "The north", {"must": [{"field": "ward", "is": "North"}]})
    text = (issue / "issue.md").read_text(encoding="utf-8")
    (issue / "issue.md").write_text(text.replace("[all-residents]", "[north]"), encoding="utf-8")
    found = json.loads(workspace.run("check", "--json").out)["problems"]
    notes = [one["message"] for one in found if one["code"] == "list-not-translated"]
    assert notes == [
        f"issue.cy.md is in cy; the title and why of [lists.{key}] would not be" for key in ("all-residents", "monthly")
    ]


def test_config_show_names_the_line_of_each_word(workspace: Workspace) -> None:
    workspace.toml(WELSH)
    values = json.loads(workspace.run("config", "show", "lists.all-residents", "--json").out)["values"]
    assert list(values) == [f"lists.all-residents.{key}" for key in ("title", "why", "urgent", "cy.title", "cy.why")]
    line = (workspace.root / "newsletter.toml").read_text().splitlines().index(WELSH.splitlines()[1]) + 1
    assert values["lists.all-residents.cy.title"] == {
        "value": "Pob preswylydd",
        "origin": f"newsletter.toml:{line}",
    }


@pytest.mark.parametrize(("language", "title"), [("cy", "Pob preswylydd"), ("en-GB", "All residents")])
def test_a_mail_that_a_person_asked_for_names_the_list_in_their_language(
    workspace: Workspace, language: str, title: str
) -> None:
    config = workspace.toml(WELSH)
    link = "http://127.0.0.1:8000/c/x"
    notice = own_mails.queue(config, "welcome", "a@home.example", language, link, lists=["all-residents"], once="one")
    assert title in both(read(bytes(notice.data)))[0]


@pytest.mark.parametrize(("address", "title"), [("sian", "Pob preswylydd"), ("sam", "All residents")])
def test_who_leaves_by_writing_is_told_in_their_language_what_they_left(
    workspace: Workspace, address: str, title: str
) -> None:
    from newsletter.mail.incoming import read as read_incoming

    workspace.toml(WELSH)
    assert workspace.run("send", "--yes", "--expect", "5").exit == 0
    incoming = read_incoming(b"From: a@home.example\r\nMessage-ID: <1@home.example>\r\n\r\nunsubscribe\r\n")
    notice = confirming.confirm(Delivery.objects.get(address=f"{address}@home.example"), incoming)
    assert f"{title}." in text_of(read(bytes(notice.data)))


@pytest.mark.parametrize(("language", "title"), [("cy", "Pob preswylydd"), ("en", "All residents")])
def test_what_we_hold_of_a_person_names_their_lists_in_their_language(
    workspace: Workspace, language: str, title: str
) -> None:
    config = workspace.toml(WELSH)
    row = {"list": "all-residents", "state": "confirmed", "paused_until": None}
    assert f">{title}</pre>" in my_data.page(config, "a@home.example", {"audience_subscription": [row]}, language)


def test_the_example_says_why_in_every_language_of_its_issues(tmp_path: Path) -> None:
    from newsletter import config, files

    (tmp_path / "newsletter.toml").write_text(files.example("newsletter.toml").read_text("utf-8"), encoding="utf-8")
    lists = config.load(tmp_path).lists
    assert lists["all-residents"].lacks("cy") == lists["all-residents"].lacks("ur") == ()
    assert lists["monthly"].lacks("cy") == ()
