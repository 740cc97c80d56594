"""`newsletter init` makes a folder that works at once, and never writes over one."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter import files
from newsletter.cli import init
from newsletter.config import load
from newsletter.mail.tokens import Keyring
from newsletter.sending import lock
from newsletter.sending.transports import catcher
from tests.cli.conftest import Run


def test_the_defaults_make_a_workspace_that_loads(newsletter: Run, tmp_path: Path) -> None:
    done = newsletter("init", "our-news", "--defaults")
    assert done.returncode == 0
    assert "cd our-news && newsletter new" in done.stdout
    config = load(tmp_path / "our-news")
    assert (config.mail.transport, config.site.name) == ("catcher", "Our organisation")
    assert config.mail.reply_domain == "reply.example.org"
    assert {path.name for path in config.root.iterdir()} == {
        "newsletter.toml", ".gitignore", "issues", "recipients", "templates", "var",
    }  # fmt: skip


def test_the_key_is_for_its_owner_only_and_git_never_sees_it(newsletter: Run, tmp_path: Path) -> None:
    newsletter("init", "--defaults")
    assert stat.S_IMODE((tmp_path / "var" / "secret.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
    assert Keyring.load(tmp_path / "var" / "secret.key").keys
    assert {"/var/", "/build/"} <= set((tmp_path / ".gitignore").read_text().split())


@pytest.mark.parametrize("command", [("recipients", "count"), ("list",), ("send", "none"), ("catch", "--smtp", "no")])
def test_in_a_checkout_without_var_people_lie_where_nobody_else_may_look(
    newsletter: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    newsletter("init", "--defaults")
    (tmp_path / "var" / "secret.key").unlink()
    (tmp_path / "var").rmdir()
    newsletter(*command)
    assert not (tmp_path / "var").exists() or stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700


def test_each_way_that_makes_var_makes_it_private(tmp_path: Path) -> None:
    catcher._writable(tmp_path / "one" / "mail")
    files.write_atomically(tmp_path / "two" / "secret.key", "", mode=0o600)
    with lock.sending(tmp_path / "three", "an-issue", datetime.now(UTC)):
        pass
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("one", "two", "three")} == {0o700}


def test_five_questions_are_asked_and_a_wrong_answer_is_asked_again(newsletter: Run, tmp_path: Path) -> None:
    answers = 'The "Old" Town\\Council\nnot an address\nnews@town.example\nnews.town.example\nsmtp.town.example\n\n'
    done = newsletter("init", "town", input=answers)
    assert done.returncode == 0, done.stderr
    assert [f"{number}. " in done.stdout for number in range(1, 7)] == [True] * 5 + [False]
    config = load(tmp_path / "town")
    assert config.site.name == 'The "Old" Town\\Council'
    assert config.site.url == "https://news.town.example"
    assert config.senders["office"].address == "news@town.example"
    assert (config.relay().host, config.relay().port, config.relay().tls) == ("smtp.town.example", 587, "starttls")
    assert (config.mail.transport, config.mail.reply_domain) == ("smtp", "reply.town.example")


def test_without_a_public_address_mail_stays_here_whatever_the_relay(newsletter: Run, tmp_path: Path) -> None:
    done = newsletter("init", "--defaults", "--relay", "smtp.example.org:465")
    config = load(tmp_path)
    assert (config.mail.transport, config.relay().tls) == ("catcher", "implicit")
    assert "until [site] url is an https address" in done.stdout


@pytest.mark.parametrize(
    ("option", "value"),
    [("--sender", "nobody"), ("--relay", "a b"), ("--public-address", "ftp://x"), ("--replies", "a@b"),
     ("--organisation", "two\nlines")],
)  # fmt: skip
def test_a_wrong_option_says_so_and_leaves_nothing_behind(
    newsletter: Run, tmp_path: Path, option: str, value: str
) -> None:
    done = newsletter("init", "w", "--defaults", option, value)
    assert (done.returncode, option in done.stderr) == (2, True)
    assert not (tmp_path / "w").exists()


def test_it_refuses_to_overwrite_and_changes_nothing(newsletter: Run, tmp_path: Path) -> None:
    newsletter("init", "--defaults")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = newsletter("init", "--defaults", "--organisation", "Other")
    assert (done.returncode, "[already-there]" in done.stderr) == (4, True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_lost_settings_file_does_not_cost_the_key(newsletter: Run, tmp_path: Path) -> None:
    newsletter("init", "--defaults")
    (tmp_path / "newsletter.toml").unlink()
    key = (tmp_path / "var" / "secret.key").read_bytes()
    assert newsletter("init", "--defaults").returncode == 4
    assert (tmp_path / "var" / "secret.key").read_bytes() == key


def test_a_gitignore_that_is_there_only_grows(newsletter: Run, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("node_modules/\n/var/\n")
    newsletter("init", "--defaults")
    assert (tmp_path / ".gitignore").read_text().split() == ["node_modules/", "/var/", "/build/"]


def test_an_unwritable_folder_is_a_problem(newsletter: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = newsletter("init", "file/below", "--defaults")
    assert done.returncode == 3
    assert "Must fix" in done.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux has /proc")
def test_a_folder_that_cannot_be_made_is_a_problem_and_no_bug(newsletter: Run) -> None:
    done = newsletter("init", "/proc/our-news", "--defaults")
    assert (done.returncode, "[cannot-write]" in done.stderr) == (3, True)


def test_each_question_ends_with_its_mark_and_shows_what_enter_would_say(newsletter: Run) -> None:
    done = newsletter("init", "town", input="\n" * 5)
    assert "1. What is your organisation called? [Our organisation] " in done.stdout
    assert all("?" in question for question, _ in init.QUESTIONS.values())


def test_a_script_gets_one_object(newsletter: Run) -> None:
    answer = json.loads(newsletter("init", "w", "--json").stdout)
    assert answer["ok"] and answer["answers"]["sender"] == "news@example.org"


PRINTABLE = st.text(min_size=1, max_size=60).filter(lambda text: bool(text.strip()) and text.isprintable())


@settings(max_examples=60)
@given(PRINTABLE)
def test_any_name_of_an_organisation_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    answers = {"organisation": init.one_line(name), "sender": "news@example.org", "public_address": "", "relay": "",
               "replies": "reply.example.org"}  # fmt: skip
    folder = tmp_path_factory.mktemp("w")
    (folder / "newsletter.toml").write_text(init.settings(answers), encoding="utf-8")
    assert load(folder).site.name == name.strip()


def test_every_line_of_the_first_settings_file_is_explained_or_a_setting() -> None:
    text = Path(init.__file__).with_name("init_newsletter.toml.txt").read_text()
    assert sum(line.lstrip().startswith("#") for line in text.splitlines()) > 20
