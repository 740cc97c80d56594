"""Hostile mail: each piece ends quickly, is kept, and the next one is read as if nothing had happened."""

from __future__ import annotations

import json
import random
import time

import pytest

from newsletter.mail import incoming, signs, sorting
from tests.conftest import CORPORA
from tests.replies.conftest import Post, mail

QUICK = 10.0  # seconds for each; the slowest takes under 1 on two shared cores


def hostile(reply: str) -> dict[str, bytes]:
    """Mail that other readers needed a minute for, or broke on (measured on Python 3.11's email package)."""
    head = f"From: Ameera <ameera@example.net>\nTo: {reply}\nSubject: Re: hello\nMessage-ID: <h@x>\n".encode()
    many = b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\nContent-Type: text/plain\n\na\n" * 10_000
    nest = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(1000))
    to = ", ".join(f"person{n}@some-longer-domain{n}.example.net" for n in range(20_000)).encode()
    return {
        "868 KB To": b"To: " + to + b"\n" + head + b"\nHelp\n",
        "10,000 parts": head + many,
        "1,000 nested": head + nest + b"\nHelp\n",
        "nested rfc822": head + b"Content-Type: message/rfc822\n\n" * 1000 + b"\nHelp\n",
        "10 MB header": head + b"X-Long: " + b"a" * 10_000_000 + b"\n\nHelp\n",
        "100,000 folds": head + b"X-Fold: a\n" + b" b\n" * 100_000 + b"\nHelp\n",
        "5,000 encoded words": head.replace(b"hello", b"=?utf-8?q?a?= " * 5000) + b"\nHelp\n",
        "5,000 parameters": head + b"Content-Type: text/plain" + b"; a=b" * 5000 + b"\n\nHelp\n",
        "500 comments in From": head.replace(b"Ameera ", b"(" * 500 + b")" * 500) + b"\nHelp\n",
        "NULs everywhere": b"\0" + head + b"\nHe\0lp\0\n" * 1000,
        "one line of 5 MB": head + b"\n" + b"help " * 1_000_000,
        "60 KB of <a": head + b"Content-Type: text/html\n\nHelp" + b"<a " * 20_000,
        "10,000 divs": head + b"Content-Type: text/html\n\n" + b"<div>" * 10_000 + b"Help",
        "utf-7 script": head + b"Content-Type: text/plain; charset=utf-7\n\n+ADw-script+AD4-alert(1)",
        "unknown charset": head + b"Content-Type: text/plain; charset=x-mac-roman-8\n\nHelp \xe9\xff",
        "injected header": head.replace(b"hello", b"=?utf-8?q?Hi=0D=0ABcc=3A_evil=40x?=") + b"\nHelp\n",
        "two addresses in From": head.replace(b"<ameera@example.net>", b"<a@b.example)c@d.example>") + b"\nHelp\n",
        "no headers": b"\n\nHelp\n",
        "only headers": head,
        "random bytes": random.Random(1).randbytes(100_000),
    }


def test_every_hostile_message_ends_quickly_is_kept_and_harms_no_other(post: Post) -> None:
    from newsletter import replies
    from newsletter.replies import intake

    sent = post.sent_to()
    cases = hostile(sent.reply)
    for name, raw in cases.items():
        start = time.monotonic()
        verdict = intake.accept(raw, sent.reply, "ameera@example.net")
        assert time.monotonic() - start < QUICK, name
        assert verdict.kind in ("person", "quarantine", "auto", "duplicate"), (name, verdict)
    assert intake.accept(mail(sent.reply, "And me", message_id="<after@x>"), sent.reply).kind == "person"
    found = replies.balance()
    assert found["adds_up"] and found["received"] == len(cases) + 1 and found["unread"] == 0
    for arguments in (("list",), ("list", "--json"), ("show", "1"), ("show", "2", "--full")):
        assert post.workspace.run("replies", *arguments).exit == 0


@pytest.mark.parametrize(
    "name",
    ["5,000 parameters", "500 comments in From", "one line of 5 MB", "10,000 divs", "two addresses in From"],
)
def test_words_that_can_be_read_reach_a_person(post: Post, name: str) -> None:
    from newsletter.replies import intake

    sent = post.sent_to()
    assert intake.accept(hostile(sent.reply)[name], sent.reply, "a@b.example").kind == "person"
    found = json.loads(post.workspace.run("replies", "list", "--json").out)["conversations"]
    assert "help" in found[0]["first_words"].lower()


@pytest.mark.parametrize("name", ["868 KB To", "10,000 parts", "1,000 nested", "10 MB header"])
def test_what_is_beyond_the_limits_is_set_aside_with_the_reason(post: Post, name: str) -> None:
    from newsletter.replies import intake

    sent = post.sent_to()
    intake.accept(hostile(sent.reply)[name], sent.reply, "a@b.example")
    ran = post.workspace.run("replies", "list")
    assert "could not be read" in ran.out and "too" in ran.out and "a@b.example" in ran.out


def test_an_injected_header_is_only_text(post: Post) -> None:
    from newsletter.replies import intake
    from newsletter.replies.models import Conversation

    sent = post.sent_to()
    intake.accept(hostile(sent.reply)["injected header"], sent.reply)
    assert "\n" not in Conversation.objects.get().subject


def cases() -> list[dict[str, str]]:
    path = CORPORA / "autoreply_cases.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


@pytest.mark.skipif(not cases(), reason="the corpora are not beside this checkout")
def test_no_person_is_taken_for_a_machine_and_nearly_every_machine_is_known() -> None:
    missed, people = [], []
    for case in cases():
        machine = sorting.sort(f"{case['headers'].rstrip()}\n\n{case['body']}".encode()).kind == "auto"
        if case["expected"] == "auto" and not machine:
            missed.append(case["id"])
        elif case["expected"] in ("human", "ask") and machine:
            people.append(case["id"])
    assert people == []
    assert missed == []


@pytest.mark.skipif(not (CORPORA / "bounces").exists(), reason="the corpora are not beside this checkout")
def test_no_real_bounce_breaks_the_door(post: Post) -> None:
    from newsletter import replies
    from newsletter.replies import intake

    files = sorted((CORPORA / "bounces").glob("*.eml"))
    sent = post.sent_to()
    for path in files:
        assert intake.accept(path.read_bytes(), sent.bounce, "").kind != "", path.name
    assert replies.balance()["adds_up"]


@pytest.mark.parametrize(
    "subject",
    [
        "Auto theft in my road",
        "Out of office hours nobody answers 101",
        "Vacation home break-in",
        "Re: Automatic reply: bins",
        "Absent neighbours",
        "Autosvar",
        "Vacation: our house was broken into",
    ],
)
def test_a_subject_that_only_sounds_automatic_is_a_persons(subject: str) -> None:
    assert signs.by_words(incoming.read(f"From: a@b.example\nSubject: {subject}\n\nHelp".encode())) == ""


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: ASB",
        "Ymateb awtomatig: YGG",
        "Réponse automatique : ASB",
        "自动回复：通知",
        "رد تلقائي: رسالة",
    ],
)
def test_the_subject_of_an_automatic_answer_is_known_in_many_languages(subject: str) -> None:
    assert signs.by_words(incoming.read(f"From: a@b.example\nSubject: {subject}\n\nAway".encode()))
