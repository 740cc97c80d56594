"""`newsletter correct`: starts the issue that puts another one right, for exactly those who got that one."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, json_option, print_json
from newsletter.problems import Exit, NewsletterError, Problem, Where

if TYPE_CHECKING:
    from newsletter.sending.models import Mailing

# What stands before the subject, in the languages of our fixed words.
CORRECTION = {"en": "Correction", "cy": "Cywiriad", "ar": "تصحيح", "ur": "تصحیح"}


@click.command()
@click.argument("issue", required=False)
@json_option
@click.pass_obj
def command(output: Output, issue: str | None, as_json: bool) -> int:
    """Start a correction of an issue that was sent: its text and pictures in a new folder, for you to put right.

    \b
    newsletter correct 2026-11-24
    newsletter send                  goes to exactly those who got the first, as far as they may still be mailed

    Nothing is sent. Once it is, the archive pages of the two name each other.
    """
    from newsletter.cli import new
    from newsletter.cli.sending_mailing import which, workspace
    from newsletter.content import finding, starting
    from newsletter.content.places import text_of

    config = workspace(output)
    from newsletter.sending import correcting  # needs the database that `workspace` opened

    mailing = which(output, config, issue)
    explanation = correcting.explain(mailing)
    if not explanation.entries:
        hint = "Stop it with newsletter stop, change it, and send it as a new issue."
        problem = Problem("cannot-correct", f"Nobody has got {mailing.slug}, so nobody needs a correction", hint)
        raise NewsletterError(problem, exit=Exit.REFUSED)
    start = finding.find(config, mailing.slug, output.folder)
    titles = _titles(mailing)
    slug = starting.slug(titles[""], date.today())
    folder = config.root / "issues" / slug
    if folder.exists():
        hint = "Go on with that one, or rename its folder first."
        problem = Problem("issue-exists", f"There is an issue called {slug} already", hint, Where(f"issues/{slug}"))
        raise NewsletterError(problem, exit=Exit.REFUSED)
    texts = {}
    for language in finding.languages(start):
        name = f"issue.{language}.md" if language else "issue.md"
        earlier = text_of(start / name, config.root, f"{start.name}/{name}").decode()
        text = starting.next_after(earlier, titles.get(language) or titles[""])
        texts[name] = text if language else text.replace("---\n", f"---\ncorrects: {mailing.slug}\n", 1)
    new.make(folder, texts, start)
    if as_json:
        facts: dict[str, Any] = {
            "got": explanation.entries,
            "left_out": explanation.left_out,
            "will_get": explanation.will_get,
        }
        print_json(slug=slug, folder=str(folder), files=sorted(texts), corrects=mailing.slug, **facts)
        return Exit.FINE
    output.done(f"Started issues/{slug}/issue.md, a correction of {mailing.slug}")
    output.say(f"  It goes to {words.people(explanation.will_get)}: {explanation.sentence()}")
    output.next(f"newsletter preview {slug}", "put it right in your editor; say first what was wrong")
    return Exit.FINE


def _titles(mailing: Mailing) -> dict[str, str]:
    """Language → the new subject."""
    from newsletter.rendering import freeze, languages
    from newsletter.sending import mailings

    found = {}
    for key, frozen in mailing.rendered.items():
        rendered = freeze.from_json(frozen)
        word = CORRECTION.get(languages.primary(rendered.language), CORRECTION["en"])
        subject = mailings.plain_subject(rendered)
        found[key] = subject if subject.startswith(f"{word}: ") else f"{word}: {subject}"
    return found
