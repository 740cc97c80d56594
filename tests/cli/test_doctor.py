"""`newsletter doctor` says in words what is wrong and what to do; nothing that is broken gives a traceback."""

from __future__ import annotations

import contextlib
import errno
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import pytest

from newsletter.cli import doctor_mail
from tests.sending.servers import Sink
from tests.sending.transports.conftest import Certificates
from tests.workspace import Ran, Workspace


def relay(port: int, more: str = "") -> str:
    return f'\n[relays.main]\nhost = "127.0.0.1"\nport = {port}\n{more}\n'


def smtp(folder: Workspace, port: int, more: str = "", url: str = "https://news.invalid") -> Workspace:
    """A workspace that sends through a relay on this port."""
    path = folder.root / "newsletter.toml"
    text = (
        path.read_text()
        .replace("[mail]", '[mail]\ntransport = "smtp"')
        .replace("[senders", f'url = "{url}"\n[senders', 1)
    )
    path.write_text(text + relay(port, more))
    return folder


def codes(done: Ran) -> list[str]:
    assert "Traceback" not in done.out + done.err
    return [problem["code"] for problem in json.loads(done.out)["problems"]]


def without_pages(found: list[str]) -> list[str]:
    """news.invalid never answers; the tests here are about the rest."""
    assert "site-not-ours" in found
    return [code for code in found if code != "site-not-ours"]


@contextmanager
def answering(**answers: str) -> Iterator[int]:
    """A server that greets and then answers each command word from `answers` (250 where nothing is said)."""

    def serve() -> None:
        talk, _ = listening.accept()
        with talk, talk.makefile("rwb") as stream:
            stream.write(b"220 test ready\r\n")
            stream.flush()
            for line in stream:
                word = line.split()[0].decode().lower()
                stream.write(answers.get(word, "250 ok").encode() + b"\r\n")
                stream.flush()
                if word == "quit":
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


