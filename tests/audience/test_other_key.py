"""Whoever was erased is known by a hash under the secret key; under another key nobody is let in by mistake."""

from __future__ import annotations

import pytest

from newsletter.audience import never
from newsletter.audience.models import Subscriber
from newsletter.mail.tokens import Keyring
from newsletter.problems import NewsletterError
from newsletter.replies import forgetting
from tests.workspace import Workspace

GONE = "gone@home.example"
BASIS = ("--list", "all-residents", "--yes", "--basis", "a task under the law of 1999")


@pytest.fixture
def replaced(workspace: Workspace) -> str:
    """Somebody was erased, and then another key file was put in place of ours; the text of ours."""
    workspace.people(GONE, "sam@home.example")
    forgetting.forget(forgetting.plan(GONE), "us")
    path = workspace.root / "var" / "secret.key"
    before = path.read_text(encoding="ascii")
    path.unlink()
    Keyring.create(path)
    workspace.write("people.csv", f"email\n{GONE}\n")
    return before


def test_nobody_is_imported_added_or_sent_to_under_another_key(workspace: Workspace, replaced: str) -> None:
    with pytest.raises(NewsletterError, match="another key"):
        never.found(GONE)
    with pytest.raises(NewsletterError, match="another key"):
        never.sweep()  # which every freeze begins with
    for words in (("recipients", "import", "people.csv", *BASIS), ("doctor",)):
        ran = workspace.run(*words)
        assert ran.exit != 0 and "other-key" in ran.out + ran.err, ran.out + ran.err
    assert Subscriber.objects.get().canonical == "sam@home.example"


def test_the_right_key_beside_the_new_one_is_enough(workspace: Workspace, replaced: str) -> None:
    path = workspace.root / "var" / "secret.key"
    new = Keyring.load(path).keys[1].hex()
    path.write_text(f"{replaced}2 {new}\n", encoding="ascii")
    assert never.found(GONE)
    ran = workspace.run("recipients", "import", "people.csv", *BASIS)
    assert ran.exit == 0 and "1 erased" in ran.out, ran.out + ran.err
    forgetting.forget(forgetting.plan("sam@home.example"), "us")
    assert never.found("sam@home.example") and not Subscriber.objects.exists()


def test_a_key_that_is_lost_for_good_must_be_said_to_be_so(workspace: Workspace, replaced: str) -> None:
    ran = workspace.run("recover", "--key-lost")
    assert ran.exit == 4 and "must-be-agreed" in ran.err
    ran = workspace.run("recover", "--key-lost", "--yes")
    assert ran.exit == 0 and "Up to 1 erased person cannot be told" in ran.out, ran.out + ran.err
    assert never.found(GONE) is None
    assert "nothing to recover" in workspace.run("recover", "--key-lost").out


def test_without_anybody_erased_another_key_is_no_matter(workspace: Workspace) -> None:
    path = workspace.root / "var" / "secret.key"
    path.unlink()
    Keyring.create(path)
    assert never.found(GONE) is None and never.sweep() == 0
