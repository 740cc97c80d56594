"""Forgetting: afterwards no search finds the person, every law of the books holds, and they are never mailed again."""

from __future__ import annotations

import json
import re
import sqlite3
import zipfile
from pathlib import Path

import pytest
from django.db import connection, connections

from newsletter import replies
from newsletter.audience import never, subscribing, traces
from newsletter.audience.models import ConsentEvent, Subscriber, Suppression, Trait
from newsletter.replies import desk, forgetting
from newsletter.replies.models import Conversation
from newsletter.sending.models import Delivery, UnsubscribeKey
from tests.replies.conftest import Post
from tests.replies.everything import BEFORE, HERS, NEEDLES, everything, files
from tests.workspace import Workspace


def dump() -> str:
    """Every cell of every table as text, bytes as the letters that they are."""
    cells = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                for cell in row:
                    text = bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else str(cell)
                    cells.append(f"{table}: {text}")
    return "\n".join(cells).lower()


def places(root: Path) -> list[str]:
    """Files of the workspace, with the database's own, that hold a needle."""
    connections.close_all()
    return [
        f"{path.name}: {needle}"
        for path in root.rglob("*")
        if path.is_file()
        for needle in NEEDLES
        if needle.lower().encode() in path.read_bytes().lower()
    ]


def test_afterwards_no_search_finds_them_in_the_tables_or_in_any_file(post: Post) -> None:
    _, found = everything(post)
    files(post, found)
    post.workspace.write("recipients/others.csv", "email,name\nben@example.net,Ben\n")
    assert all(needle.lower() in dump() for needle in (HERS, "kaleidoskop", BEFORE))
    ran = post.workspace.run("recipients", "forget", "Ameera@Example.net", "--yes", "--files", "--as", "jo", "--json")
    assert ran.exit == 0, ran.err
    said = json.loads(ran.out)
    assert said["erased"] and said["people"] == 1 and said["deliveries"] == 1 and said["conversations"] == 1
    assert said["problems"] == []
    text = dump()
    assert [needle for needle in NEEDLES if needle.lower() in text] == []
    assert never.found(HERS) and never.found(BEFORE)


@pytest.mark.sqlite
def test_afterwards_no_byte_of_the_folder_names_them(post: Post) -> None:
    _, found = everything(post)
    files(post, found)
    post.workspace.write("recipients/others.csv", "email,name\nben@example.net,Ben\n")
    assert places(post.workspace.root)
    ran = post.workspace.run("recipients", "forget", HERS, "--yes", "--files", "--as", "jo")
    assert ran.exit == 0, ran.err
    assert places(post.workspace.root) == []
    assert (post.workspace.root / "recipients/people.csv").read_text() == "email,name\nben@example.net,Ben\n"
    assert (post.workspace.root / "recipients/old.refused.csv").read_text() == "email,name\nben@,Ben\n"
    assert (post.workspace.root / "var/mail/2.eml").exists()


@pytest.mark.sqlite
def test_who_is_forgotten_on_a_page_is_in_no_byte_after_the_next_turn_of_the_worker(post: Post) -> None:
    """With other connections open, so that the log beside the file is there, as while `newsletter web` runs."""
    from newsletter.replies import chores, compacting

    everything(post)
    with sqlite3.connect(post.workspace.root / "var" / "newsletter.db") as other:
        other.execute("SELECT COUNT(*) FROM audience_subscriber").fetchall()
        forgetting.forget(forgetting.plan(HERS), "themselves", later=True)
        assert [needle for needle in NEEDLES if needle.lower() in dump()] == []
        [chore] = [one for one in chores.CHORES if one.name == "erased"]
        assert "written anew" in chore.run(post.workspace.config)
        assert (post.workspace.root / "var" / "newsletter.db-wal").exists()
        assert places(post.workspace.root) == []
        assert compacting.turn(post.workspace.config) == ""
    other.close()


