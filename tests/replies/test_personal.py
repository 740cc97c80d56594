"""“What do you hold about me?”: all of it, whichever table it is in."""

from __future__ import annotations

import json
import re
import zipfile
from html import unescape
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection

from newsletter.audience.models import Subscriber, Subscription
from newsletter.content.values import MONTHS
from newsletter.replies import desk, forgetting, my_data, personal
from newsletter.replies.models import Message
from newsletter.sending import notices
from newsletter.sending.models import Delivery, Notice
from tests.replies.conftest import Post
from tests.replies.everything import HERS, NAME, everything, files

ROOT = Path(__file__).resolve().parents[2]
EVENTS = re.compile(r'"(asked|joined|left|returned|declined|paused|resumed|moved|changed|added|removed|lifted)"')
OF_DJANGO = {"django_migrations", "django_content_type", "auth_permission"}


def table(label: str) -> str:
    return str(apps.get_model(label)._meta.db_table)


def test_every_table_is_known_to_hold_something_of_people_or_nothing(post: Post) -> None:
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor)) - OF_DJANGO
    known = {table(label) for label in [*personal.PERSONAL, *personal.NOT_PERSONAL]}
    assert there == known, "a new table: put it into PERSONAL or NOT_PERSONAL of newsletter/replies/personal.py"


def test_everything_of_hers_is_in_it_from_every_table(post: Post, tmp_path: Path) -> None:
    _, found = everything(post)
    files(post, found)
    to = tmp_path / "hers.zip"
    ran = post.workspace.run("recipients", "access", HERS, "--to", str(to), "--json")
    assert ran.exit == 0, ran.err
    with zipfile.ZipFile(to) as archive:
        names, data = archive.namelist(), json.loads(archive.read("data.json"))
        mails = [archive.read(name) for name in names if name.startswith("mails/")]
    assert {name for name, rows in data["tables"].items() if rows} == {table(label) for label in personal.PERSONAL}
    [person] = data["tables"]["audience_subscriber"]
    assert (person["name"], person["attributes"]["postcode"]) == (NAME, "ZZ99 9ZZ")
    assert "Yes, please." in {event.get("wording") for event in data["tables"]["audience_consentevent"]}
    assert "recipients/people.csv:3" in data["found_in"]
    assert any(b"This is him, on the 12th" in mail for mail in mails)
    assert any(b"Dear Ameera" in mail for mail in mails)
    assert [name for name in names if name.startswith("files/")] and "README.txt" in names
    assert to.stat().st_mode & 0o077 == 0


def test_it_speaks_in_words_and_a_page_in_it_is_for_reading(post: Post, tmp_path: Path) -> None:
    everything(post)
    Subscriber.objects.filter(canonical=HERS).update(name="Ameera <b>K</b>")
    assert set(my_data.TITLES) == {table(label) for label in personal.PERSONAL}
    ran = post.workspace.run("recipients", "access", HERS, "--to", str(tmp_path / "h.zip"))
    assert "Choices, with the words that were shown" in ran.out and "audience_" not in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines() if "h.zip" not in line), ran.out
    with zipfile.ZipFile(tmp_path / "h.zip") as archive:
        page = archive.read("my-data.html").decode()
    assert '<html lang="en" dir="ltr">' in page and '<th scope="col">' in page and "<script" not in page
    for words in ("Stafford North", "Yes, please.", "This is him, on the 12th", "&lt;b&gt;K", "asked for it"):
        assert words in page, words
    assert "_" not in page.replace(HERS, "").partition("<body>")[2].partition("Newsletters for you")[0]


@pytest.mark.parametrize(("language", "direction"), [("cy", "ltr"), ("ur", "rtl"), ("ar", "rtl")])
def test_the_page_speaks_the_language_of_the_person(post: Post, language: str, direction: str) -> None:
    everything(post)
    Subscriber.objects.filter(canonical=HERS).update(language=language)
    page = my_data.page(post.workspace.config, HERS, personal.collect(HERS).data)
    assert f'<html lang="{language}" dir="{direction}">' in page
    english, theirs = my_data.all_words()["en"], my_data.all_words()[language]
    shown = {unescape(text).strip() for text in re.findall(r">([^<>]+)<", page)}
    assert not shown & {words for key, words in english.items() if key != "direction"}
    assert {theirs["part_lists"], theirs["head_shown"], theirs["state_confirmed"], theirs["wrote_us"]} <= shown
    assert not any(month in page for month in MONTHS["en"].split() if month != "May")
    assert "_" not in page.replace(HERS, "").partition("<body>")[2].partition(theirs["part_mailings"])[0]


