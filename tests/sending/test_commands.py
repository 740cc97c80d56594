"""`newsletter test`, `send`, `status`, `pause`, `resume` and `stop`, as a person or a script meets them."""

from __future__ import annotations

import json
import re
import shutil
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from newsletter.cli import sending_run
from newsletter.mail.tokens import Keyring, Purpose
from newsletter.sending import laws, lock, mailings
from newsletter.sending.models import Delivery, Mailing
from tests.sending.servers import Sink
from tests.sending.steps import put
from tests.workspace import TOML, Workspace

ISSUE = """\
---
subject: Is it you? #1 worry: the {{ ward or "county" }}
from: council
audience: [all-residents, monthly]
---

# Is it you?

Hello {{ first_name }},

Something happened near you.

:::only{ward="Stone"}
The road in Stone is closed.
:::

::reply[Tell us what you think]
"""
SLUG = "2026-11-24-worry"


@pytest.fixture
def issue(workspace: Workspace) -> Path:
    workspace.people("sam@home.example", "kim@home.example", first_name="Sam", attributes={"ward": "Stone"})
    workspace.people("jo@home.example", lists=("monthly",))
    return workspace.write(f"issues/{SLUG}/issue.md", ISSUE)


def caught(workspace: Workspace) -> list[EmailMessage]:
    found = [message_from_bytes(p.read_bytes(), policy=policy.default) for p in workspace.root.glob("var/mail/*.eml")]
    return sorted(found, key=lambda mail: str(mail["X-Envelope-To"]))


def only() -> Mailing:
    return Mailing.objects.get()


def test_sending_says_why_so_many_and_sends_once(workspace: Workspace, issue: Path) -> None:
    ran = workspace.run("send", "--yes", "--expect", "3")
    assert ran.exit == 0, ran.out + ran.err
    for words in (
        "All residents 2 + The monthly letter 1 = 3",
        "Example Council <news@council.example>   replies to the inbox",
        "Variants  2",
        "a block shown only to Stone: 2",
        "‘first_name’ is empty for 1 of 3 people",
        "Sent “Is it you? #1 worry: the county” to 3 people",
        "it stays on this computer",
    ):
        assert words in ran.out, ran.out
    assert [str(mail["X-Envelope-To"]) for mail in caught(workspace)] == [
        "<jo@home.example>",
        "<kim@home.example>",
        "<sam@home.example>",
    ]
    assert str(caught(workspace)[2]["Subject"]) == "Is it you? #1 worry: the Stone"
    assert laws.check(only()) == []
    again = workspace.run("send", "--yes", "--expect", "3")
    assert again.exit == 0 and "Nobody is sent it again" in again.out
    assert len(caught(workspace)) == 3


def test_without_a_terminal_the_number_must_be_said(workspace: Workspace, issue: Path) -> None:
    for arguments in ((), ("--yes",), ("--expect", "3")):
        ran = workspace.run("send", *arguments)
        assert ran.exit == 4
        assert "This would e-mail 3 people and cannot be undone" in ran.err
    assert Mailing.objects.count() == 0


def test_another_number_is_refused(workspace: Workspace, issue: Path) -> None:
    ran = workspace.run("send", "--yes", "--expect", "2")
    assert ran.exit == 4 and "3 people, but 2 was agreed" in ran.err
    assert Mailing.objects.count() == 0


def test_a_range_may_be_agreed_to(workspace: Workspace, issue: Path) -> None:
    assert workspace.run("send", "--yes", "--expect", "2..5").exit == 0


@pytest.mark.parametrize("text", ["many", "5..2", "..", ""])
def test_a_number_that_is_none_is_wrong_usage(workspace: Workspace, issue: Path, text: str) -> None:
    ran = workspace.run("send", "--yes", "--expect", text)
    assert ran.exit == 2 and "bad-number" in ran.err


def test_a_dry_run_sends_nothing_and_writes_the_first_mails(workspace: Workspace, issue: Path) -> None:
    ran = workspace.run("send", "--dry-run")
    assert ran.exit == 0 and "Nothing was sent. For reading: 3 messages in build/" in ran.out
    written = sorted((workspace.root / "build" / SLUG / "dry-run").glob("*.eml"))
    assert len(written) == 3
    mail = message_from_bytes(written[0].read_bytes(), policy=policy.default)
    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    token = str(mail["Reply-To"]).partition("+")[2].partition("@")[0]
    found = keyring.read(token)
    assert found and found[0] is Purpose.TEST
    assert Mailing.objects.count() == 0 and not caught(workspace)


