"""What should be looked at first, and by whom: words, areas, files. Rules suggest; they never close anything."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from newsletter import settings
from newsletter.audience.areas import names
from newsletter.config import Config
from newsletter.config.inward import Rule
from newsletter.mail import screening
from newsletter.replies import journal, showing, telling
from newsletter.replies.models import Conversation, Message, Tag
from newsletter.replies.storing import storable

NOT_SCREENED = "not screened"
LOOK_FIRST = "look-first"  # the line of the log from which the climbing counts
ANSWERED = re.compile(r"^\s*[^\W\d_]{1,5}(\[\d+\])?\s*[:：]")  # Re: AW: SV: 回复：: the subject is ours, not theirs

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Match:
    """What one rule asks for; `why` is in our words, never in theirs."""

    why: str
    team: str = ""
    tag: str = ""
    look_first: bool = False


def look(conversation: Conversation, message: Message) -> None:
    """Apply the rules to a new message of a person, in the transaction that stores it. Never raises.

    A rule that fails must not keep a message from being stored, nor let it pass for looked at: it is then marked
    "not screened", as is what is written in a language that no list covers.
    """
    config = settings.current()
    if not are_on(config):
        return
    try:
        with transaction.atomic():
            matches, screened = judge(config, conversation, message)
            apply(config, conversation, matches, screened)
    except Exception:
        log.exception("the rules failed on message %s", message.pk)
        try:
            with transaction.atomic():
                conversation.refresh_from_db(fields=["team", "look_first", "looked_at", "climbed", "climb_at"])
                _tag(conversation, NOT_SCREENED)
        except Exception:
            log.exception("message %s could not be marked as not screened", message.pk)


def are_on(config: Config) -> bool:
    """False where there is nothing that a message could be looked through for."""
    return bool(config.replies.look_first or config.rules)


def judge(config: Config, conversation: Conversation, message: Message) -> tuple[list[Match], bool]:
    """What the rules say of a message, the organisation's own first; and whether a list could be used on it."""
    text = words_of(conversation, message)
    spoken = (message.language or conversation.language).split("-")[0].lower()
    is_english = screening.english(text)
    areas = names(part.strip() for part in _area(conversation).split(",") if part.strip())
    files = message.attachments.exists()
    matches = []
    own_language = False
    for rule in config.rules.values():
        language = rule.language.split("-")[0].lower()
        if language and not (language == spoken or (language == "en" and is_english) or not is_english):
            continue
        own_language = own_language or bool(language == spoken and rule.look_first and rule.words)
        if why := _holds(rule, text, areas, files):
            matches.append(Match(why, rule.team, rule.tag, rule.look_first))
    if config.replies.look_first:
        matches += [
            Match(f"{hit.title} (“{hit.phrase}”)", tag=hit.group, look_first=True) for hit in screening.look(text)
        ]
    screened = is_english or (own_language and spoken != "en")
    return matches, screened or not config.replies.look_first or any(match.look_first for match in matches)


def words_of(conversation: Conversation, message: Message) -> str:
    """What is looked through: their new words, and the subject where it is their own."""
    subject = "" if ANSWERED.match(conversation.subject) else conversation.subject
    return f"{subject}\n\n{message.new_words}" if subject else message.new_words


def apply(config: Config, conversation: Conversation, matches: list[Match], screened: bool) -> None:
    """Do what the rules ask for: tags, a team where nobody has it yet, and the notice that climbs until claimed."""
    for match in matches:
        if match.tag:
            _tag(conversation, match.tag)
    team = next((match.team for match in matches if match.team in config.teams), "")
    urgent = [match for match in matches if match.look_first]
    changed = []
    if team and not conversation.assignee and conversation.team != team:
        conversation.team = team
        changed.append("team")
        journal.note(conversation, "assigned", f"to the team {config.teams[team].title}, by a rule")
        if not urgent:  # else the team is told by the notice that climbs
            telling.tell_team(conversation, team)
    if urgent:
        why = "; ".join(dict.fromkeys(match.why for match in urgent))
        conversation.look_first = storable(why, 200)
        # Again from the beginning, also where somebody has claimed it: what they claimed did not hold this message.
        conversation.looked_at, conversation.climbed, conversation.climb_at = None, 0, timezone.now()
        changed += ["look_first", "looked_at", "climbed", "climb_at"]
        journal.note(conversation, LOOK_FIRST, why)
    elif not screened:
        _tag(conversation, NOT_SCREENED)
        journal.note(conversation, "not-screened", "no list of words covers its language")
    if changed:
        conversation.save(update_fields=[*changed, "changed"])


def _holds(rule: Rule, text: str, areas: set[str], files: bool) -> str:
    """Why a rule holds, in our words; "" when it does not. Everything that it names must be so."""
    why = []
    if rule.words:
        phrase = screening.found(rule.words, text)
        if not phrase:
            return ""
        why.append(f"“{phrase}”")
    if rule.areas:
        if not areas & {area.casefold() for area in rule.areas}:
            return ""
        why.append("their area")
    if rule.attachments:
        if not files:
            return ""
        why.append("it has files")
    return f"{rule.title} ({', '.join(why) or 'its language'})"


def _area(conversation: Conversation) -> str:
    """The writer's own area; of who answered from somebody else's copy we know none."""
    return showing.area(conversation.subscriber.attributes) if conversation.subscriber else ""


def _tag(conversation: Conversation, word: str) -> None:
    Tag.objects.get_or_create(conversation=conversation, word=" ".join(storable(word, 60).lower().split()))
