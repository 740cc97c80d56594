"""Rules that cannot work: no condition, a word that cannot be looked for, a team that is not there, nobody on duty."""

from __future__ import annotations

import re
from collections.abc import Callable

from newsletter.config.phrases import compiled
from newsletter.config.shape import Config
from newsletter.problems import did_you_mean

Report = Callable[[str, str, str, tuple[str, ...]], None]
ADDRESS = re.compile(r"[^\s<>,;@\x00-\x1f]+@[^\s<>,;@\x00-\x1f]+")


def check(config: Config, report: Report) -> None:
    """Report every rule of [rules] that cannot do what it says, at its own line."""
    for key, rule in config.rules.items():
        path = ("rules", key)
        for word in rule.words:
            try:
                compiled(word)
            except ValueError as error:
                hint = 'Words or phrases such as words = ["knife", "threaten* to … burn"]; * stands for an ending.'
                message = f"[rules.{key}] cannot look for {word!r}: {error}"
                report("bad-rule-words", message, hint, (*path, "words"))
        if not (rule.words or rule.areas or rule.attachments or rule.language):
            hint = "Say when it holds: words, areas, language, or attachments = true."
            report("bad-rule", f"[rules.{key}] would hold for every message", hint, path)
        if not (rule.team or rule.look_first or rule.tag):
            hint = "Say what is done: team, tag, or look_first = true."
            report("bad-rule", f"[rules.{key}] does nothing", hint, path)
        if rule.team and rule.team not in config.teams:
            hint = did_you_mean(rule.team, config.teams) or f"Add [teams.{rule.team}] with a title."
            report("bad-rule", f"[rules.{key}] names a team that is not there: {rule.team!r}", hint, (*path, "team"))
    if not 0 <= config.replies.keep_months <= 1200:
        hint = "Months; 12 is a year, 0 = nothing is erased by age."
        message = f"[replies] keep_months cannot be {config.replies.keep_months}"
        report("bad-value", message, hint, ("replies", "keep_months"))
    _duty(config, report)


def _duty(config: Config, report: Report) -> None:
    """Whatever is to be looked at first must reach somebody, also at night and when a whole team is away."""
    duty = config.replies.duty
    if duty and not ADDRESS.fullmatch(duty):
        hint = 'For example duty = "duty@council.example".'
        report("bad-value", f"[replies] duty is not an e-mail address: {duty!r}", hint, ("replies", "duty"))
    asked = [f"[rules.{key}] look_first" for key, rule in config.rules.items() if rule.look_first]
    if config.replies.look_first:
        asked.insert(0, "[replies] look_first")
    if asked and not duty:
        key = (
            ("replies", "look_first") if config.replies.look_first else ("rules", asked[0].split(".")[1].split("]")[0])
        )
        hint = 'Name who is told when nobody else claims it, also at night: [replies] duty = "duty@council.example".'
        report("nobody-on-duty", f"{asked[0]} is on, and [replies] duty names nobody", hint, key)
