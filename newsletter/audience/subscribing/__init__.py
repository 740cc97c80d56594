"""Every change of what a person chose goes through here: it is made once, and leaves its proof as a ConsentEvent.

`canonical` is an address for comparing (newsletter.mail.addresses.canonical). `channel`: import | one-click | page |
mail | staff. `wording`: what the person was shown; `why`: our own words; `by`: a colleague. Each verb is one
transaction, may be called again without a second effect or a second proof, and holds the person's row, so that two
at once end as one after the other.
"""

from newsletter.audience.subscribing.choosing import add, choose, edit
from newsletter.audience.subscribing.joining import ask, confirm
from newsletter.audience.subscribing.leaving import has_left, leave, lift, person_of, rejoin, remove, suppress
from newsletter.audience.subscribing.many import Stop, suppress_all
from newsletter.audience.subscribing.moving import move
from newsletter.audience.subscribing.pausing import pause, resume
from newsletter.audience.subscribing.proof import (
    ALL,
    BULK,
    CONFIRMED,
    LEFT,
    MOVED,
    PENDING,
    REASONS,
    UNSUBSCRIBED,
    Change,
)

__all__ = [
    "ALL",
    "BULK",
    "CONFIRMED",
    "LEFT",
    "MOVED",
    "PENDING",
    "REASONS",
    "UNSUBSCRIBED",
    "Change",
    "Stop",
    "add",
    "ask",
    "choose",
    "confirm",
    "edit",
    "has_left",
    "leave",
    "lift",
    "move",
    "pause",
    "person_of",
    "rejoin",
    "remove",
    "resume",
    "suppress",
    "suppress_all",
]