def test_to_narrows(workspace: Workspace, issue: Path) -> None:
    assert workspace.run("send", "--to", "monthly", "--yes", "--expect", "1").exit == 0
    assert [str(mail["X-Envelope-To"]) for mail in caught(workspace)] == ["<jo@home.example>"]


def test_what_must_be_fixed_stops_it(workspace: Workspace, issue: Path) -> None:
    issue.write_text(ISSUE.replace(":::only", ":::onyl"), encoding="utf-8")
    ran = workspace.run("send", "--yes", "--expect", "3")
    assert ran.exit == 1 and "unknown-block" in ran.out and "Not sent" in ran.out
    assert Mailing.objects.count() == 0


def test_real_mail_is_not_sent_with_the_postal_address_that_init_wrote(workspace: Workspace, issue: Path) -> None:
    from newsletter.config.examples import POSTAL_ADDRESS
    from tests.workspace import TOML

    base = TOML.replace("Example Council, 1 Example Street, Stafford", POSTAL_ADDRESS)
    workspace.toml("", base)
    ran = workspace.run("send", "--dry-run")
    assert ran.exit == 0 and "! Worth a look  The postal address" in ran.out
    base = base.replace("[mail]", '[mail]\ntransport = "smtp"').replace("[site]", '[site]\nurl = "https://x.example"')
    workspace.toml('[relays.main]\nhost = "127.0.0.1"\n', base)
    ran = workspace.run("send", "--yes", "--expect", "3")
    assert ran.exit == 1 and "✗ Must fix  The postal address" in ran.out and "Not sent" in ran.out
    assert Mailing.objects.count() == 0


def test_scheduling_needs_the_worker(workspace: Workspace, issue: Path) -> None:
    for words in (("--at", "tomorrow 8:00"), ("--detach",)):
        ran = workspace.run("send", *words, "--yes", "--expect", "3")
        assert ran.exit == 4 and "needs the worker, and none is running" in ran.err
    issue.write_text(ISSUE.replace("from:", "send_at: 2099-01-01 10:00\nfrom:"), encoding="utf-8")
    ran = workspace.run("send", "--yes", "--expect", "3")
    assert ran.exit == 4 and "Sending at a later time needs the worker" in ran.err
    assert Mailing.objects.count() == 0


def approve_and_stop_at_once(workspace: Workspace) -> Mailing:
    """As a sender that was killed right after approval leaves it."""
    from newsletter.cli.sending_issue import prepare
    from newsletter.rendering.model import Mode

    prepared = prepare(workspace.config, workspace.root / "issues" / SLUG, Mode.SEND)
    return mailings.approve(workspace.config, prepared.renders, prepared.issue)


def test_sending_again_goes_on_and_edits_change_nothing(workspace: Workspace, issue: Path) -> None:
    approve_and_stop_at_once(workspace)
    issue.write_text(ISSUE.replace("Something happened", "CHANGED"), encoding="utf-8")
    ran = workspace.run("send")
    assert ran.exit == 0
    assert "The file has changed since approval. What was approved is sent" in ran.out
    assert "3 people of 3 to go" in ran.out
    assert all(b"CHANGED" not in path.read_bytes() for path in workspace.root.glob("var/mail/*.eml"))
    assert only().state == "finished"


def test_an_issue_that_was_sent_is_not_sent_again_and_says_how_to_correct_it(workspace: Workspace, issue: Path) -> None:
    first = workspace.run("send", "--yes", "--expect", "3")
    assert "is caught on this computer; nobody gets it" in first.out
    issue.write_text(ISSUE.replace("Something happened", "CHANGED"), encoding="utf-8")
    again = workspace.run("send", "--yes", "--expect", "3")
    assert again.exit == 0 and "Nobody is sent it again" in again.out
    assert "What was changed in the issue since then is not sent" in again.out
    assert f"newsletter correct {SLUG}" in again.out and f"newsletter send {SLUG} --missing" in again.out
    assert len(caught(workspace)) == 3


def test_check_of_what_was_sent_does_not_call_it_ready(workspace: Workspace, issue: Path) -> None:
    assert "Ready to send" in workspace.run("check").out
    workspace.run("send", "--yes", "--expect", "3")
    ran = workspace.run("check")
    assert ran.exit == 0 and "Ready to send" not in ran.out
    assert "This was sent to 3 people; what is changed in it now does not go out" in ran.out
    assert f"newsletter correct {SLUG}" in ran.out