def test_a_sound_workspace_has_nothing_to_fix(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    workspace.toml(f'\n[catch]\nsmtp = "127.0.0.1:{port}"\n')
    done = workspace.run("doctor")
    assert done.exit == 0, done.out
    assert "All is well." in done.out
    for area in ("Python", "Disk", "Settings", "Folders", "Key", "Database", "Themes", "Mail", "Pages"):
        assert f"✓ {area}" in done.out


def test_it_works_in_no_workspace_at_all(tmp_path: Path) -> None:
    done = Workspace(tmp_path).run("doctor", "--json")
    assert (done.exit, codes(done)) == (1, ["no-workspace"])


def test_a_broken_settings_file_is_told_with_its_line(folder: Workspace) -> None:
    (folder.root / "newsletter.toml").write_text("[site\n")
    done = folder.run("doctor")
    assert done.exit == 1
    assert "newsletter.toml:1" in done.out


def test_a_lost_key_must_be_fixed(workspace: Workspace) -> None:
    (workspace.root / "var" / "secret.key").unlink()
    done = workspace.run("doctor", "--json")
    assert (done.exit, "lost-key" in codes(done)) == (1, True)


def test_a_key_that_others_can_read_is_said(workspace: Workspace) -> None:
    (workspace.root / "var" / "secret.key").chmod(0o644)
    done = workspace.run("doctor", "--json")
    assert "key-readable-by-others" in codes(done)


def test_a_damaged_database_must_be_fixed(folder: Workspace) -> None:
    (folder.root / "var" / "newsletter.db").write_bytes(b"not a database at all" * 1000)
    done = folder.run("doctor", "--json")
    assert (done.exit, "database-damaged" in codes(done)) == (1, True)


def test_a_folder_that_cannot_be_written_must_be_fixed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried by writing, because permissions say nothing about a read-only disk (and nothing to root)."""

    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    done = workspace.run("doctor", "--json")
    assert (done.exit, "cannot-write" in codes(done)) == (1, True)
    assert "Read-only file system" in done.out


def test_a_full_disk_is_seen_before_it_stops_a_mailing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.cli.doctor_checks.LITTLE_SPACE", 10**18)
    assert "little-space" in codes(workspace.run("doctor", "--json"))


def test_a_broken_theme_is_named(workspace: Workspace) -> None:
    workspace.write("templates/ours/theme.toml", "name = \n")
    done = workspace.run("doctor", "--json")
    assert done.exit == 1
    assert any(check["area"] == "Themes" and not check["ok"] for check in json.loads(done.out)["checks"])


def test_a_port_that_another_program_has_is_said(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        workspace.toml(f'\n[catch]\nsmtp = "127.0.0.1:{other.getsockname()[1]}"\n')
        done = workspace.run("doctor", "--json")
    assert (done.exit, "port-taken" in codes(done)) == (1, True)


def test_the_address_that_init_wrote_is_worth_a_look(workspace: Workspace) -> None:
    from newsletter.config.examples import POSTAL_ADDRESS

    path = workspace.root / "newsletter.toml"
    path.write_text(path.read_text().replace("Example Council, 1 Example Street, Stafford", POSTAL_ADDRESS))
    found = json.loads(workspace.run("doctor", "--json").out)["problems"]
    problem = next(one for one in found if one["code"] == "no-postal-address")
    assert (problem["severity"], problem["file"], problem["line"]) == ("warning", "newsletter.toml", 3)


def test_a_relay_that_answers_is_fine(workspace: Workspace) -> None:
    with Sink() as sink:
        done = smtp(workspace, sink.port).run("doctor", "--json")
    assert without_pages(codes(done)) == []
    assert sink.mails == []


def test_a_relay_is_looked_at_before_it_is_used(workspace: Workspace) -> None:
    with Sink() as sink:
        path = workspace.root / "newsletter.toml"
        path.write_text(path.read_text() + relay(sink.port))
        done = workspace.run("doctor")
    assert f"127.0.0.1:{sink.port} answers" in done.out


def test_a_relay_that_is_not_in_use_may_be_wrong(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    workspace.toml(relay(port))
    found = json.loads(workspace.run("doctor", "--json").out)["problems"]
    assert next(one for one in found if one["code"] == "relay-refused")["severity"] == "warning"


def test_a_refused_connection(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = smtp(workspace, port).run("doctor", "--json")
    assert (done.exit, without_pages(codes(done))) == (1, ["relay-refused"])


def test_an_unknown_host(workspace: Workspace) -> None:
    smtp(workspace, 25)
    path = workspace.root / "newsletter.toml"
    path.write_text(path.read_text().replace('host = "127.0.0.1"', 'host = "mail.invalid"'))
    assert without_pages(codes(workspace.run("doctor", "--json"))) == ["relay-unknown-host"]


def test_a_server_that_never_answers(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_mail, "ANSWER", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = smtp(workspace, silent.getsockname()[1]).run("doctor", "--json")
    assert (done.exit, without_pages(codes(done))) == (1, ["relay-timeout"])


def test_a_server_that_is_no_mail_server(workspace: Workspace) -> None:
    def shout() -> None:
        talk, _ = listening.accept()
        with talk:
            talk.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=shout, daemon=True)
        thread.start()
        done = smtp(workspace, listening.getsockname()[1]).run("doctor", "--json")
        thread.join(5)
    assert (done.exit, without_pages(codes(done))) == (1, ["relay-unreachable"])


def test_no_encryption_where_it_was_asked_for(workspace: Workspace) -> None:
    with Sink() as sink:
        done = smtp(workspace, sink.port, 'tls = "starttls"').run("doctor", "--json")
    assert without_pages(codes(done)) == ["relay-tls"]


def test_a_clear_port_where_encryption_was_expected(workspace: Workspace) -> None:
    with Sink() as sink:
        done = smtp(workspace, sink.port, 'tls = "implicit"').run("doctor", "--json")
    assert without_pages(codes(done)) == ["relay-tls"]


def with_tls(workspace: Workspace, certificates: Certificates, name: str, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """doctor against a server that speaks TLS from the first byte and shows the certificate called `name`."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.folder / "authority.pem"))

    def serve() -> None:
        raw, _ = listening.accept()
        with contextlib.suppress(OSError), certificates.server(name).wrap_socket(raw, server_side=True) as talk:
            talk.sendall(b"220 ready\r\n")
            while talk.recv(4096):
                talk.sendall(b"250 ok\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        done = smtp(workspace, listening.getsockname()[1], 'tls = "implicit"').run("doctor", "--json")
        thread.join(10)
    return done


def test_a_good_certificate(
    workspace: Workspace,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = with_tls(workspace, certificates, "good", monkeypatch)
    assert without_pages(codes(done)) == []
    assert "encrypted (TLS)" in done.out


@pytest.mark.parametrize("name", ["expired", "stranger"])
def test_a_certificate_that_cannot_be_trusted(
    workspace: Workspace,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    done = with_tls(workspace, certificates, name, monkeypatch)
    assert (done.exit, without_pages(codes(done))) == (1, ["relay-certificate"])


def test_a_login_that_is_refused(workspace: Workspace) -> None:
    workspace.environment = {}
    answers = {"ehlo": "250-test\r\n250 AUTH PLAIN", "auth": "535 5.7.8 wrong password"}
    with answering(**answers) as port:
        (workspace.root / "var" / "password").write_text("hunter2\n")
        (workspace.root / "var" / "password").chmod(0o640)
        done = smtp(workspace, port, 'user = "news"\npassword_file = "var/password"').run("doctor", "--json")
    assert without_pages(codes(done)) == ["relay-login"]
    assert "hunter2" not in done.out and "wrong password" in done.out


def test_a_password_file_that_is_not_there(workspace: Workspace) -> None:
    with answering(ehlo="250-test\r\n250 AUTH PLAIN") as port:
        done = smtp(workspace, port, 'user = "news"\npassword_file = "var/nowhere"').run("doctor", "--json")
    assert (done.exit, without_pages(codes(done))) == (1, ["no-password-file"])
    assert "var/nowhere" in done.out


def test_one_mail_to_you_through_the_relay(workspace: Workspace) -> None:
    with Sink() as sink:
        done = smtp(workspace, sink.port).run("doctor", "--to", "me@example.org")
    assert "took the mail to me@example.org" in done.out
    ((sender, recipient, data),) = sink.mails
    mail = BytesParser(policy=default).parsebytes(data)
    assert recipient == "me@example.org" and sender == "news@council.example"
    assert mail["Auto-Submitted"] == "auto-generated" and "It has arrived" in mail.get_content()


def test_one_mail_to_you_into_the_catcher(workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    workspace.toml(f'\n[catch]\nsmtp = "127.0.0.1:{port}"\n')
    done = workspace.run("doctor", "--to", "me@example.org")
    assert done.exit == 0, done.out
    assert len(list((workspace.root / "var" / "mail").glob("*.eml"))) == 1


def test_a_mail_that_is_refused_tells_the_servers_words(workspace: Workspace) -> None:
    with Sink(plan=lambda phase, _: "550 5.7.1 we do not know you" if phase == "rcpt" else "") as sink:
        done = smtp(workspace, sink.port).run("doctor", "--to", "me@example.org", "--json")
    assert without_pages(codes(done)) == ["mail-not-taken"]
    assert "we do not know you" in done.out


def test_not_an_address_is_wrong_usage(workspace: Workspace) -> None:
    assert workspace.run("doctor", "--to", "nobody").exit == 2


def test_a_list_larger_than_the_relays_day_is_said_beforehand(workspace: Workspace) -> None:
    with Sink() as sink:
        smtp(workspace, sink.port, "day = 2").ready()
        workspace.people(*(f"p{number}@example.org" for number in range(5)))
        done = workspace.run("doctor")
    assert "all-residents has 5 people; main takes 2 a day: it will take 3 days" in done.out.replace(
        "\n            ", " "
    )
    assert "more-than-a-day" in done.out and "monthly has" not in done.out


def test_a_warm_up_is_counted_for_each_provider(workspace: Workspace) -> None:
    from newsletter.sending import relay_days

    with Sink() as sink:
        smtp(workspace, sink.port, f'warm_up = "{relay_days.today().isoformat()}"').ready()
        workspace.people(*(f"p{number}@gmail.com" for number in range(51)))
        workspace.people(*(f"p{number}@example.org" for number in range(50)), lists=("monthly",))
        found = json.loads(workspace.run("doctor", "--json").out)["problems"]
    (problem,) = [one for one in found if one["code"] == "more-than-a-day"]
    assert problem["severity"] == "warning"
    assert problem["message"] == (
        "all-residents has 51 people; main is on day 1 of its warm-up, 50 to each provider today: it will take 2 days"
    )


def test_without_limits_no_days_are_counted(workspace: Workspace) -> None:
    with Sink() as sink:
        smtp(workspace, sink.port).ready()
        workspace.people("a@example.org")
        assert "Days" not in workspace.run("doctor").out


def test_a_password_that_everybody_on_the_computer_can_read(workspace: Workspace) -> None:
    mailbox = '[mailboxes.inbox]\nkind = "imap"\nhost = "127.0.0.1"\nport = 1\nuser = "news"\n'
    workspace.toml(f'{mailbox}tls = "none"\npassword_file = "imap.password"\n')
    path = workspace.write("imap.password", "hunter2\n")
    for mode, told in ((0o644, True), (0o640, False), (0o600, False)):
        path.chmod(mode)
        done = workspace.run("doctor", "--json")
        assert ("password-readable-by-others" in codes(done)) is told and "hunter2" not in done.out
    path.chmod(0o644)
    assert "chmod o= " in workspace.run("doctor").out


def test_a_confirmation_that_waits_for_a_worker_is_worth_a_look(workspace: Workspace) -> None:
    workspace.ready()
    from newsletter.audience import requests
    from newsletter.audience.models import Request

    ran = workspace.run("doctor")
    assert "it is needed for every confirmation" in " ".join(ran.out.split())
    requests.make(Request.Kind.SUBSCRIBE, "a@example.org", "a@example.org", {"lists": ["all-residents"]}, "Words")
    done = workspace.run("doctor", "--json")
    assert "no-worker" in codes(done)
    assert "1 mail that somebody asked for on the pages" in done.out and "waits for a worker" in done.out
