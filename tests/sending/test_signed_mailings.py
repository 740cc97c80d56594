"""With [dkim] every mail of a mailing leaves with both signatures, from one process per core; without it, unsigned."""

from __future__ import annotations

import os
from dataclasses import replace

import dkim as oracle
import pytest

from newsletter.sending import carrier, helpers, mailings
from newsletter.sending.drain import How, drain
from tests.cli.test_dkim import made
from tests.sending.made import a_rendered, an_issue
from tests.sending.servers import Sink
from tests.workspace import TOML, Workspace

PEOPLE = [f"person{number}@home.example" for number in range(40)]
# DELIVERABILITY D6: none of these may be changed or added on the way.
NAMED = (
    b"from to subject date message-id reply-to list-id list-unsubscribe list-unsubscribe-post feedback-id mime-version"
    b" content-type"
).split()


@pytest.mark.parametrize("processes", [1, 2])
def test_every_mail_of_a_mailing_has_both_signatures(workspace: Workspace, processes: int) -> None:
    base = TOML.replace("[site]", '[site]\nurl = "https://news.council.example"') + 'transport = "smtp"\n'
    with Sink() as sink:
        relay = f'[relays.main]\nhost = "127.0.0.1"\nport = {sink.port}\nproviders = false\n'
        workspace.toml(f"{relay}[sending]\nprocesses = {processes}\n", base)
        keys = {
            key["name"]: "".join(key["strings"]) for key in made(workspace, "--ed25519", "--selector", "s1")["keys"]
        }
        workspace.people(*PEOPLE)
        mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
        mailings.start(mailing)
        with carrier.opened(workspace.config) as way:
            ended = drain(workspace.config, mailing, way.factory, ways=way.ways)
    assert (ended.how, ended.counts["accepted"]) == (How.DONE, 40)
    for _, _, mail in sink.mails:
        assert mail.count(b"DKIM-Signature:") == 2
        for index in (0, 1):
            assert oracle.DKIM(mail).verify(
                idx=index, dnsfunc=lambda name, timeout=5: keys[name.decode().rstrip(".")].encode()
            )
            named = [header.lower() for header in _named(mail, index)]
            for header in NAMED:
                there = mail.lower().partition(b"\r\n\r\n")[0].count(b"\r\n" + header + b":")
                assert named.count(header) == there + 1, header  # once more than it occurs: none can be added


def _named(mail: bytes, index: int) -> list[bytes]:
    """h= of the signature with this number."""
    one = mail.split(b"DKIM-Signature:")[index + 1].partition(b"\r\n\r\n")[0]
    tag = one.replace(b"\r\n", b"").partition(b" h=")[2].partition(b";")[0]
    return [name.strip() for name in tag.split(b":")]


def test_one_process_for_each_core_where_we_sign_and_one_where_the_mail_server_does(workspace: Workspace) -> None:
    config = workspace.config
    assert helpers.number(config) == 1
    signing = replace(config, dkim=replace(config.dkim, domain="council.example"))
    assert helpers.number(signing) == os.cpu_count()
    assert helpers.number(replace(signing, sending=replace(config.sending, processes=3))) == 3