def test_check_says_that_send_at_has_passed_before_send_refuses_it(workspace: Workspace, issue: Path) -> None:
    issue.write_text(ISSUE.replace("from: council", "from: council\nsend_at: 2020-11-24 09:00"), encoding="utf-8")
    ran = workspace.run("check")
    assert ran.exit == 1 and "send_at: Tue 24 Nov 2020 09:00 (Europe/London) has passed" in ran.err + ran.out
    assert f"{issue.name}:4:10" in ran.err + ran.out
    workspace.run("send", "--at", "now", "--yes", "--expect", "3")
    assert "has passed" not in (again := workspace.run("check")).err + again.out


def test_a_pipe_gets_the_numbers_of_the_status_and_no_bar(workspace: Workspace, issue: Path) -> None:
    workspace.run("send", "--yes", "--expect", "3")
    said = workspace.run("status").out
    assert "  100%  3/3\n" in said
    assert "━" not in said


@pytest.mark.parametrize("how", ["broken", "gone", "renamed"])
def test_sending_goes_on_when_the_file_is_broken_or_gone(workspace: Workspace, issue: Path, how: str) -> None:
    approve_and_stop_at_once(workspace)
    if how == "broken":
        issue.write_text("broken", encoding="utf-8")
    elif how == "gone":
        shutil.rmtree(issue.parent)
    else:  # the other name begins like the one that was approved, and is an issue that nobody has agreed to
        issue.parent.rename(issue.parent.with_name(f"{SLUG}-again"))
    ran = workspace.run("send", SLUG, "--yes", "--expect", "3")
    assert ran.exit == 0 and "Going on with" in ran.out, ran.out + ran.err
    assert len(caught(workspace)) == 3 and only().slug == SLUG and only().state == "finished"


def test_json_is_one_object_with_the_names_of_the_format(workspace: Workspace, issue: Path) -> None:
    ran = workspace.run("send", "--yes", "--expect", "3", "--json")
    said = json.loads(ran.out)
    assert (said["ok"], said["state"], said["frozen"], said["accepted"], said["ended"]) == (
        True,
        "finished",
        3,
        3,
        "done",
    )
    status = json.loads(workspace.run("status", "--json", "--verify").out)
    assert (status["issue"], status["accepted"], status["uncertain"]) == (SLUG, 3, 0)
    refused = json.loads(workspace.run("pause", "--json").out)
    assert refused["problems"][0]["code"] == "wrong-state"


def test_status_lists_who_is_uncertain(workspace: Workspace, issue: Path) -> None:
    mailing = approve_and_stop_at_once(workspace)
    mailings.start(mailing)
    put("accepted")
    put("uncertain", "jo@home.example")
    Delivery.objects.filter(canonical="jo@home.example").update(reason="cut off")
    ran = workspace.run("status", "--verify")
    assert ran.exit == 0
    for words in (
        "accepted 2   uncertain 1   = 3",
        "jo@home.example   cut off",
        "Everybody was handed over",
        "The books balance",
    ):
        assert words in ran.out, ran.out
    people = json.loads(workspace.run("status", "--json").out)["people"]
    assert people == {"uncertain": [{"address": "jo@home.example", "reason": "cut off"}]}


def test_a_mailing_that_nobody_carries_is_called_the_same_everywhere(workspace: Workspace, issue: Path) -> None:
    mailing = approve_and_stop_at_once(workspace)
    mailings.start(mailing)
    assert "Stopped part-way: newsletter send goes on" in workspace.run("status").out
    assert "stopped part-way" in workspace.run("list").out
    assert json.loads(workspace.run("list", "--json").out)["issues"][0]["state"] == "sending"


@pytest.mark.broken_books("a row is taken away, so that --verify has something to find")
def test_verify_fails_when_the_books_do_not_balance(workspace: Workspace, issue: Path) -> None:
    approve_and_stop_at_once(workspace)
    Delivery.objects.filter(canonical="jo@home.example").delete()
    ran = workspace.run("status", "--verify")
    assert ran.exit == 5 and "3 people were frozen, but 2 are in the ten states" in ran.out


@pytest.mark.broken_books("a state is written by hand, without its tally")
def test_people_of_a_state_are_listed(workspace: Workspace, issue: Path) -> None:
    approve_and_stop_at_once(workspace)
    Delivery.objects.filter(canonical="jo@home.example").update(state="failed", reason="mailbox is full")
    assert workspace.run("status", "--people", "failed").out == "jo@home.example\tmailbox is full\n"


def test_pause_and_resume(workspace: Workspace, issue: Path) -> None:
    approve_and_stop_at_once(workspace)
    ran = workspace.run("pause")
    assert ran.exit == 0 and "3 people wait" in ran.out
    refused = workspace.run("send")
    assert refused.exit == 4 and "is paused" in refused.err
    ran = workspace.run("resume")
    assert ran.exit == 0 and "3 people to go" in ran.out and len(caught(workspace)) == 3


