"""`newsletter dkim` makes keys that doctor then finds published, or says in words why they do not count."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from socketserver import BaseRequestHandler, ThreadingUDPServer
from typing import Any

import dkim as oracle
import pytest
from dns import message, rcode, rrset

from newsletter.cli import doctor_dkim, doctor_mail
from newsletter.cli.doctor_checks import Finding
from newsletter.mail.dkim import Signer
from tests.workspace import Workspace


@contextmanager
def name_server(records: dict[str, list[str]]) -> Iterator[doctor_dkim.Ask]:
    """A DNS server on loopback that knows these TXT records; yields the way to ask it."""

    class Answer(BaseRequestHandler):
        def handle(self) -> None:
            raw, channel = self.request
            asked = message.from_wire(raw)
            answer = message.make_response(asked)
            known = records.get(str(asked.question[0].name).rstrip("."))
            if known is None:
                answer.set_rcode(rcode.NXDOMAIN)
            elif known:
                answer.answer.append(rrset.from_text(asked.question[0].name, 60, "IN", "TXT", *known))
            channel.sendto(answer.to_wire(), self.client_address)

    with ThreadingUDPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01})
        thread.start()
        yield partial(doctor_dkim.ask_txt, servers=("127.0.0.1",), port=server.server_address[1])
        server.shutdown()
        thread.join(5)


def made(folder: Workspace, *words: str) -> dict[str, Any]:
    """Make keys and put the lines that the command says into newsletter.toml."""
    done = folder.run("dkim", "new", "--json", *words)
    assert done.exit == 0, done.out + done.err
    told: dict[str, Any] = json.loads(done.out)
    path = folder.root / "newsletter.toml"
    path.write_text(path.read_text() + "\n" + "\n".join(told["settings"]) + "\n")
    return told


def published(told: dict[str, Any]) -> dict[str, list[str]]:
    return {key["name"]: [" ".join(f'"{part}"' for part in key["strings"])] for key in told["keys"]}


def looked(folder: Workspace, ask: doctor_dkim.Ask) -> list[Finding]:
    return list(doctor_dkim.dkim(folder.config, ask))


def codes(found: list[Finding]) -> list[str]:
    return [finding.problem.code for finding in found if finding.problem]


def test_new_keys_work_as_soon_as_their_lines_are_in_the_settings(folder: Workspace) -> None:
    told = made(folder, "--ed25519", "--selector", "s1")
    assert [key["name"] for key in told["keys"]] == [
        "s1._domainkey.council.example",
        "s1e._domainkey.council.example",
    ]
    signer = Signer.of(folder.config.dkim)
    assert signer is not None
    assert signer.sign(b"From: a@council.example\r\n\r\nhi\r\n", 1).count(b"DKIM-Signature:") == 2
    for path in (folder.root / "var" / "dkim" / "council.example").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_without_settings_nothing_is_signed(folder: Workspace) -> None:
    assert Signer.of(folder.config.dkim) is None
    assert codes(looked(folder, lambda name: [])) == []


def test_what_a_person_sees_can_be_copied_into_the_dns(folder: Workspace) -> None:
    done = folder.run("dkim", "new", "--selector", "s1")
    assert done.exit == 0
    assert any(line.startswith("v=DKIM1; k=rsa; p=") for line in done.out.splitlines())
    assert "s1._domainkey.council.example. IN TXT (" in done.out
    assert "[dkim]" in done.out
    assert "newsletter doctor" in done.out


def test_the_name_of_a_key_is_the_month_unless_it_is_said(folder: Workspace) -> None:
    (key,) = made(folder)["keys"]
    assert key["name"][:1] == "n"
    assert key["name"].partition(".")[0][1:].isdigit()


def test_a_key_is_never_written_over_and_a_pair_is_made_whole_or_not_at_all(folder: Workspace) -> None:
    made(folder, "--selector", "s1e")
    before = {path.name: path.read_bytes() for path in (folder.root / "var/dkim/council.example").iterdir()}
    done = folder.run("dkim", "new", "--ed25519", "--selector", "s1", "--json")
    assert (done.exit, json.loads(done.out)["problems"][0]["code"]) == (4, "dkim-key-exists")
    after = {path.name: path.read_bytes() for path in (folder.root / "var/dkim/council.example").iterdir()}
    assert after == before


def test_senders_of_several_domains_make_it_ask_which(folder: Workspace) -> None:
    folder.root.joinpath("newsletter.toml").write_text(
        folder.root.joinpath("newsletter.toml").read_text()
        + '\n[senders.other]\nname = "Other"\naddress = "a@other.example"\n'
    )
    done = folder.run("dkim", "new", "--json")
    assert (done.exit, json.loads(done.out)["problems"][0]["code"]) == (2, "dkim-which-domain")
    assert folder.run("dkim", "new", "--domain", "other.example").exit == 0


@pytest.mark.parametrize(
    "words", [("--selector", "../x"), ("--selector", "a b"), ("--domain", "x/../y"), ("--domain", "")]
)
def test_no_name_leads_out_of_the_folder(folder: Workspace, words: tuple[str, str]) -> None:
    done = folder.run("dkim", "new", *words)
    assert done.exit == (2 if words[1] else 0)
    assert all(path.is_relative_to(folder.root / "var" / "dkim") for path in folder.root.rglob("*.pem"))


def test_show_tells_the_key_that_signs_from_one_that_waits(folder: Workspace) -> None:
    made(folder, "--selector", "s1")
    assert folder.run("dkim", "new", "--selector", "s2").exit == 0
    told = json.loads(folder.run("dkim", "show", "--json").out)
    assert {key["name"].partition(".")[0]: key["signs"] for key in told["keys"]} == {"s1": True, "s2": False}
    words = folder.run("dkim", "show").out
    assert "signs now" in words
    assert "does not sign" in words


def test_show_says_where_there_is_none(folder: Workspace) -> None:
    done = folder.run("dkim", "show")
    assert (done.exit, "no DKIM key here" in done.out) == (0, True)


def test_doctor_finds_a_published_key(folder: Workspace) -> None:
    told = made(folder, "--ed25519")
    with name_server(published(told)) as ask:
        found = looked(folder, ask)
    assert codes(found) == []
    assert sum("is published" in finding.text for finding in found) == 2


def test_doctor_says_that_a_record_is_missing_or_another_ones(folder: Workspace) -> None:
    told = made(folder)
    with name_server({}) as ask:
        assert codes(looked(folder, ask)) == ["dkim-record-missing"]
    name = told["keys"][0]["name"]
    with name_server({name: ['"v=DKIM1; k=rsa; p=AAAA"']}) as ask:
        assert codes(looked(folder, ask)) == ["dkim-record-differs"]
    with name_server({name: []}) as ask:
        assert codes(looked(folder, ask)) == ["dkim-record-missing"]


def test_a_record_may_be_written_another_way(folder: Workspace) -> None:
    told = made(folder)
    value = told["keys"][0]["value"].replace("v=DKIM1; k=rsa; p=", "v=DKIM1;p= ")
    assert codes(looked(folder, lambda name: [value])) == []


def test_without_a_network_it_says_that_nobody_could_be_asked(folder: Workspace) -> None:
    made(folder)

    def nobody(name: str) -> list[str]:
        raise OSError("no answer from the DNS")

    found = looked(folder, nobody)
    assert codes(found) == []
    assert "could not be asked" in found[-1].text


def test_a_sender_of_another_domain_is_worth_a_look(folder: Workspace) -> None:
    made(folder, "--domain", "other.example")
    assert "dkim-not-aligned" in codes(looked(folder, lambda name: []))


def test_a_relay_that_writes_its_own_message_id_is_worth_a_look(folder: Workspace) -> None:
    made(folder)
    path = folder.root / "newsletter.toml"
    path.write_text(path.read_text() + '\n[relays.main]\nhost = "127.0.0.1"\nkeeps = ["envelope_sender"]\n')
    assert "dkim-relay-rewrites" in codes(looked(folder, lambda name: []))


@pytest.mark.parametrize(
    ("sender", "signed", "fits"),
    [
        ("council.example", "council.example", True),
        ("news.council.example", "council.example", True),
        ("council.example", "mail.council.example", True),
        ("badcouncil.example", "council.example", False),
        ("council.example", "other.example", False),
    ],
)
def test_the_signature_speaks_for_its_own_domain_and_those_in_it(sender: str, signed: str, fits: bool) -> None:
    assert doctor_dkim.aligned(sender, signed) is fits


def test_the_trial_mail_is_signed_as_a_mailing_would_be(folder: Workspace) -> None:
    (key,) = made(folder)["keys"]
    data, _ = doctor_mail._mail(folder.config, "me@example.org")
    assert oracle.verify(data, dnsfunc=lambda name, timeout=5: key["value"].encode())


def test_doctor_says_that_a_key_was_lost_or_stands_open(folder: Workspace) -> None:
    path = folder.root / made(folder)["keys"][0]["file"]
    path.chmod(0o644)
    assert codes(looked(folder, lambda name: [])) == ["dkim-key-open"]
    path.unlink()
    assert codes(looked(folder, lambda name: [])) == ["dkim-key-missing"]


@pytest.mark.parametrize(
    "lines",
    [
        'domain = "council.example"',
        'selector = "s1"',
        'domain = "not a domain"\nselector = "s1"\nkey_file = "x"',
        'domain = "council.example"\nselector = "s 1"\nkey_file = "x"',
        'ed25519_selector = "s1"\ned25519_key_file = "x"',
        'domain = "council.example"\nselector = "s"\nkey_file = "x"\ned25519_selector = "S"\ned25519_key_file = "y"',
    ],
)
def test_settings_that_cannot_work_are_said_with_their_place(folder: Workspace, lines: str) -> None:
    path = folder.root / "newsletter.toml"
    path.write_text(f"{path.read_text()}\n[dkim]\n{lines}\n")
    done = folder.run("config", "show", "--json")
    assert (done.exit, {one["code"] for one in json.loads(done.out)["problems"]}) == (3, {"bad-value"})
