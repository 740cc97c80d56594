"""`newsletter replies rules`: the rules as they are understood, and what a sentence would set off."""

from __future__ import annotations

import click

from newsletter.cli.output import Output, count, json_option, print_json, visible
from newsletter.config.inward import Rule
from newsletter.problems import Exit


@click.command()
@click.option("--try", "text", metavar="TEXT", help="Say which words of the rules stand in TEXT. Nothing is stored.")
@json_option
@click.pass_obj
def rules(output: Output, text: str | None, as_json: bool) -> int:
    """Show what is looked at first and where messages go; try the words on a sentence.

    \b
    newsletter replies rules
    newsletter replies rules --try "He is outside and he has a knife"
    """
    from newsletter.mail import screening

    config = output.config()
    built_in = config.replies.look_first
    if text is not None:
        hits = [(rule.title, found) for rule in config.rules.values() if (found := screening.found(rule.words, text))]
        hits += [(hit.title, hit.phrase) for hit in screening.look(text)] if built_in else []
        is_english = screening.english(text)
        if as_json:
            print_json((), hits=[{"title": title, "phrase": phrase} for title, phrase in hits], english=is_english)
            return Exit.FINE
        for title, phrase in hits:
            output.say(f"  {visible(title)}: “{visible(phrase)}”")
        if not hits:
            output.say("No word of the rules stands in it." if is_english else NOT_ENGLISH)
        return Exit.FINE
    rows = [(key, rule.title, _holds(rule), _does(rule)) for key, rule in config.rules.items()]
    if as_json:
        listed = [{"title": title, "phrases": number} for title, number in screening.titles()]
        named = [dict(zip(("key", "title", "when", "then"), row, strict=True)) for row in rows]
        print_json((), rules=named, look_first=built_in, built_in=listed, duty=config.replies.duty)
        return Exit.FINE
    if rows:
        output.table(("Rule", "Title", "When", "Then"), [tuple(map(visible, row)) for row in rows])
        output.say()
    state = "on" if built_in else "off; [replies] look_first = true switches it on, once you have read it"
    output.say(f"Built-in English list: {state}")
    for title, number in screening.titles():
        output.say(f"  {title}: {count(number, 'phrase')}")
    if built_in or rows:
        output.say("Looked through is what comes in from now on, by programs that were started since you changed this:")
        output.say("end newsletter worker, web and catch, and start them anew.")
    output.next('newsletter replies rules --try "…"', "what a sentence would set off")
    return Exit.FINE


NOT_ENGLISH = (
    "No word of the rules stands in it. It does not look like English: a person gets it, marked “not screened”."
)


def _holds(rule: Rule) -> str:
    named = (("words", rule.words), ("areas", rule.areas), ("language", (rule.language,) if rule.language else ()))
    parts = [f"{name}: {', '.join(values)}" for name, values in named if values]
    return "; ".join([*parts, *(["it has files"] if rule.attachments else [])])


def _does(rule: Rule) -> str:
    parts = (
        "look at it first" if rule.look_first else "",
        f"team {rule.team}" if rule.team else "",
        f"tag {rule.tag}" if rule.tag else "",
    )
    return "; ".join(filter(None, parts))