def test_stop_says_how_many_will_not_get_it(workspace: Workspace, issue: Path) -> None:
    approve_and_stop_at_once(workspace)
    ran = workspace.run("stop")
    assert ran.exit == 4 and "3 people will not get it, and that cannot be undone" in ran.err
    ran = workspace.run("stop", "--yes")
    assert ran.exit == 0 and "3 people will not get it" in ran.out
    refused = workspace.run("send")
    assert refused.exit == 4 and "was stopped for good; 3 people did not get it" in refused.err
    assert not caught(workspace)


def test_a_second_send_says_who_sends(workspace: Workspace, issue: Path) -> None:
    from django.utils import timezone

    approve_and_stop_at_once(workspace)
    with lock.sending(workspace.root / "var", SLUG, timezone.localtime()):
        ran = workspace.run("send")
    assert ran.exit == 4 and f"{SLUG} is being sent from here since" in ran.err


def test_what_is_not_paused_cannot_be_resumed(workspace: Workspace, issue: Path) -> None:
    approve_and_stop_at_once(workspace)
    ran = workspace.run("resume")
    assert ran.exit == 4 and "cannot be resumed: it is approved" in ran.err


def test_without_a_name_the_last_mailing_is_meant(workspace: Workspace, issue: Path) -> None:
    assert workspace.run("send", "--yes", "--expect", "3").exit == 0
    workspace.write("issues/2026-12-24-later/issue.md", ISSUE)
    assert workspace.run("send", "2026-12-24", "--yes", "--expect", "3").exit == 0
    assert workspace.run("status").out.startswith("2026-12-24-later")
    assert workspace.run("status", "2026-11").out.startswith(SLUG)


def test_a_mailing_is_found_though_its_folder_is_gone(workspace: Workspace, issue: Path) -> None:
    approve_and_stop_at_once(workspace)
    issue.unlink()
    assert workspace.run("status", SLUG).exit == 0


def test_mail_that_leaves_needs_a_site_that_answers(workspace: Workspace, issue: Path) -> None:
    base = TOML.replace("[site]\n", '[site]\nurl = "https://127.0.0.1:9"\n').replace(
        "[mail]\n", '[mail]\ntransport = "smtp"\n'
    )
    workspace.toml('[relays.main]\nhost = "127.0.0.1"\nport = 9\n', base)
    ran = workspace.run("send", "--yes", "--expect", "3")
    assert ran.exit == 4 and "cannot serve the links of this mail" in ran.err
    assert Mailing.objects.count() == 0


