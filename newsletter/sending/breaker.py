"""When a mailing must pause by itself: we are refused as the sender, too many addresses are dead, or people complain.

Pure: it is told every verdict and says in words when to pause.
"""

from __future__ import annotations

from math import sqrt

from newsletter.sending.models import Delivery
from newsletter.sending.transports.outcome import Phase
from newsletter.sending.verdicts import Fault

SAMPLE = 50  # answers about people before a share of them means anything
SURE = 2.0  # standard deviations: a list with 2 % dead addresses is not stopped for a run of bad luck
COMPLAINTS = 0.3  # percent: at this rate Gmail and Yahoo take mitigation away (Feb 2024 sender rules)
COMPLAINED = 3  # people; one complaint among a hundred mails is no signal
AGAIN = 3  # sender faults in a row that pause after a person has resumed in spite of one


class Breaker:
    """Counts one run of one mailing. `already_complained`: a person has seen why it paused, and resumed."""

    def __init__(self, percent: float, *, already_complained: bool = False) -> None:
        # Who resumed after a wave has decided about this list: only a wave twice as high asks again.
        self.percent = percent * (2 if already_complained else 1)
        self.already_complained = already_complained
        self.accepted = self.refused = self.complaints = self.sender_faults = 0

    def saw(self, state: str, fault: Fault, phase: Phase, reason: str = "") -> str:
        """One verdict; words when the mailing must pause, else ""."""
        if fault is Fault.SENDER:
            self.sender_faults += 1
            # Once is enough the first time. After a person has resumed, only three in a row pause again: one mailbox
            # that refuses us must not hold up everybody else.
            if self.already_complained and self.sender_faults < AGAIN:
                return ""
            return f"The mail server refuses us, not one person: {reason}".removesuffix(": ")
        if state == Delivery.State.ACCEPTED:
            self.accepted += 1
            self.sender_faults = 0
        elif state == Delivery.State.FAILED and fault is Fault.PERSON and phase is not Phase.BUILD:
            self.refused += 1
            return self.wave(reason)
        return ""

    def complained(self, people: int = 1) -> str:
        """So many people called the mail spam; words when that is too many for the mails handed over."""
        self.complaints += people
        share = 100 * self.complaints / max(1, self.accepted)
        if self.complaints < COMPLAINED or share <= COMPLAINTS:
            return ""
        return (
            f"{self.complaints} people called this mail spam, {share:.1f} % of {self.accepted:,}; from "
            f"{COMPLAINTS} % on the large providers stop taking our mail"
        )

    def wave(self, reason: str) -> str:
        """Words when too many of the addresses answered so far are dead. Bounces that come later are put in as
        `refused` by who counts them."""
        people = self.accepted + self.refused
        if not self.percent or people < SAMPLE or 100 * _at_least(self.refused, people) <= self.percent:
            return ""
        share = 100 * self.refused / people
        last = f" The last one: {reason}" if reason else ""
        return (
            f"{self.refused} of the first {people:,} addresses were refused, {share:.0f} %; more than"
            f" {self.percent:g} % says that the list is old or not ours.{last}"
        )


def _at_least(hits: int, of: int) -> float:
    """The share that is certain from so many hits (Wilson's lower bound)."""
    part, square = hits / of, SURE * SURE
    spread = SURE * sqrt(part * (1 - part) / of + square / (4 * of * of))
    return (part + square / (2 * of) - spread) / (1 + square / of)
