"""`newsletter replies`: receive, sort, list, show and answer what people wrote."""

from __future__ import annotations

import click

from newsletter.cli.helping import Group
from newsletter.cli.replies_answer import answer, forward
from newsletter.cli.replies_asked import asked
from newsletter.cli.replies_balance import balance
from newsletter.cli.replies_erase import erase, tidy
from newsletter.cli.replies_export import export
from newsletter.cli.replies_fetch import fetch
from newsletter.cli.replies_list import list_
from newsletter.cli.replies_receive import receive
from newsletter.cli.replies_reclassify import let_go, reclassify, sorted_
from newsletter.cli.replies_report import report
from newsletter.cli.replies_rules import rules
from newsletter.cli.replies_serve import serve
from newsletter.cli.replies_show import show
from newsletter.cli.replies_sort import sort_
from newsletter.cli.replies_staff import assign, away, claim
from newsletter.cli.replies_states import close, hold, merge, note, reopen, snooze, spam, split, tag


@click.group(cls=Group)
def command() -> None:
    """Receive, list, show and answer what people wrote."""


COMING_IN = (receive, serve, fetch, balance)
SORTING = (sort_, sorted_, reclassify, let_go)
DESK = (
    list_,
    show,
    answer,
    forward,
    claim,
    assign,
    note,
    tag,
    close,
    reopen,
    snooze,
    spam,
    merge,
    split,
    away,
    hold,
    report,
    asked,
)
KEEPING = (rules, export, erase, tidy)
# What the list of commands says of each, in at most 64 letters: a sentence that is cut off helps nobody.
SUMMARIES = {
    "answer": "Answer a conversation; asks before it sends.",
    "asked": "“You asked, we did” for the next issue, by tags.",
    "assign": "Give conversations to a colleague or a team.",
    "away": "Say that a colleague is away, and who stands in.",
    "balance": "Check that nothing was lost.",
    "claim": "Take conversations: the others see that you do.",
    "close": "Close conversations that need nothing more.",
    "erase": "Erase what one person wrote and was answered.",
    "export": "Write conversations as evidence, with a hash of everything.",
    "fetch": "Take in what is new in the mailboxes.",
    "forward": "Pass a conversation on, with a record.",
    "hold": "Legal hold: nothing of it is erased until it is released.",
    "let-go": "Take somebody off their lists, as they asked.",
    "list": "Who waits for an answer, and how much time is left.",
    "merge": "Show two conversations as one.",
    "note": "Leave a note for colleagues; it is never sent.",
    "receive": "Take in one message from a mail server's pipe.",
    "reclassify": "Correct the sorting of one message.",
    "reopen": "Put conversations back among those that wait.",
    "report": "How many were answered in the promised time.",
    "rules": "Show what is looked at first, and try the rules.",
    "serve": "Take in answers by LMTP from the mail server here.",
    "show": "One conversation: what they wrote, and how to answer.",
    "snooze": "Put a conversation off until a day.",
    "sort": "Say what mail in files is, and why; nothing is stored.",
    "sorted": "The mail that was not taken for a person's, and why.",
    "spam": "Junk: out of sight, and it stays there.",
    "split": "Part the later messages into a conversation of their own.",
    "tag": "Put words on a conversation, to find it again.",
    "tidy": "Erase what is older than [replies] keep_months.",
}
for _one in (*COMING_IN, *SORTING, *DESK, *KEEPING):
    _one.short_help = SUMMARIES[str(_one.name)]
    command.add_command(_one)
