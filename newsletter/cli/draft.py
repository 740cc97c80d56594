"""What `status` and `report` answer for an issue that is still a draft: that nothing was sent, and what comes next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from newsletter.cli.output import Output, print_json, visible
from newsletter.config import Config
from newsletter.problems import Exit


def tell(output: Output, config: Config, folder: Path, as_json: bool) -> int:
    """Say it calmly: a draft is no problem. As JSON the names are those of `status --json`, all of them 0."""
    from newsletter.sending.models import Approval, Delivery

    slug = folder.name
    read_by = list(Approval.objects.filter(slug=slug).order_by("at").values_list("by", flat=True).distinct())
    second = config.sending.approvals > 0 and not read_by
    step = f"newsletter approve {slug}" if second else f"newsletter send {slug}"
    if as_json:
        nobody: dict[str, Any] = dict.fromkeys(Delivery.State.values, 0)
        print_json((), mailing=None, issue=slug, state="draft", frozen=0, **nobody, read_by=read_by, next=step)
        return Exit.FINE
    output.say(f"{output.style(slug, bold=True)}  Draft")
    output.say("  It has not been approved, and nothing of it has been sent.")
    if read_by:
        output.say(f"  Read by {visible(', '.join(read_by))}, who said yes; a later change asks anew.")
    if second:
        output.next(step, "a colleague reads it and says yes, from another account")
        output.next(f"newsletter send {slug}", "then: says how many people, and asks")
    else:
        output.next(f"newsletter check {slug}", "finds what must be fixed before it goes")
        output.next(step, "says how many people, and asks before anything leaves")
    return Exit.FINE