def test_a_relay_carries_it_where_the_site_is_ours(
    workspace: Workspace, issue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.sending.sitecheck.check", lambda config, keyring: None)
    base = TOML.replace("[site]\n", '[site]\nurl = "https://news.example"\n').replace(
        "[mail]\n", '[mail]\ntransport = "smtp"\n'
    )
    with Sink() as sink:
        workspace.toml(f'[relays.main]\nhost = "127.0.0.1"\nport = {sink.port}\n', base)
        ran = workspace.run("send", "--yes", "--expect", "3")
    assert ran.exit == 0, ran.out + ran.err
    assert sum(sink.copies().values()) == 3
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in sink.mails[0][2]


def test_failures_are_said_with_their_reason(
    workspace: Workspace, issue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sink(lambda phase, to: "550 5.1.1 No such user" if phase == "rcpt" and to.startswith("jo@") else "") as sink:
        monkeypatch.setattr("newsletter.sending.carrier.is_ours", lambda host, port, folder: True)
        workspace.toml(f'[catch]\nsmtp = "127.0.0.1:{sink.port}"\n')
        ran = workspace.run("send", "--yes", "--expect", "3")
    assert ran.exit == 5
    assert "accepted 2   failed 1   of 3" in ran.out
    assert "failed 1: address does not exist (550 5.1.1 No such user)" in ran.out


def test_people_to_try_again_are_said_with_the_time(
    workspace: Workspace, issue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    monkeypatch.setattr("newsletter.sending.verdicts.DELAYS", (timedelta(minutes=5),))
    with Sink(lambda phase, to: "450 4.2.1 busy" if phase == "rcpt" and to.startswith("jo@") else "") as sink:
        monkeypatch.setattr("newsletter.sending.carrier.is_ours", lambda host, port, folder: True)
        workspace.toml(f'[catch]\nsmtp = "127.0.0.1:{sink.port}"\n')
        ran = workspace.run("send", "--yes", "--expect", "3")
        assert ran.exit == 5
        assert "1 person to try again: run newsletter send after" in ran.out
        assert "after" in workspace.run("status").out


def test_a_fresh_checkout_makes_its_key_and_only_a_workspace_that_sent_can_lose_one(
    workspace: Workspace, issue: Path
) -> None:
    key = workspace.root / "var" / "secret.key"
    key.unlink()
    ran = workspace.run("send", "--yes", "--expect", "3")
    assert ran.exit == 0, ran.out + ran.err
    assert key.stat().st_mode & 0o777 == 0o600
    key.unlink()
    shutil.copytree(issue.parent, issue.parent.with_name("2026-12-31-another"))
    ran = workspace.run("send", "2026-12-31-another", "--yes", "--expect", "3")
    assert (ran.exit, "lost-key" in ran.err, key.exists()) == (3, True, False)


def test_every_mail_says_which_issue_and_list_it_is_for_gmails_statistics(workspace: Workspace, issue: Path) -> None:
    workspace.run("send", "--yes", "--expect", "3")
    found = [str(mail["Feedback-ID"]).split(":") for mail in caught(workspace)]
    assert {tuple(parts[:3]) for parts in found} == {(SLUG, key, "newsletter") for key in ("all-residents", "monthly")}
    (sender,) = {parts[3] for parts in found}
    assert re.fullmatch("[0-9a-f]{12}", sender)


def test_a_test_copy_is_marked_and_in_no_ledger(workspace: Workspace, issue: Path) -> None:
    ran = workspace.run("test", "--to", "sam@home.example", "--to", "me@home.example,SAM@home.example")
    assert ran.exit == 0, ran.out + ran.err
    mails = caught(workspace)
    assert [str(mail["X-Envelope-To"]) for mail in mails] == ["<me@home.example>", "<sam@home.example>"]
    assert str(mails[1]["Subject"]) == "[TEST] Is it you? #1 worry: the Stone"
    body = mails[1].get_body(("plain",))
    assert body and "Hello Sam" in body.get_content()
    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    for header in ("Reply-To", "X-Envelope-From"):
        found = keyring.read(str(mails[0][header]).partition("+")[2].partition("@")[0])
        assert found and found[0] is Purpose.TEST
    assert (Mailing.objects.count(), Delivery.objects.count()) == (0, 0)


def test_a_test_goes_to_ten_addresses_at_most(workspace: Workspace, issue: Path) -> None:
    ran = workspace.run("test", *(part for n in range(11) for part in ("--to", f"p{n}@home.example")))
    assert ran.exit == 2 and "too-many-test-copies" in ran.err
    ran = workspace.run("test")
    assert ran.exit == 2 and "newsletter test --to me@example.org" in ran.err
    ran = workspace.run("test", "--to", "not an address")
    assert ran.exit == 2 and "bad-address" in ran.err


def test_no_test_copy_of_what_must_be_fixed(workspace: Workspace, issue: Path) -> None:
    issue.write_text(ISSUE.replace("from: council", "from: nobody-we-know"), encoding="utf-8")
    ran = workspace.run("test", "--to", "me@home.example")
    assert ran.exit == 1 and "nobody-we-know" in ran.out and not caught(workspace)


def test_a_pause_from_elsewhere_is_said_with_its_reason_where_there_is_no_terminal(
    workspace: Workspace, issue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In cron, too: otherwise the command would wait for ever without a word."""
    from newsletter.cli import sending_run

    why = "3 people called this mail spam, 0.8 % of 400"
    progress = sending_run._Lines.progress

    def resumed(self: sending_run._Lines, now: Any) -> None:
        progress(self, now)
        if now.held:
            mailings.resume(only())

    def paused(phase: str, recipient: str) -> str:
        if phase == "mail" and only().state == "sending" and not only().paused_why:
            mailings.pause(only(), why)
        return ""

    monkeypatch.setattr(sending_run._Lines, "progress", resumed)
    with Sink(paused) as sink:
        monkeypatch.setattr("newsletter.sending.carrier.is_ours", lambda host, port, folder: True)
        workspace.toml(f'[catch]\nsmtp = "127.0.0.1:{sink.port}"\n')
        ran = workspace.run("send", "--yes", "--expect", "3")
    assert ran.exit == 0, ran.out + ran.err
    assert f"  Paused: {why}. newsletter resume carries on; we wait for it." in ran.out


def test_a_display_that_nobody_reads_any_more_stops_nothing(
    workspace: Workspace, issue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`newsletter send | head -1`, and a terminal that was closed."""

    def broken(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(sending_run._Lines, "progress", broken)
    monkeypatch.setattr(sending_run, "_to_nobody", lambda: None)
    assert workspace.run("send", "--yes", "--expect", "3").exit == 0
    assert mailings.status(only())["accepted"] == 3
