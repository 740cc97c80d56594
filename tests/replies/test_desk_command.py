"""The desk on the command line: what a colleague types, sees, and is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from newsletter.replies import intake
from newsletter.replies.models import Conversation, DeskEntry, Message
from tests.replies.conftest import mail
from tests.replies.desk_made import Desk
from tests.workspace import Ran


def run(desk: Desk, *arguments: str, by: str = "jo", stdin: str = "") -> Ran:
    who = ("--as", by) if by and arguments[0] not in ("away", "report") else ()
    return desk.post.workspace.run("replies", arguments[0], *who, *arguments[1:], stdin=stdin)


def test_the_whole_story_of_one_answer(desk: Desk) -> None:
    desk.asks()
    assert "due in 72 hours" in run(desk, "list").out
    assert run(desk, "claim", "1").exit == 0
    shown = run(desk, "show", "1")
    assert "How do I ask for a case review?" in shown.out and "newsletter replies answer 1" in shown.out
    refused = run(desk, "answer", "1", "--text", "Yes")
    assert refused.exit == 4 and "must-be-agreed" in refused.err
    ran = run(desk, "answer", "1", "--text", "Yes, you can.", "--yes")
    assert ran.exit == 0
    assert "To       ameera@example.net" in ran.out and "Subject  Re: Is anti-social" in ran.out
    assert "✓ To ameera@example.net: sent" in ran.out
    assert len(desk.mails()) == 1
    assert "Nobody waits for an answer." in run(desk, "list").out
    shown = run(desk, "show", "1", "--log")
    assert "Answer by Jo Malik to ameera@example.net" in shown.out
    for word in ("came", "seen", "claimed", "answered to ameera@example.net"):
        assert word in shown.out


def test_an_answer_can_come_from_a_file_or_standard_input(desk: Desk, tmp_path: Path) -> None:
    for number, extra in ((1, ("--file", str(tmp_path / "a.txt"))), (2, ())):
        (tmp_path / "a.txt").write_text("From a file")
        desk.asks(f"p{number}@example.net")
        run(desk, "show", str(number))
        assert run(desk, "answer", str(number), *extra, "--yes", stdin="From standard input").exit == 0
    assert [one.get_content().splitlines()[0] for one in desk.mails()] == ["From a file", "From standard input"]


def test_a_doubtful_recipient_is_refused_without_a_terminal_and_the_refusal_says_what_to_add(desk: Desk) -> None:
    sent = desk.post.sent_to("neighbour@example.net")
    desk.writes(sent, sender="Vi <vi@safe.example>")
    run(desk, "show", "1")
    ran = run(desk, "answer", "1", "--text", "Yes", "--yes")
    assert ran.exit == 4 and "choose-recipient" in ran.err and "--to vi@safe.example" in ran.err
    ran = run(desk, "answer", "1", "--text", "Yes", "--yes", "--to", "vi@safe.example")
    assert ran.exit == 0 and "! It goes to vi@safe.example only" in ran.out


def test_an_answer_over_a_colleagues_is_refused(desk: Desk) -> None:
    desk.asks()
    run(desk, "show", "1")
    run(desk, "show", "1", by="sam")
    run(desk, "answer", "1", "--text", "Mine", "--yes", by="sam")
    ran = run(desk, "answer", "1", "--text", "Mine", "--yes")
    assert ran.exit == 4 and "Sam Okafor answered it at" in ran.err
    ran = run(desk, "answer", "1", "--text", "Mine", "--yes", "--version", "1")
    assert ran.exit == 4 and "conversation-moved" in ran.err


def test_an_answer_that_closes_says_so(desk: Desk) -> None:
    desk.asks()
    run(desk, "show", "1")
    ran = run(desk, "answer", "1", "--text", "It is mended.", "--yes", "--close")
    assert ran.exit == 0 and "Conversation 1 is closed; when they write again it opens again." in ran.out
    desk.asks("ben@example.net", "Ben")
    run(desk, "show", "2")
    assert "is closed" not in run(desk, "answer", "2", "--text", "It is mended.", "--yes").out


def test_many_are_answered_at_once_after_their_number_was_said(desk: Desk) -> None:
    for number in (1, 2, 3):
        desk.asks(f"p{number}@example.net", f"P{number}")
        run(desk, "tag", str(number), "lighting")
    arguments = ("answer", "--tag", "lighting", "--saved", "lights", "--yes")
    assert "It would go to 3 people" in run(desk, *arguments).err
    assert "not to 2" in run(desk, *arguments, "--expect", "2").err
    assert not desk.mails()
    ran = run(desk, *arguments, "--expect", "3")
    assert "Sent to 3 people." in ran.out
    assert sorted(one["X-Envelope-To"] for one in desk.mails()) == [f"<p{n}@example.net>" for n in (1, 2, 3)]


def test_lists_are_narrowed(desk: Desk) -> None:
    for number, words in ((1, "the street light"), (2, "the bins"), (3, "a light at night")):
        desk.asks(f"p{number}@example.net", body=words)
    run(desk, "claim", "1")
    run(desk, "assign", "2", "--to", "asb")
    run(desk, "tag", "3", "Night")
    run(desk, "close", "3")

    def numbers(*more: str) -> list[int]:
        return [one["id"] for one in json.loads(run(desk, "list", "--json", *more).out)["conversations"]]

    assert numbers() == [1, 2] and numbers("--all") == [3, 2, 1]
    assert numbers("--mine") == [1] and numbers("--team", "asb") == [2] and numbers("--free") == [2]
    assert numbers("--state", "closed") == [3] and numbers("--all", "--tag", "night") == [3]
    assert numbers("--all", "--search", "LIGHT") == [3, 1] and numbers("--search", "light street") == [1]
    assert numbers("--issue", "2026-11") == [1, 2] and numbers("--issue", "2027") == []
    assert numbers("--overdue") == []
    assert numbers("--size", "1", "--page", "2") == [2]
    by_issue = run(desk, "list", "--by-issue").out
    assert "2026-11-24-asb" in by_issue and "3 replies to 1 issue" in by_issue


def test_away_says_who_stands_in_and_hands_over(desk: Desk) -> None:
    desk.asks()
    run(desk, "claim", "1", by="sam")
    ran = run(desk, "away", "sam", "--until", "2099-01-01", "--stand-in", "kim")
    assert "Kim Lee stands in for Sam Okafor until 01 Jan 2099" in ran.out and "1 conversation" in ran.out
    assert "Kim Lee" in run(desk, "away").out
    assert "Kim Lee now, who stands in for Sam Okafor" in run(desk, "assign", "1", "--to", "sam").out
    run(desk, "away", "sam", "--back")
    assert "Everybody is here." in run(desk, "away").out
    assert run(desk, "away", "sam", "--stand-in", "sam").exit == 2


def test_the_verbs_say_what_they_did(desk: Desk) -> None:
    for number in (1, 2):
        desk.asks(f"p{number}@example.net")
    assert "only colleagues see it" in run(desk, "note", "1", "--text", "Rang her").out
    assert "Put off until" in run(desk, "snooze", "1", "--until", "2099-12-01").out
    assert "09:00" in run(desk, "snooze", "1", "--until", "tomorrow").out
    assert "14:30" in run(desk, "snooze", "1", "--until", "friday 14:30").out
    assert run(desk, "snooze", "1", "--until", "some day").exit == 2
    assert run(desk, "snooze", "1", "--until", "2020-01-01").exit == 2
    assert "Open again: 1" in run(desk, "reopen", "1").out
    assert "Held" in run(desk, "hold", "1", "--why", "case 7").out
    assert "Released" in run(desk, "hold", "1", "--release").out
    assert run(desk, "merge", "2", "--into", "1").exit == 4
    assert "part of 1" in run(desk, "merge", "2", "--into", "1", "--two-writers").out
    assert "its own again" in run(desk, "merge", "2", "--undo").out
    assert "Junk: 2" in run(desk, "spam", "2").out
    assert "Rang her" in run(desk, "show", "1").out
    report = json.loads(run(desk, "report", "--json").out)
    assert report["adds_up"] and report["conversations"] == 1
    assert "Replies = in time" in run(desk, "report").out


def test_forwarding_shows_what_leaves(desk: Desk) -> None:
    desk.asks(body="He has hit me")
    ran = run(desk, "forward", "1", "--to", "unit@police.example", "--text", "Please look", "--yes")
    assert ran.exit == 0 and "hit me" not in ran.out and "To unit@police.example: sent" in ran.out
    assert "> He has hit me" in run(desk, "forward", "1", "--to", "u@police.example", "--words", "--yes").out
    assert run(desk, "forward", "1", "--to", "nobody", "--text", "x", "--yes").exit == 2


def test_who_is_at_the_desk_must_be_known(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.asks()
    ran = run(desk, "claim", "1", by="")
    assert ran.exit == 2 and "who-are-you" in ran.err and "jo, sam, kim" in ran.err
    assert "did you mean sam?" in run(desk, "claim", "1", by="sma").err
    monkeypatch.setenv("NEWSLETTER_STAFF", "sam")
    assert "Sam Okafor" in run(desk, "claim", "1", by="").out


def test_every_view_is_logged_with_the_name_of_who_looked(desk: Desk) -> None:
    desk.asks()
    run(desk, "show", "1")
    run(desk, "show", "1", "--json", by="sam")
    assert list(DeskEntry.objects.filter(what="seen").values_list("by", flat=True)) == ["jo", "sam"]


def test_show_says_who_else_has_just_opened_it(desk: Desk) -> None:
    desk.asks()
    run(desk, "show", "1", by="sam")
    assert "Sam Okafor opened it 1 minute ago" in run(desk, "show", "1").out
    assert "Jo Malik opened it" in run(desk, "answer", "1", "--text", "Yes", "--yes", by="sam").out


def test_what_was_in_between_two_looks_of_a_reader_is_not_taken_as_read(desk: Desk) -> None:
    """The version remembered is that of the page that was shown, not of the moment at which it was noted."""
    from newsletter.replies import desk as verbs

    found = desk.asks()
    shown = found.version
    verbs.note(found.pk, desk.sam, "wait")
    verbs.seen(found.pk, desk.jo, shown)
    assert "conversation-moved" in run(desk, "answer", "1", "--text", "x", "--yes").err


def test_everything_speaks_json(desk: Desk) -> None:
    desk.asks()
    for arguments in (
        ("claim", "1"), ("assign", "1", "--to", "sam"), ("note", "1", "--text", "x"), ("tag", "1", "a"),
        ("show", "1", "--log"),
        ("answer", "1", "--text", "Yes", "--yes"), ("forward", "1", "--to", "a@b.example", "--text", "x", "--yes"),
        ("close", "1"), ("reopen", "1"), ("snooze", "1", "--until", "2099-01-01"), ("hold", "1"), ("spam", "1"),
        ("away",), ("report",), ("list",), ("list", "--by-issue"),
    ):  # fmt: skip
        ran = run(desk, *arguments, "--json")
        assert json.loads(ran.out)["ok"] is True, (arguments, ran)
    assert Conversation.objects.get().state == "spam" and Message.objects.filter(kind="answer").count() == 1


def test_a_hostile_writer_moves_no_cursor_in_any_view(desk: Desk) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202eevil"
    desk.asks(name="x", body=f"Hello {evil}", subject="Re: x")
    Conversation.objects.update(subject=evil, from_name=evil, look_first=evil)
    Message.objects.update(from_name=evil, new_words=evil, full_text=evil)
    for arguments in (("list",), ("show", "1", "--log"), ("answer", "1", "--text", "ok", "--yes")):
        ran = run(desk, *arguments)
        assert ran.exit == 0, ran
        bad = [letter for letter in ran.out + ran.err if (ord(letter) < 32 and letter != "\n") or letter == "\u202e"]
        assert not bad, (arguments, ran)


def test_what_is_done_to_several_is_done_to_all_of_them_or_to_none(desk: Desk) -> None:
    desk.asks()
    for verb in ("claim", "close", "spam"):
        assert run(desk, verb, "1", "99").exit == 2
    assert Conversation.objects.get(pk=1).state == "new"
    assert not DeskEntry.objects.exclude(what="came").exists()


def test_taking_what_a_colleague_has_says_so(desk: Desk) -> None:
    desk.asks()
    run(desk, "claim", "1", by="sam")
    assert "1 was with Sam Okafor" in run(desk, "claim", "1").out
    assert "was with" not in run(desk, "claim", "1").out


def test_a_message_without_any_address_says_why_no_answer_can_go(desk: Desk) -> None:
    desk.post.workspace.run("replies", "receive", stdin="Subject: Hello\r\n\r\nI am nobody.\r\n")
    run(desk, "show", "1")
    ran = run(desk, "answer", "1", "--text", "Yes", "--yes")
    assert ran.exit == 4 and "Mail cannot go to them." in ran.err and "--to" not in ran.err


def test_who_has_waited_longest_is_named_whatever_stands_on_top(desk: Desk) -> None:
    for number in (1, 2, 3):
        desk.asks(f"p{number}@example.net")
    run(desk, "show", "1")
    run(desk, "answer", "1", "--text", "Yes", "--yes")
    listed = run(desk, "list", "--all").out
    assert "newsletter replies show 2   read the oldest" in listed
    assert "  answered  " in listed and "waiting for them: we have answered" in run(desk, "show", "1").out


def test_who_asks_to_leave_can_be_let_go_from_where_it_is_read(desk: Desk) -> None:
    desk.asks(body="Please take me off your mailing list.")
    assert "newsletter replies let-go 1" in run(desk, "show", "1").out
    let_go = desk.post.workspace.run("replies", "let-go", "1")
    assert let_go.exit == 0 and "get no more mail from there" in let_go.out
    assert "newsletter replies let-go" not in run(desk, "show", "1").out


def test_in_a_narrow_window_their_words_stand_under_each_name(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.asks("a-rather-long-name-for-one-mailbox@example.net", body="Word " * 60)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("newsletter.cli.output.Output.fancy", True)
    listed = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in run(desk, "list").out.splitlines()]
    assert listed[0].split() == ["No.", "Waiting", "Answer", "Who", "With"]
    assert listed[2].startswith("     Word Word") and "…  2026-11-24-asb" in listed[2]
    assert max(map(len, listed)) <= 80


@pytest.mark.parametrize(
    ("words", "following"),
    [
        (["note", "1", "--text", "Ask the wardens"], "newsletter replies show 1 "),
        (["tag", "1", "lighting"], 'newsletter replies list --tag "lighting" '),
        (["snooze", "1", "--until", "2099-01-01"], "newsletter replies list --state snoozed "),
        (["close", "1"], "newsletter replies list "),
        (["spam", "1"], "newsletter replies list "),
    ],
)
def test_whatever_was_done_the_next_command_is_named(desk: Desk, words: list[str], following: str) -> None:
    desk.asks()
    ran = run(desk, *words)
    assert ran.exit == 0 and f"  Next      {following}" in ran.out, ran.out + ran.err


def test_the_list_of_commands_cuts_no_sentence_off(desk: Desk) -> None:
    ran = desk.post.workspace.run("replies", "--help")
    assert "  split " in ran.out and "..." not in ran.out.split("Commands:")[1]
    assert max(map(len, ran.out.splitlines())) <= 80


def test_a_conversation_with_two_matters_is_parted_where_show_says(desk: Desk) -> None:
    sent = desk.post.sent_to()
    for body in ("The lamp is out.", "And who empties the bins?"):
        desk.writes(sent, body)
    shown = run(desk, "show", "1").out
    assert re.search(r"^2\. .*\n    And who empties", shown, re.MULTILINE), shown
    ran = run(desk, "split", "1", "--from", "2")
    assert ran.exit == 0 and "newsletter replies show 2" in ran.out
    assert "bins" not in run(desk, "show", "1").out and "bins" in run(desk, "show", "2").out
    assert run(desk, "split", "1", "--from", "1").exit == 4


def test_report_and_sorted_fit_a_narrow_window(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.asks(body="Where is the meeting?")
    sent = desk.post.sent_to("a-rather-long-name-for-one-mailbox@example.net")
    raw = mail(
        sent.reply, "I am away.", "a-rather-long-name-for-one-mailbox@example.net", Auto_Submitted="auto-replied"
    )
    assert intake.accept(raw, sent.reply, "a-rather-long-name-for-one-mailbox@example.net").kind == "auto"
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("newsletter.cli.output.Output.fancy", True)
    for command in ("report", "sorted"):
        ran = desk.post.workspace.run("replies", command)
        lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in ran.out.splitlines()]
        assert max(map(len, lines)) <= 80, ran.out
    assert "1 = 1 in hand" in desk.post.workspace.run("replies", "report").out
