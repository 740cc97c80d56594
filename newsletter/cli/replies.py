"""`newsletter replies`: receive, sort, list, show and answer what people wrote."""

from __future__ import annotations

import click

from newsletter.cli.replies_answer import answer, forward
from newsletter.cli.replies_balance import balance
from newsletter.cli.replies_fetch import fetch
from newsletter.cli.replies_list import list_
from newsletter.cli.replies_receive import receive
from newsletter.cli.replies_reclassify import let_go, reclassify, sorted_
from newsletter.cli.replies_report import report
from newsletter.cli.replies_serve import serve
from newsletter.cli.replies_show import show
from newsletter.cli.replies_sort import sort_
from newsletter.cli.replies_staff import assign, away, claim
from newsletter.cli.replies_states import close, hold, merge, note, reopen, snooze, spam, tag


@click.group()
def command() -> None:
    """Receive, list, show and answer what people wrote."""


COMING_IN = (receive, serve, fetch, balance)
SORTING = (sort_, sorted_, reclassify, let_go)
DESK = (list_, show, answer, forward, claim, assign, note, tag, close, reopen, snooze, spam, merge, away, hold, report)
for _one in (*COMING_IN, *SORTING, *DESK):
    command.add_command(_one)