@pytest.mark.sqlite
def test_while_somebody_reads_the_file_it_is_written_anew_at_a_later_turn(post: Post) -> None:
    from newsletter.replies import compacting

    everything(post)
    other = sqlite3.connect(post.workspace.root / "var" / "newsletter.db", isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT COUNT(*) FROM audience_subscriber").fetchall()
    forgetting.forget(forgetting.plan(HERS), "themselves", later=True)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 10")
    assert "was in use" in compacting.turn(post.workspace.config)
    other.execute("ROLLBACK")
    other.close()
    assert "written anew" in compacting.turn(post.workspace.config)
    assert places(post.workspace.root) == []


def test_what_stays_is_a_hash_that_says_never_and_numbers(post: Post) -> None:
    everything(post)
    before = replies.balance()
    forgetting.forget(forgetting.plan(BEFORE), "jo")  # named by the former address: the same person
    assert set(Suppression.objects.values_list("canonical", "scope", "reason")) == {
        (never.hashed(name), "all", "erased") for name in (HERS, BEFORE)
    }
    assert {event.canonical for event in ConsentEvent.objects.all()} <= {never.hashed(HERS), never.hashed(BEFORE)}
    row = Delivery.objects.get()
    assert (row.canonical, row.state, row.name, row.values) == (never.hashed(HERS), "accepted", "", {})
    assert not Trait.objects.filter(key="postcode").exists()
    after = replies.balance()
    assert before["adds_up"] and after["adds_up"] and before["received"] == after["received"]
    assert forgetting.plan(HERS).empty


def test_an_old_unsubscribe_link_still_answers_kindly(post: Post) -> None:
    from newsletter.mail.tokens import Purpose
    from newsletter.sending import finding

    sent = post.sent_to(HERS)
    forgetting.forget(forgetting.plan(HERS), "jo")
    key = finding.unsubscribe_key(sent.unsubscribe_id)
    assert key is not None and key.canonical == never.hashed(HERS)
    assert not subscribing.leave(key.canonical, key.lists, "one-click").changed
    assert UnsubscribeKey.objects.count() == 1 and Suppression.objects.count() == 1
    assert sent.token(Purpose.UNSUBSCRIBE)
    assert not subscribing.rejoin(key.canonical, key.lists, "page").changed and never.found(HERS)


def test_a_legal_hold_stops_everything_and_says_which(post: Post) -> None:
    own, found = everything(post)
    desk.hold(found.pk, own.jo, True, "Asked for by the coroner")
    text = dump()
    ran = post.workspace.run("recipients", "forget", HERS, "--yes", "--as", "jo")
    said = f"Conversation {found.pk} is on legal hold"
    assert ran.exit == 4 and f"{said}: nothing was erased" in ran.err and "will be erased" not in ran.out
    rehearsed = post.workspace.run("recipients", "forget", HERS, "--dry-run", "--as", "jo")
    assert rehearsed.exit == 4 and f"{said}: nothing would be erased" in rehearsed.err
    assert re.search(r"  conversations  +1$", rehearsed.out, re.M) and "would be erased" not in rehearsed.out
    machine = post.workspace.run("recipients", "forget", HERS, "--dry-run", "--as", "jo", "--json")
    told = json.loads(machine.out)
    assert (machine.exit, told["held"], told["conversations"], told["ok"]) == (4, [found.pk], 1, False)
    assert Conversation.objects.filter(pk=found.pk).exists() and Subscriber.objects.filter(canonical=HERS).exists()
    assert dump() == text


def test_it_says_what_it_touches_and_asks_and_a_dry_run_changes_nothing(post: Post) -> None:
    _, found = everything(post)
    files(post, found)
    text = dump()
    ran = post.workspace.run("recipients", "forget", HERS, "--dry-run", "--as", "jo")
    assert ran.exit == 0 and "would be erased" in ran.out
    assert "recipients/people.csv:3" in ran.out and "recipients/others.csv" not in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines()), ran.out
    ran = post.workspace.run("recipients", "forget", HERS, "--as", "jo")
    assert ran.exit != 0 and "cannot be undone" in ran.err
    assert dump() == text and (post.workspace.root / "var/mail/1.eml").exists()


def test_a_file_of_yours_is_named_and_left_until_you_say_so(post: Post) -> None:
    _, found = everything(post)
    files(post, found)
    left = forgetting.forget(forgetting.plan(HERS), "jo")
    assert [(one.code, "recipients/people.csv:3" in one.message) for one in left] == [("still-named", True)]
    again = post.workspace.run("recipients", "forget", HERS, "--yes", "--files", "--as", "jo", "--json")
    assert json.loads(again.out)["problems"] == []


def test_a_file_of_any_size_is_looked_through_and_a_large_one_is_named_not_rewritten(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "LARGE", 20_000)
    monkeypatch.setattr(traces, "_PIECE", 10_000)
    root = post.workspace.root / "recipients"
    root.mkdir(exist_ok=True)
    rows = ["email", *(f"p{n}@example.net" for n in range(20_000))]
    for name, encoding, place in (("a.csv", "utf-8", 15_000), ("b.csv", "utf-16", 1), ("c.txt", "utf-8", 20_001)):
        (root / name).write_text("\n".join([*rows[:place], HERS, *rows[place:]]), encoding=encoding)
    (root / "others.csv").write_text("\n".join([*rows, *[f"not.{HERS}", f"{HERS}.uk"] * 5_000]), encoding="utf-8")
    with zipfile.ZipFile(root / "d.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet1.xml", f"<c>{'<v>1</v>' * 50_000}<t>{HERS}</t></c>")
    found = traces.find(post.workspace.config, [HERS])
    assert [one.shown(post.workspace.root) for one in found] == [
        f"recipients/{name}" for name in ("a.csv", "b.csv", "c.txt", "d.xlsx")
    ]
    assert {one.fate for one in found} == {traces.Fate.SAY}


def test_nobody_of_that_address_is_said_and_nothing_is_written(post: Post) -> None:
    ran = post.workspace.run("recipients", "forget", "nobody@example.org", "--yes", "--json")
    assert ran.exit == 0 and json.loads(ran.out)["erased"] is False
    assert not Suppression.objects.exists()


def test_a_folder_that_never_sent_anything_is_given_a_key_first(workspace: Workspace) -> None:
    (workspace.root / "var" / "secret.key").unlink()
    workspace.people(HERS)
    ran = workspace.run("recipients", "forget", HERS, "--yes")
    assert ran.exit == 0, ran.err
    assert never.found(HERS) and not Subscriber.objects.exists()


def test_without_the_key_of_mail_that_was_sent_nothing_is_touched(post: Post) -> None:
    post.sent_to(HERS)
    (post.workspace.root / "var" / "secret.key").unlink()
    ran = post.workspace.run("recipients", "forget", HERS, "--yes")
    assert ran.exit != 0 and "lost-key" in ran.err
    assert Subscriber.objects.filter(canonical=HERS).exists()
