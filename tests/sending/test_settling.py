"""Who is uncertain is settled by the log, by a decision, by what comes back, or, where it is urgent, by itself."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from newsletter.mail.tokens import Keyring, Purpose
from newsletter.problems import NewsletterError
from newsletter.sending import laws, mailings, settling, tally
from newsletter.sending.mail_log import Evidence, Reader, read_files
from newsletter.sending.models import Delivery, LogEntry, Mailing
from tests.sending.made import a_rendered, an_issue
from tests.workspace import Workspace

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def uncertain_mailing(workspace: Workspace, number: int = 4) -> Mailing:
    """A mailing that is sending, and of which everybody is uncertain."""
    workspace.people(*[f"person{n}@home.example" for n in range(number)], first_name="Sam")
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(mailing)
    Delivery.objects.filter(mailing=mailing).update(state="uncertain", changed=timezone.now())
    with connection.cursor() as cursor:
        tally.moved(cursor, mailing.pk, "", {"pending": -number, "uncertain": number})
    return mailing


def at(mailing: Mailing, minutes: float = 0) -> str:
    """A moment of the mailing's time as RFC 3339."""
    assert mailing.started_at is not None
    return (mailing.started_at + timedelta(minutes=minutes)).isoformat()


def came(workspace: Workspace, row: Delivery, queue: str, when: str, name: str = "postfix") -> str:
    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    token = keyring.make(Purpose.MESSAGE_ID, bytes(row.token))
    return f"{when} mta {name}/cleanup[812]: {queue}: message-id=<{token}@reply.council.example>\n"


def taken(queue: str, when: str, name: str = "postfix") -> str:
    return f"{when} mta {name}/qmgr[99]: {queue}: from=<b@bounce.council.example>, size=41, nrcpt=1 (queue active)\n"


def edge(when: str) -> str:
    return f"{when} mta postfix/anvil[7]: statistics: max connection rate 1/60s\n"


def a_log(workspace: Workspace, mailing: Mailing) -> str:
    """One taken, one that came and was not, one that is not there; the fourth came to nothing at RCPT."""
    first, second, *_ = Delivery.objects.filter(mailing=mailing).order_by("id")
    return (
        edge(at(mailing, -5))
        + came(workspace, first, "4F1A2B3C4D", at(mailing))
        + taken("4F1A2B3C4D", at(mailing))
        + came(workspace, second, "4F1A2B3C4E", at(mailing))
        + edge(at(mailing, 5))
    )


def states(mailing: Mailing) -> list[str]:
    return list(Delivery.objects.filter(mailing=mailing).order_by("id").values_list("state", flat=True))


def test_only_queue_active_means_taken_and_a_log_that_covers_means_not_taken(workspace: Workspace) -> None:
    mailing = uncertain_mailing(workspace)
    log = workspace.write("mail.log", a_log(workspace, mailing))
    ran = workspace.run("settle", "--postfix-log", str(log), "--yes")
    assert ran.exit == 0, ran.out + ran.err
    assert states(mailing) == ["accepted", "pending", "pending", "pending"]
    assert laws.check(mailing) == []
    row = Delivery.objects.order_by("id")[0]
    assert (row.proof, row.remote_id) == ("log", "4F1A2B3C4D")
    entry = LogEntry.objects.get()
    assert (entry.what, entry.people) == ("settled", 4) and entry.by
    assert "Nobody is uncertain" in workspace.run("settle", "--postfix-log", str(log), "--yes").out


def test_a_log_that_does_not_cover_the_time_settles_only_what_it_shows(workspace: Workspace) -> None:
    mailing = uncertain_mailing(workspace)
    text = a_log(workspace, mailing).splitlines(keepends=True)
    log = workspace.write("mail.log", "".join(text[1:]))
    ran = workspace.run("settle", "--postfix-log", str(log), "--yes")
    assert ran.exit == 5 and "does not reach" in ran.out
    assert states(mailing) == ["accepted", "uncertain", "uncertain", "uncertain"]


def accepted_by_the_way(mailing: Mailing, workspace: Workspace) -> Delivery:
    """The fourth has it: the relay said so."""
    row = Delivery.objects.filter(mailing=mailing).order_by("id")[3]
    Delivery.objects.filter(pk=row.pk).update(state="accepted", proof="answer", reply_code=250, relay="main")
    with connection.cursor() as cursor:
        tally.moved(cursor, mailing.pk, "", {"uncertain": -1, "accepted": 1})
    workspace.toml('\n[relays.main]\nhost = "127.0.0.1"\n')
    return row


