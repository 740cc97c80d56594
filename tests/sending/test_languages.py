"""issue.cy.md beside issue.md: one mailing, one ledger, one count, and everybody in their language or the default."""

from __future__ import annotations

import json
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from newsletter.sending import copies, preview
from newsletter.sending.message import best_language
from newsletter.sending.models import Delivery, Mailing
from tests.sending.made import a_rendered
from tests.workspace import Workspace

SLUG = "2026-11-24-roads"
ENGLISH = """\
---
subject: The road is closed
from: council
audience: [all-residents]
---

# The road is closed

Hello {{ first_name or "neighbour" }}.

::reply[Tell us]
"""
WELSH = """\
---
subject: Mae’r ffordd ar gau
---

# Mae’r ffordd ar gau

Helo {{ first_name or "gymydog" }}.

::reply[Dywedwch wrthym]
"""


@pytest.fixture
def issue(workspace: Workspace) -> Path:
    workspace.people("sian@home.example", language="cy", first_name="Siân")
    workspace.people("rhys@home.example", language="cy-GB")
    workspace.people("sam@home.example", language="en-GB")
    workspace.people("ola@home.example", language="pl")
    workspace.people("jo@home.example")
    workspace.write(f"issues/{SLUG}/issue.cy.md", WELSH)
    return workspace.write(f"issues/{SLUG}/issue.md", ENGLISH).parent


def caught(workspace: Workspace) -> dict[str, EmailMessage]:
    found = [message_from_bytes(p.read_bytes(), policy=policy.default) for p in workspace.root.glob("var/mail/*.eml")]
    return {str(mail["To"].addresses[0].addr_spec): mail for mail in found}


def test_one_mailing_reaches_everybody_once_in_their_language(workspace: Workspace, issue: Path) -> None:
    counted = json.loads(workspace.run("recipients", "count", "--json").out)
    assert counted["will_get"] == sum(counted["languages"].values()) == 5
    assert "not said 1, cy 1" in workspace.run("recipients", "count").out
    assert workspace.run("send", "--yes", "--expect", "5").exit == 0
    assert (Mailing.objects.count(), Delivery.objects.count()) == (1, 5)
    mails = caught(workspace)
    welsh = {to for to, mail in mails.items() if mail["Subject"] == "Mae’r ffordd ar gau"}
    assert welsh == {"sian@home.example", "rhys@home.example"} and len(mails) == 5
    assert mails["sian@home.example"]["Content-Language"] == "cy"
    body = mails["sian@home.example"].get_body(("html",))
    assert body is not None
    html = body.get_content()
    assert 'lang="cy"' in html and "Helo Siân" in html and "Dad-danysgrifio" in html and "Unsubscribe" not in html
    plain = mails["ola@home.example"].get_body(("plain",))
    assert plain is not None and "Hello neighbour" in plain.get_content()


def test_view_in_browser_shows_the_language_that_was_sent(workspace: Workspace, issue: Path) -> None:
    assert workspace.run("send", "--yes", "--expect", "5").exit == 0
    shown = {one.address: copies.personal(one) for one in Delivery.objects.select_related("mailing")}
    assert "Helo Siân" in shown["sian@home.example"] and "Hello neighbour" in shown["sam@home.example"]
    mailing = Mailing.objects.get()
    assert "Mae’r ffordd ar gau" in copies.public(mailing, "cy") and "closed" in copies.public(mailing)


def test_the_screen_before_sending_counts_people_and_shows_the_subject_of_each_language(
    workspace: Workspace, issue: Path
) -> None:
    shown = workspace.run("send", "--dry-run").out
    assert "en-GB 3, cy 2" in shown
    assert "cy: Mae’r ffordd ar gau" in shown


def test_a_test_copy_comes_in_the_language_that_is_asked_for(workspace: Workspace, issue: Path) -> None:
    assert workspace.run("test", "--to", "me@home.example", "--lang", "cy").exit == 0
    assert "Mae’r ffordd ar gau" in str(caught(workspace)["me@home.example"]["Subject"])
    refused = workspace.run("test", "--to", "me@home.example", "--lang", "ur")
    assert refused.exit == 2 and "no-translation" in refused.err and "It is written in cy" in refused.err


def test_check_holds_the_translation_against_the_issue(workspace: Workspace, issue: Path) -> None:
    workspace.write(f"issues/{SLUG}/issue.cy.md", WELSH.replace("::reply[Dywedwch wrthym]", ""))
    problems = json.loads(workspace.run("check", "--json").out)["problems"]
    assert [one["message"] for one in problems if one["code"] == "translation-differs"] == [
        "issue.cy.md has no reply buttons, issue.md has 1 reply button"
    ]


def test_languages_add_up_to_everybody(workspace: Workspace, issue: Path) -> None:
    renders = {"": a_rendered(language="en-GB"), "cy": a_rendered(language="cy"), "ur": a_rendered(language="ur")}
    found = preview.languages(renders, ["all-residents"])
    assert found == {"en-GB": 3, "cy": 2, "ur": 0}


@pytest.mark.parametrize(
    ("wanted", "default", "others", "found"),
    [
        ("cy", "en-GB", ["cy"], "cy"),
        ("cy-GB", "en-GB", ["cy"], "cy"),
        ("CY", "en-GB", ["cy"], "cy"),
        ("pt", "en-GB", ["pt-BR"], "pt-BR"),
        ("pt-PT", "en-GB", ["pt-BR", "pt"], "pt"),
        ("pt-BR", "en-GB", ["pt", "pt-BR"], "pt-BR"),
        ("en", "en-GB", ["en-US"], ""),
        ("en-US", "en-GB", ["en-US"], "en-US"),
        ("de", "en-GB", ["cy"], ""),
        ("", "en-GB", ["cy"], ""),
        ("cy", "cy", ["en"], ""),
    ],
)
def test_the_nearest_language_is_taken(wanted: str, default: str, others: list[str], found: str) -> None:
    renders = {"": a_rendered(language=default)} | {one: a_rendered(language=one) for one in others}
    assert best_language(wanted, renders) == found
    assert best_language(wanted, {key: {"language": one.language} for key, one in renders.items()}) == found  # type: ignore[misc]