def test_who_has_told_us_no_language_reads_that_of_the_page(post: Post) -> None:
    everything(post)
    Subscriber.objects.filter(canonical=HERS).update(language="")
    data = personal.collect(HERS).data
    assert '<html lang="cy"' in my_data.page(post.workspace.config, HERS, data, "cy")
    assert '<html lang="en"' in my_data.page(post.workspace.config, HERS, data, "fr")


def test_whatever_may_stand_in_a_row_has_words() -> None:
    """No state, event or kind of message comes out as our own word for it."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "newsletter/audience").rglob("*.py"))
    events = set(EVENTS.findall(source))
    known = my_data.all_words()["en"]
    assert {f"event_{one}" for one in events} <= set(known) and len(events) > 8
    assert {f"delivery_{one}" for one in Delivery.State.values} <= set(known)
    assert {f"state_{one}" for one in Subscription.State.values} <= set(known)


def test_what_was_written_to_us_is_not_behind_a_link_in_a_mail(post: Post, tmp_path: Path) -> None:
    """Whoever watches her mailbox presses "download my data": nothing in it says that she wrote, or was answered."""
    everything(post)
    to = tmp_path / "theirs.zip"
    found = personal.collect(HERS, internal=False)
    personal.to_file(found, HERS, to)
    assert found.data["audience_subscriber"] and not [table for table in found.data if table.startswith("replies_")]
    behind = whole(to)
    for words in ("on the 12th", "cam 1", "onversation", "What you wrote", "what we answered", "files/"):
        assert words not in behind, words
    with zipfile.ZipFile(to) as archive:
        names = archive.namelist()
    assert not [name for name in names if "came-" in name or name.startswith("files/")]
    kinds = {row["kind"] for row in found.data["sending_notice"]}
    assert kinds == {str(Notice.Kind.CONFIRMATION)}, "only what we sent without having been written to"


def test_words_between_colleagues_are_only_in_the_answer_that_a_colleague_has_read(post: Post, tmp_path: Path) -> None:
    own, found = everything(post)
    desk.note(found.pk, own.jo, "Her neighbour says that she shouts at night.")
    desk.tag(found.pk, own.jo, ["difficult"], [])
    desk.hold(found.pk, own.jo, True, "The coroner asked for it")
    mail = notices.queue(
        Notice.Kind.FORWARD, "officer@police.example", b"Subject: x\r\n\r\nIs this yours? Burglary.\r\n"
    )
    Message.objects.create(
        conversation=found, kind=Message.Kind.FORWARD, notice=mail, new_words="Is this yours? Burglary."
    )
    ours, theirs = tmp_path / "ours.zip", tmp_path / "theirs.zip"
    personal.to_file(personal.collect(HERS), HERS, ours)
    personal.to_file(personal.collect(HERS, internal=False), HERS, theirs)
    within, behind = whole(ours), whole(theirs)
    for words in ("shouts at night", "difficult", "The coroner asked", "Burglary", "police.example", "reads it first"):
        assert words in within, words
        assert words not in behind, words
    assert "This is him, on the 12th" in within and "This is him, on the 12th" not in behind
    assert '"assignee"' not in behind and '"held"' not in behind and "what our staff noted are never in it" in behind


def whole(path: Path) -> str:
    """Every byte of the archive, as text."""
    with zipfile.ZipFile(path) as archive:
        return "\n".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())


def test_somebody_elses_is_not_in_it(post: Post, tmp_path: Path) -> None:
    own, _ = everything(post)
    own.asks("ben@example.net", name="Ben", body="Hello, the lights are out.")
    found = personal.collect(HERS)
    assert "ben@example.net" not in json.dumps(found.data, default=str)
    personal.to_file(found, HERS, tmp_path / "x.zip")
    ran = post.workspace.run("recipients", "access", HERS, "--to", str(tmp_path / "x.zip"))
    assert ran.exit == 4 and "there already" in ran.err


def test_of_a_forgotten_person_there_is_only_that_they_were(post: Post) -> None:
    everything(post)
    forgetting.forget(forgetting.plan(HERS), "jo")
    data = {name: rows for name, rows in personal.collect(HERS).data.items() if rows}
    assert set(data) == {"audience_suppression", "audience_consentevent"}


def test_an_address_that_nobody_has_is_a_problem(post: Post, tmp_path: Path) -> None:
    ran = post.workspace.run("recipients", "access", "nobody@example.org", "--to", str(tmp_path / "x.zip"))
    assert ran.exit != 0 and "Nothing here is about" in ran.err