def test_a_log_that_lost_lines_or_is_of_another_server_does_not_send_anybody_a_second_mail(
    workspace: Workspace,
) -> None:
    """journald throws lines away from 10,000 in 30 s on; and the Postfix of this computer may not be the relay."""
    mailing = uncertain_mailing(workspace)
    row = accepted_by_the_way(mailing, workspace)
    log = workspace.write("mail.log", a_log(workspace, mailing))
    ran = workspace.run("settle", "--postfix-log", str(log), "--yes")
    assert ran.exit == 5 and "lacks 1 of 1 mails that were surely taken" in ran.out, ran.out + ran.err
    assert states(mailing) == ["accepted", "uncertain", "uncertain", "accepted"]
    whole = came(workspace, row, "5F1A2B3C4D", at(mailing)) + taken("5F1A2B3C4D", at(mailing))
    log.write_text(a_log(workspace, mailing).replace(edge(at(mailing, 5)), whole + edge(at(mailing, 5))))
    assert workspace.run("settle", "--postfix-log", str(log), "--yes").exit == 0
    assert states(mailing) == ["accepted", "pending", "pending", "accepted"]


def test_a_log_that_shows_nothing_of_the_mailing_proves_nothing(workspace: Workspace) -> None:
    mailing = uncertain_mailing(workspace)
    log = workspace.write("mail.log", edge(at(mailing, -5)) + edge(at(mailing, 5)))
    ran = workspace.run("settle", "--postfix-log", str(log), "--yes")
    assert ran.exit == 5 and "may be of another server" in ran.out, ran.out + ran.err
    assert set(states(mailing)) == {"uncertain"}


def test_a_gap_between_two_files_covers_nothing_and_rotated_files_are_one_log() -> None:
    hour = timedelta(hours=1)
    gap = Evidence(spans=[(NOW, NOW + hour), (NOW + 2 * hour, NOW + 3 * hour)])
    assert not gap.covers(NOW + hour / 2, NOW + 2.5 * hour)
    assert gap.covers(NOW, NOW + hour) and gap.covers(NOW + 2 * hour, NOW + 3 * hour)
    assert not gap.covers(NOW - hour, NOW + hour) and not Evidence().covers(NOW, NOW)
    whole = Evidence(spans=[(NOW + hour, NOW + 2 * hour), (NOW, NOW + hour)])
    assert whole.covers(NOW + hour / 2, NOW + 1.5 * hour)


@pytest.mark.parametrize(
    ("stamp", "queue", "name"),
    [
        ("Nov 24 10:15:01", "4F1A2B3C4D", "postfix"),
        ("Nov  4 10:15:01", "4F1A2", "postfix-out"),
        ("2026-11-24T10:15:01.123456+00:00", "4fXyZ0123456789", "postfix/submission"),
        ("2026-11-24T10:15:01+0000", "4F1A2B3C4D", "postfix"),
        ("2026-11-24T10:15:01Z", "4F1A2B3C4D", "postfix"),
    ],
)
def test_every_form_of_line_is_read(workspace: Workspace, stamp: str, queue: str, name: str) -> None:
    mailing = uncertain_mailing(workspace, 1)
    row = Delivery.objects.get(mailing=mailing)
    reader = Reader(Keyring.load(workspace.root / "var" / "secret.key"), "reply.council.example", zone=UTC, now=NOW)
    lines = (came(workspace, row, queue, stamp, name) + taken(queue, stamp, name)).encode().splitlines(True)
    assert reader.read(lines)
    assert reader.evidence.taken == {bytes(row.token): queue}
    assert reader.evidence.spans[0][0].date().isoformat()[:7] == "2026-11"


def test_a_december_line_read_in_january_is_of_last_year(workspace: Workspace) -> None:
    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    reader = Reader(keyring, "reply.council.example", zone=UTC, now=datetime(2027, 1, 2, tzinfo=UTC))
    assert reader.read([edge("Dec 31 23:59:59").encode(), edge("Jan  1 00:00:01").encode()])
    assert [one.year for one in reader.evidence.spans[0]] == [2026, 2027]


def test_nobody_can_write_a_line_of_the_log_through_a_header_and_forged_tokens_count_for_nothing(
    workspace: Workspace,
) -> None:
    mailing = uncertain_mailing(workspace, 1)
    row = Delivery.objects.get(mailing=mailing)
    true = came(workspace, row, "4F1A2B3C4D", at(mailing))
    hidden = f"{at(mailing)} mta postfix/cleanup[1]: 4F1A2: warning: header Subject: {true.strip()}\n"
    forged = true.replace("message-id=<", "message-id=<x")
    other = true.replace("@reply.council.example", "@stranger.example")
    reused = came(workspace, row, "AAAAA", at(mailing)) + true.replace("<", "<other-", 1).replace("4F1A2B3C4D", "AAAAA")
    reader = Reader(Keyring.load(workspace.root / "var" / "secret.key"), "reply.council.example", now=timezone.now())
    text = hidden + forged + other + taken("4F1A2B3C4D", at(mailing)) + reused + taken("AAAAA", at(mailing))
    assert reader.read(text.encode().splitlines(True))
    assert reader.evidence.taken == {}


