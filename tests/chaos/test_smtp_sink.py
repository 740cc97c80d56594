"""The same laws with Postfix's own test server, which fails on command and writes down what it got."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from newsletter.config import Relay
from newsletter.sending.transports.connection import Connection
from tests.chaos.smtpsink import a_port, smtp_sink
from tests.chaos.test_matrix import PEOPLE, QUICK, once, quickly, started, states, until_done  # noqa: F401
from tests.workspace import Workspace

pytestmark = pytest.mark.integration
NO_SUCH_USER = ("-B", "550 5.1.1 No such user")


@pytest.mark.parametrize("pipelining", ["plain", "-p"])
@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize("option", ["-f", "-r", "-q", "-Q", "no such user"])
def test_everybody_has_one_outcome(
    workspace: Workspace, tmp_path: Path, option: str, command: str, pipelining: str
) -> None:
    mailing = started(workspace)
    port = a_port()
    relay = Relay(host="127.0.0.1", port=port)
    told = (*NO_SUCH_USER, "-f", command) if option == "no such user" else (option, command)
    told += ("-p",) if pipelining == "-p" else ()
    with smtp_sink(tmp_path / "ill", port, *told) as sink:
        once(workspace, mailing, lambda: Connection(relay, timeouts=QUICK))
        # It writes down what it has refused after the dot, too; that is no copy. One that it hung up on may be.
        ill = Counter() if command == "." and option != "-q" else sink.copies()
    before = states()
    with smtp_sink(tmp_path / "well", port) as sink:
        until_done(workspace, mailing, lambda: Connection(relay))
        well = sink.copies()
    for person, state in states().items():
        assert well[person] + ill[person] <= 1, f"{person} was mailed twice"
        if state == "accepted":
            assert well[person] + ill[person] == 1, f"{person} is called accepted and has nothing"
        elif state == "failed":
            assert (well[person], option) == (0, "no such user")
        else:
            assert (state, before[person], command, option) == ("uncertain", "uncertain", ".", "-q")
            assert well[person] == 0, "an uncertain one was sent again"
    assert sorted(states()) == sorted(PEOPLE)


def test_a_sink_with_a_small_window_and_one_command_at_a_time_gets_everybody(
    workspace: Workspace, tmp_path: Path
) -> None:
    mailing = started(workspace)
    port = a_port()
    with smtp_sink(tmp_path / "slow", port, "-p", "-8", "-T", "1024") as sink:
        once(workspace, mailing, lambda: Connection(Relay(host="127.0.0.1", port=port)))
        assert sink.copies() == dict.fromkeys(PEOPLE, 1)
