"""Evidence: the mail as it came, the files, the log, and a hash of everything; whole or not at all."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from email.message import EmailMessage
from pathlib import Path
from unittest import mock

import pytest

from newsletter.problems import NewsletterError
from newsletter.replies import desk, evidence, intake
from newsletter.replies.models import Attachment, Conversation, Message, Raw
from tests.replies.conftest import Post
from tests.replies.desk_made import Desk, desk_of

PICTURE = b"\x89PNG\r\n\x1a\n" + b"a still of a camera" * 40


def with_picture(own: Desk) -> tuple[Conversation, bytes]:
    """Somebody sends a picture; gives back the conversation and the mail as it came."""
    sent = own.post.sent_to()
    message = EmailMessage()
    message["From"] = "Ameera K. <ameera@example.net>"
    message["To"] = sent.reply
    message["Subject"] = "Re: what I saw"
    message["Message-ID"] = "<picture@mail.example.net>"
    message.set_content("This is him, on the 12th.\n")
    message.add_attachment(PICTURE, maintype="image", subtype="png", filename="cam 1.png")
    raw = message.as_bytes()
    verdict = intake.accept(raw, sent.reply)
    found = Conversation.objects.get(pk=verdict.conversation_id)
    if not Attachment.objects.exists():  # until files are kept by the intake
        sha256 = hashlib.sha256(PICTURE).hexdigest()
        place = own.config.var / "attachments" / sha256[:2] / sha256
        place.parent.mkdir(parents=True)
        place.write_bytes(PICTURE)
        facts = {"name": "cam 1.png", "content_type": "image/png", "size": len(PICTURE), "sha256": sha256}
        Attachment.objects.create(message=Message.objects.get(conversation=found), **facts)
    return found, raw


def test_everything_is_there_unaltered_and_sha256sum_agrees(post: Post, tmp_path: Path) -> None:
    own = desk_of(post)
    found, raw = with_picture(own)
    desk.note(found.pk, own.jo, "The same man as in March")
    made = evidence.export([found.pk], tmp_path / "case 7", "jo")
    place = tmp_path / "case 7"
    assert made.problems == []
    assert (place / f"conversation-{found.pk}" / "001-came.eml").read_bytes() == raw
    [file] = (place / "files").iterdir()
    assert file.read_bytes() == PICTURE and file.stem == hashlib.sha256(PICTURE).hexdigest()
    log = json.loads((place / f"conversation-{found.pk}" / "log.json").read_text())
    assert [line["what"] for line in log["log"]] == ["came", "noted"]
    assert [one["kind"] for one in log["messages"]] == ["person", "note"]
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert hashlib.sha256((place / "SHA256SUMS").read_bytes()).hexdigest() == made.seal
    listed = {one["path"] for one in json.loads((place / "manifest.json").read_text())["files"]}
    written = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    assert written - listed == {"manifest.json", "SHA256SUMS"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in place.rglob("*"))


def test_a_changed_letter_is_noticed(post: Post, tmp_path: Path) -> None:
    own = desk_of(post)
    found, _ = with_picture(own)
    evidence.export([found.pk], tmp_path / "out", "jo")
    mail = tmp_path / "out" / f"conversation-{found.pk}" / "001-came.eml"
    mail.write_bytes(mail.read_bytes().replace(b"12th", b"13th"))
    done = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True, check=False
    )
    assert done.returncode == 1


def test_a_zip_holds_the_same(post: Post, tmp_path: Path) -> None:
    own = desk_of(post)
    found, raw = with_picture(own)
    made = evidence.export([found.pk], tmp_path / "case.zip", "jo")
    with zipfile.ZipFile(tmp_path / "case.zip") as packed:
        assert packed.testzip() is None
        assert packed.read(f"case/conversation-{found.pk}/001-came.eml") == raw
        assert hashlib.sha256(packed.read("case/SHA256SUMS")).hexdigest() == made.seal
    assert [path.name for path in tmp_path.glob("*case*")] == ["case.zip"] and not list(tmp_path.glob(".case*"))


@pytest.mark.parametrize("name", ["folder", "case.zip"])
def test_nothing_is_written_over(post: Post, tmp_path: Path, name: str) -> None:
    own = desk_of(post)
    found, _ = with_picture(own)
    (tmp_path / name).mkdir()
    with pytest.raises(NewsletterError, match="is there already"):
        evidence.export([found.pk], tmp_path / name, "jo")
    assert list((tmp_path / name).iterdir()) == []


@pytest.mark.parametrize("name", ["folder", "case.zip"])
def test_an_interrupted_export_leaves_nothing(post: Post, tmp_path: Path, name: str) -> None:
    own = desk_of(post)
    found, _ = with_picture(own)
    place = tmp_path / "here"
    with mock.patch.object(evidence, "_json", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        evidence.export([found.pk], place / name, "jo")
    assert list(place.iterdir()) == []
    assert not found.log.filter(what="exported").exists()


def test_a_damaged_message_and_a_missing_file_are_said(post: Post, tmp_path: Path) -> None:
    own = desk_of(post)
    found, _ = with_picture(own)
    Raw.objects.update(data=b"something else")
    for path in (own.config.var / "attachments").rglob("*"):
        if path.is_file():
            path.unlink()
    made = evidence.export([found.pk], tmp_path / "out", "jo")
    assert sorted(one.code for one in made.problems) == ["file-not-exported", "raw-altered"]
    assert len(json.loads((tmp_path / "out" / "manifest.json").read_text())["missing"]) == 2


def test_what_was_merged_comes_along_and_the_export_is_in_the_log(post: Post, tmp_path: Path) -> None:
    own = desk_of(post)
    first, _ = with_picture(own)
    second = own.asks("ben@example.net")
    from newsletter.replies import merging

    merging.merge(second.pk, first.pk, own.jo, two_writers=True)
    made = evidence.export([second.pk], tmp_path / "out", "jo")
    assert made.conversations == [first.pk, second.pk]
    assert made.seal in first.log.get(what="exported").words


def test_the_command_says_the_seal_and_how_to_check(post: Post, tmp_path: Path) -> None:
    own = desk_of(post)
    found, _ = with_picture(own)
    ran = post.workspace.run(
        "replies", "export", str(found.pk), "--to", str(tmp_path / "x.zip"), "--as", "jo", "--json"
    )
    assert ran.exit == 0 and len(json.loads(ran.out)["sha256_of_sums"]) == 64
    again = post.workspace.run("replies", "export", str(found.pk), "--to", str(tmp_path / "x.zip"), "--as", "jo")
    assert again.exit == 4 and "already-there" in again.err
    assert post.workspace.run("replies", "export", "999", "--to", str(tmp_path / "y"), "--as", "jo").exit == 2


def test_what_was_set_aside_comes_along_with_how_it_came(post: Post, tmp_path: Path) -> None:
    own = desk_of(post)
    sent = own.post.sent_to()
    with mock.patch("newsletter.replies.caps.MOST_A_DAY", 0):
        found = own.writes(sent)
        verdict = intake.accept(b"From: ameera@example.net\n\nOne more\n", sent.reply, "ameera@example.net")
    assert verdict.kind == "quarantine"
    name = f"q{verdict.raw_id}"
    ran = post.workspace.run("replies", "export", str(found.pk), name, "--to", str(tmp_path / "case"), "--as", "jo")
    assert ran.exit == 0 and "1 conversation and 1 message" in ran.out, ran.out + ran.err
    place = tmp_path / "case" / f"message-{name}"
    assert place.joinpath("came.eml").read_bytes().endswith(b"One more\n")
    log = json.loads(place.joinpath("log.json").read_text())
    assert log["id"] == name and log["sender"] == "ameera@example.net" and "in one day" in log["reason"]
    assert f"message-{name}/came.eml" in (tmp_path / "case" / "SHA256SUMS").read_text()
    ran = post.workspace.run("replies", "export", "q99", "--to", str(tmp_path / "other"), "--as", "jo")
    assert ran.exit == 2 and not (tmp_path / "other").exists()
