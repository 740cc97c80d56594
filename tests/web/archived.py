"""Messages of a workspace as the archive knows them: written, approved, or in somebody's mailbox."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from tests.workspace import Workspace

SLUG = "2026-11-24-worry"
ISSUE = """\
---
subject: Is it you?
preheader: What worries you about your street?
from: council
audience: [all-residents]
archive: public
{more}---

# Is it you?

Hello {{{{ first_name or "neighbour" }}}}, {words}

![A dot](images/dot.png)

:::only{{ward="Stone"}}
The road in Stone is closed.
:::

::reply[Tell us what you think]
"""


def written(workspace: Workspace, slug: str = SLUG, words: str = "something happened.", more: str = "") -> None:
    """The folder of an issue; `more` are lines of its front matter."""
    workspace.write(f"issues/{slug}/issue.md", ISSUE.format(more=more, words=words))
    picture = BytesIO()
    Image.new("RGB", (320, 80), "#0b5679").save(picture, "PNG")
    workspace.write(f"issues/{slug}/images/dot.png", picture.getvalue())


def approved(workspace: Workspace, slug: str = SLUG, words: str = "something happened.", more: str = ""):  # type: ignore[no-untyped-def]
    """Frozen for everybody on its lists; nobody has got it yet."""
    from newsletter.cli.sending_issue import prepare, public_copies
    from newsletter.rendering.model import Mode
    from newsletter.sending import mailings

    written(workspace, slug, words, more)
    config = workspace.config
    workspace.people("ameera@home.example", first_name="Ameera")
    prepared = prepare(config, workspace.root / "issues" / slug, Mode.SEND)
    return mailings.approve(config, prepared.renders, prepared.issue, public=public_copies(config, prepared))


def sent(workspace: Workspace, slug: str = SLUG, words: str = "something happened.", more: str = ""):  # type: ignore[no-untyped-def]
    """The same, and everybody has got it."""
    from newsletter.sending import mailings
    from tests.sending.steps import put

    mailing = approved(workspace, slug, words, more)
    mailings.start(mailing)
    put("accepted")
    return mailing