def test_packed_and_damaged_and_foreign_files(workspace: Workspace) -> None:
    mailing = uncertain_mailing(workspace)
    packed = workspace.write("mail.log.1.gz", gzip.compress(a_log(workspace, mailing).encode()))
    ran = workspace.run("settle", "--postfix-log", str(packed), "--dry-run", "--json")
    told = json.loads(ran.out)
    assert [len(told[name]) for name in ("accepted", "again", "left")] == [1, 3, 0] and told["changed"] == 0
    assert states(mailing) == ["uncertain"] * 4
    piped = workspace.run("settle", "--postfix-log", "-", "--dry-run", "--json", stdin=a_log(workspace, mailing))
    assert len(json.loads(piped.out)["accepted"]) == 1
    packed.write_bytes(packed.read_bytes()[:-20])
    shopping = workspace.write("list.txt", "milk\nbread\n")
    for name in (str(packed), str(shopping), str(workspace.root / "none.log"), str(workspace.root)):
        ran = workspace.run("settle", "--postfix-log", name, "--yes")
        assert ran.exit == 3 and "[log-unreadable]" in ran.err, ran.err


def test_a_long_log_takes_no_more_memory_than_a_short_one(workspace: Workspace) -> None:
    import tracemalloc

    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    reader = Reader(keyring, "reply.council.example")
    line = edge("Nov 24 10:15:01").encode()
    foreign = b"Nov 24 10:15:01 mta postfix/cleanup[1]: 4F1A2B3C4D: message-id=<someone@else.example>\n"
    tracemalloc.start()
    assert reader.read(line if n % 3 else foreign for n in range(100_000))
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_without_a_terminal_it_must_be_agreed_by_yes(workspace: Workspace) -> None:
    mailing = uncertain_mailing(workspace)
    log = workspace.write("mail.log", a_log(workspace, mailing))
    ran = workspace.run("settle", "--postfix-log", str(log))
    assert ran.exit == 4 and "[must-be-agreed]" in ran.err
    assert states(mailing) == ["uncertain"] * 4


@pytest.mark.parametrize("words", [(), ("--as", "again"), ("--postfix-log", "x", "--as", "again", "--all")])
def test_it_must_be_said_what_settles(workspace: Workspace, words: tuple[str, ...]) -> None:
    ran = workspace.run("settle", *words)
    assert ran.exit == 2 and "[wrong-usage]" in ran.err


def test_a_colleague_decides_and_it_is_written_down_who_and_when(workspace: Workspace) -> None:
    mailing = uncertain_mailing(workspace)
    ran = workspace.run("settle", mailing.slug, "--as", "accepted", "--who", "Person0@home.example", "--yes")
    assert ran.exit == 0 and "1 person" in ran.out, ran.out + ran.err
    assert Delivery.objects.order_by("id")[0].proof == "staff"
    ran = workspace.run("settle", mailing.slug, "--as", "again", "--all", "--yes")
    assert ran.exit == 0 and "3 people" in ran.out
    assert states(mailing) == ["accepted", "pending", "pending", "pending"]
    assert laws.check(mailing) == []
    assert [entry.people for entry in LogEntry.objects.order_by("id")] == [1, 3]
    assert all(entry.by and entry.at for entry in LogEntry.objects.all())
    ran = workspace.run("settle", mailing.slug, "--as", "again", "--who", "stranger@home.example", "--yes")
    assert ran.exit == 4 and "[not-uncertain]" in ran.err


def test_again_in_a_stopped_mailing_is_cancelled(workspace: Workspace) -> None:
    mailing = uncertain_mailing(workspace)
    mailings.stop(mailing)
    assert settling.decide(mailing, "again", "sam") == 4
    assert states(mailing) == ["cancelled"] * 4
    assert laws.check(mailing) == []


def test_what_comes_back_settles_and_the_last_one_finishes_the_mailing(workspace: Workspace) -> None:
    mailing = uncertain_mailing(workspace, 2)
    one, two = Delivery.objects.order_by("id")
    assert settling.by_return(one.pk, "reply")
    assert not settling.by_return(one.pk, "bounce")
    assert settling.by_return(two.pk, "bounce")
    assert list(Delivery.objects.order_by("id").values_list("proof", flat=True)) == ["reply", "bounce"]
    mailing.refresh_from_db()
    assert mailing.state == "finished" and laws.check(mailing) == []


def test_only_a_mailing_whose_every_list_is_urgent_goes_again_by_itself(workspace: Workspace) -> None:
    mailing = uncertain_mailing(workspace)
    assert not settling.urgent(mailing) and settling.again_if_urgent(mailing) == 0
    mailing.settings["lists"]["all-residents"]["urgent"] = True
    assert settling.urgent(mailing) and settling.again_if_urgent(mailing) == 4
    assert states(mailing) == ["pending"] * 4 and laws.check(mailing) == []
    assert "urgent" in LogEntry.objects.get().words
    mailing.audience = ["all-residents", "monthly"]
    mailing.settings["lists"]["monthly"] = {"title": "Monthly", "why": "", "urgent": False}
    assert not settling.urgent(mailing)


def test_a_missing_log_is_a_problem_not_a_traceback(workspace: Workspace, tmp_path: Path) -> None:
    reader = Reader(Keyring.load(workspace.root / "var" / "secret.key"), "reply.council.example")
    with pytest.raises(NewsletterError):
        read_files(reader, [str(tmp_path / "no.log")])
