"""The whole story on made-up people: import, check, send, answers, one who leaves. Nothing leaves this computer."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import Output, count, json_option, number, print_json
from newsletter.problems import Exit

if TYPE_CHECKING:
    from newsletter.cli.demo_people import Copy
    from newsletter.cli.demo_workspace import Workspace


@click.command()
@click.argument("folder", default="demo", type=click.Path(path_type=Path), metavar="[DIR]")
@json_option
@click.pass_obj
def command(output: Output, folder: Path, as_json: bool) -> int:
    """Show the whole story in DIR (default: demo) on 500 made-up people, and end by itself.

    It types the commands that you would type, and sends by real SMTP into a catcher on this computer.
    A former demo in DIR is replaced; any other folder is left alone.
    """
    signal.signal(signal.SIGTERM, _end)  # so that its two servers never outlive it
    if as_json:
        output.quiet = True
    began = time.monotonic()
    story = _Story(output, (output.folder / folder).resolve())
    facts = story.tell()
    facts["seconds"] = round(time.monotonic() - began, 1)
    if as_json:
        print_json(**facts)
    else:
        story.where_to_look(folder if str(output.folder) == "." else story.root)
        output.say(f"\nThat took {facts['seconds']} s. Run it again whenever you like; the folder is made anew.")
    return Exit.FINE


def _end(*_: object) -> None:
    raise KeyboardInterrupt


class _Story:
    """One run; each step says what it did and keeps its numbers in `facts`."""

    def __init__(self, output: Output, root: Path) -> None:
        self.output, self.root = output, root
        self.facts: dict[str, Any] = {"workspace": str(root)}
        self.mine = root  # the caught mail that the steps look at

    def tell(self) -> dict[str, Any]:
        from newsletter.cli import demo_people, demo_workspace

        workspace, replaced = demo_workspace.make(self.root)
        self.make_people(workspace, replaced)
        self.areas(workspace)
        self.check(workspace)
        with workspace.servers():
            self.send(workspace)
            caught = demo_people.copies(self.root / "var" / "mail")
            caught = caught[:: len(caught) // 10]  # people from all over the list
            self.mine = caught[0].path
            self.follow(workspace, caught[0])
            self.answers(workspace, caught)
            self.leave(workspace, caught)
            self.desk(workspace)
        self.sums(workspace)
        return self.facts

    def make_people(self, workspace: Workspace, replaced: bool) -> None:
        """Import recipients/demo.csv with the command."""
        from newsletter.cli.demo_workspace import stopped

        said = ("--consent", "Made-up people of the demo, who were shown these made-up words")
        workspace.run("recipients", "import", str(self.root / "recipients" / "demo.csv"), "--yes", *said)
        people = self.people(workspace)
        if not people:
            raise stopped("The import said that all is well, and nobody is on the list")
        issues = len(list(self.root.glob("issues/*/issue.md")))
        themes = len(list(self.root.glob("templates/*/theme.toml")))
        self.facts |= {"people": people, "replaced": replaced}
        made = (
            f"{count(issues, 'issue')}, {count(themes, 'theme')}, {count(people, 'made-up person', 'made-up people')}"
        )
        word = "Made anew" if replaced else "Made"
        self.output.done(
            f"{word} {self.style(self.root.name + '/')}: {made}, a mail catcher. Nothing leaves this computer."
        )

    def areas(self, workspace: Workspace) -> None:
        """Load the made-up county, and place who only told a postcode."""
        loaded = workspace.run("recipients", "areas", "load", "--yes")
        placed = sum(workspace.run("recipients", "areas", "place", "--yes")["placed"].values())
        areas, postcodes = len(loaded["areas"]["new"]), loaded["postcodes"]["new"]
        self.facts |= {"areas": areas, "postcodes": postcodes, "placed": placed}
        self.output.done(
            f"Loaded a map of {count(areas, 'area')} and {count(postcodes, 'postcode')}; "
            f"{count(placed, 'person', 'people')} who only told a postcode got their ward from it"
        )

    def people(self, workspace: Workspace) -> int:
        from newsletter.cli.demo_workspace import LIST

        return int(workspace.run("recipients", "count", "--list", LIST)["will_get"])

    def check(self, workspace: Workspace) -> None:
        """Check the seed issue and write its HTML, text and .eml."""
        from newsletter.cli.demo_workspace import ISSUE

        found = workspace.run("check", ISSUE)["problems"]
        workspace.run("render", ISSUE)
        looks = sum(problem["severity"] == "warning" for problem in found)
        more = f", {looks} worth a look" if looks else ""
        self.output.done(f"Checked issues/{ISSUE}: nothing must be fixed{more}")

    def send(self, workspace: Workspace) -> None:
        """Send it, to exactly as many as were counted."""
        from newsletter.cli.demo_workspace import ISSUE, stopped

        began = time.monotonic()
        workspace.run("send", ISSUE, "--yes", "--expect", str(self.facts["people"]))
        seconds = time.monotonic() - began
        caught = len(list((self.root / "var" / "mail").glob("*.eml")))
        accepted = workspace.run("status", ISSUE)["accepted"]
        if not caught == accepted == self.facts["people"]:
            raise stopped(f"{accepted} of {self.facts['people']} people were accepted, the catcher has {caught} mails")
        self.facts |= {"accepted": accepted, "caught": caught}
        pace = self.output.style(f"({number(round(caught / seconds))} a second)", dim=True)
        self.output.done(f"Sent it to {count(caught, 'person', 'people')} over SMTP in {seconds:.1f} s {pace}")

    def follow(self, workspace: Workspace, copy: Copy) -> None:
        """Every link of one mail leads somewhere."""
        from newsletter.cli import demo_people
        from newsletter.mail.tokens import Keyring

        followed = demo_people.follow(workspace, copy, Keyring.load(self.root / "var" / "secret.key"))
        self.facts["links"] = {"pages": followed.pages, "addresses": followed.addresses, "outside": followed.outside}
        self.output.done(
            f"Followed the {followed.total} links in the mail to {copy.name}: {count(followed.pages, 'page')} of ours "
            f"answered, {count(followed.addresses, 'reply address', 'reply addresses')} signed for this person, "
            f"{followed.outside} to made-up hosts"
        )

    def answers(self, workspace: Workspace, caught: list[Copy]) -> None:
        """A few people write back, and one is out of office."""
        from newsletter.cli import demo_people
        from newsletter.cli.demo_workspace import stopped

        for copy, words in zip(caught, demo_people.ANSWERS, strict=False):
            demo_people.answer(workspace, copy, words)
        demo_people.answer(workspace, caught[len(demo_people.ANSWERS)], demo_people.AWAY, away=True)
        wrote = len(demo_people.ANSWERS)
        found = self.conversations(workspace)
        if found != wrote:
            raise stopped(f"{wrote} people wrote, but `replies list` shows {found} conversations")
        self.output.done(
            f"{wrote} people replied over SMTP: {found} conversations; an out-of-office note was put aside"
        )

    def conversations(self, workspace: Workspace) -> int:
        return len(workspace.run("replies", "list")["conversations"])

    def leave(self, workspace: Workspace, caught: list[Copy]) -> None:
        """One leaves with a click, is left out from then on, and can still write to us."""
        from newsletter.cli import demo_people
        from newsletter.cli.demo_workspace import stopped

        copy, before = caught[-1], self.conversations(workspace)
        status = demo_people.leave(copy)
        left = self.people(workspace)
        if status != 200 or left != self.facts["people"] - 1:
            raise stopped(f"{copy.to} left (the page answered {status}), but {left} people would get the next mail")
        self.output.done(
            f"{copy.name} unsubscribed with one click: the next mail goes to {count(left, 'person', 'people')}"
        )
        demo_people.answer(workspace, copy, demo_people.LATE)
        if (after := self.conversations(workspace)) != before + 1:
            raise stopped(
                f"{copy.to} wrote in after leaving, and there are {after} conversations instead of {before + 1}"
            )
        self.output.done(f"{copy.name} wrote in afterwards, and was heard: {count(after, 'conversation')}")
        self.facts |= {"left": 1, "next_time": left, "conversations": after}

    def desk(self, workspace: Workspace) -> None:
        """Whoever has waited longest is answered from the desk, in the same thread."""
        from newsletter.cli import demo_people
        from newsletter.cli.demo_workspace import stopped

        oldest = workspace.run("replies", "list")["conversations"][0]
        words = ("--version", str(oldest["version"]), "--text", demo_people.ANSWERED, "--yes")
        [sent] = workspace.run("replies", "answer", str(oldest["id"]), *words)["sent"]
        if sent["state"] != "accepted":
            raise stopped(f"The answer to {oldest['from']['address']} did not leave: {sent['words']}")
        name = oldest["from"]["name"] or oldest["from"]["address"]
        self.facts["answered"] = 1
        self.output.done(f"Answered {name} from the desk, in the same thread; it was {oldest['clock']}")

    def sums(self, workspace: Workspace) -> None:
        """The ledger's law, as `status` prints it: frozen = the sum of the states."""
        from newsletter.cli.demo_workspace import ISSUE, stopped

        status = workspace.run("status", ISSUE)
        states = (
            "pending", "leased", "inflight", "accepted", "deferred", "failed", "suppressed", "expired", "cancelled",
            "uncertain",
        )  # fmt: skip
        if status["frozen"] != sum(status[state] for state in states):
            raise stopped(f"The ledger does not add up: {status}")
        self.facts["ledger"] = {"frozen": status["frozen"], **{state: status[state] for state in states}}
        counted = " + ".join(f"{number(status[state])} {state}" for state in states if status[state])
        self.output.done(f"The ledger adds up: {number(status['frozen'])} people = {counted}")

    def style(self, text: str) -> str:
        return self.output.style(text, bold=True)

    def where_to_look(self, folder: Path) -> None:
        """Paths and commands to go on with."""
        from newsletter.cli.demo_pictures import pictures
        from newsletter.cli.demo_workspace import ISSUE

        page = self.root / "build" / ISSUE / "message.html"
        made = pictures(page)
        here = near(Path(sys.argv[0]).absolute())  # `make demo` runs it from .venv, which is on nobody's PATH
        program = "newsletter" if which("newsletter") or Path(here).name != "newsletter" else here
        self.output.say("\nWhere to look next")
        self.output.facts(
            [
                ("The mail, as HTML", near(page)),
                ("One, as it was sent", near(self.mine)),
                ("Pictures of it", "  ".join(map(near, made)) or "none: no Chromium here, and none is needed"),
                ("Read all the mail", f"{program} catch -C {folder}"),
                ("Read the answers", f"{program} replies list -C {folder}"),
                ("Serve its links", f"{program} web -C {folder}"),
                ("Change the issue", f"{program} preview -C {folder} {ISSUE}"),
                ("Start your own", f"{program} init our-news"),
            ]
        )


def near(path: Path) -> str:
    """A path as one would type it here: relative where that is shorter."""
    import os

    return min(str(path), os.path.relpath(path), key=len)
