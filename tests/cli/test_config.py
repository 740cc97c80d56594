"""`newsletter config show`: every value, where it came from, and never a secret."""

from __future__ import annotations

import json

from newsletter.config import SECTIONS
from tests.workspace import Workspace

RELAY = '\n[relays.main]\nhost = "mail.example.org"\n[themes.alert]\ncolour = "#123456"\n'


def test_every_value_is_shown_with_where_it_came_from(folder: Workspace) -> None:
    answer = json.loads(folder.run("config", "show", "--json").out)
    values = answer["values"]
    assert values["site.name"] == {"value": "Example Council", "origin": "newsletter.toml:2"}
    assert values["mail.transport"] == {"value": "catcher", "origin": "default"}
    assert {key.split(".")[0] for key in values} >= {*SECTIONS, "senders", "lists", "fields"}


def test_a_variable_is_named_as_the_origin(folder: Workspace, monkeypatch: object) -> None:
    monkeypatch.setenv("NEWSLETTER_SITE__LANGUAGE", "cy")  # type: ignore[attr-defined]
    value = json.loads(folder.run("config", "show", "--json").out)["values"]["site.language"]
    assert value == {"value": "cy", "origin": "NEWSLETTER_SITE__LANGUAGE"}


def test_a_secret_is_never_printed(folder: Workspace, monkeypatch: object) -> None:
    (folder.root / "newsletter.toml").write_text((folder.root / "newsletter.toml").read_text() + RELAY)
    monkeypatch.setenv("NEWSLETTER_RELAYS__MAIN__PASSWORD", "hunter2")  # type: ignore[attr-defined]
    for words in (("config", "show"), ("config", "show", "relays"), ("config", "show", "--json")):
        done = folder.run(*words)
        assert done.exit == 0
        assert "hunter2" not in done.out + done.err
        assert "(set, not shown)" in done.out


def test_what_a_theme_chose_is_shown_too(folder: Workspace) -> None:
    values = json.loads(folder.run("config", "show", "--json").out)["values"]
    assert values["themes.alert.accent"] == {"value": "#0b5d77", "origin": "theme.toml"}
    assert values["themes.alert.emergency_line"]["value"] is True


def test_options_of_a_theme_are_settings_too(folder: Workspace) -> None:
    (folder.root / "newsletter.toml").write_text((folder.root / "newsletter.toml").read_text() + RELAY)
    done = folder.run("config", "show", "themes")
    assert "themes.alert.colour" in done.out and "#123456" in done.out


def test_a_section_that_does_not_exist_gets_a_suggestion(folder: Workspace) -> None:
    done = folder.run("config", "show", "mial")
    assert (done.exit, "did you mean mail?" in done.err) == (2, True)
