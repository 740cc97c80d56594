"""newsletter.toml is read strictly, and every mistake is named at its own line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import Config, load
from newsletter.problems import Exit, NewsletterError, Problem

GOOD = """\
[site]
name = "Our council"
postal_address = "1 Example Street"

[senders.office]
name = "The office"
address = "news@example.org"

[lists.everyone]
title = "News"
why = "You asked for it."
"""


def read(folder: Path, text: str, **environment: str) -> Config:
    (folder / "newsletter.toml").write_text(text, encoding="utf-8")
    return load(folder, environment)


def problems(folder: Path, text: str, **environment: str) -> tuple[Problem, ...]:
    with pytest.raises(NewsletterError) as caught:
        read(folder, text, **environment)
    assert caught.value.exit == Exit.CONFIG
    return caught.value.problems


def only(found: tuple[Problem, ...]) -> Problem:
    assert len(found) == 1, found
    return found[0]


def test_every_value_knows_where_it_came_from(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD, NEWSLETTER_SITE__LANGUAGE="cy")
    assert config.origins["site.name"] == "newsletter.toml:2"
    assert config.origins["senders.office.address"] == "newsletter.toml:7"
    assert config.origins["mail.transport"] == "default"
    assert config.origins["site.language"] == "NEWSLETTER_SITE__LANGUAGE"
    assert config.site.language == "cy"


def test_the_workspace_is_found_from_a_folder_deep_inside(tmp_path: Path) -> None:
    read(tmp_path, GOOD)
    deep = tmp_path / "issues" / "2026-01-01-hello" / "images"
    deep.mkdir(parents=True)
    assert load(deep).root == tmp_path


def test_no_workspace_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NewsletterError) as caught:
        load(tmp_path)
    assert caught.value.exit == Exit.CONFIG
    assert only(caught.value.problems).code == "no-workspace"
    assert "newsletter init" in caught.value.problems[0].hint


def test_a_misspelt_key_is_named_with_its_line_and_the_nearest_right_one(tmp_path: Path) -> None:
    found = only(problems(tmp_path, GOOD + '\n[mail]\ntransprot = "smtp"\n'))
    assert (found.code, found.hint) == ("unknown-key", "did you mean transport?")
    assert str(found.where) == "newsletter.toml:14:1"
    assert found.where and found.where.source == 'transprot = "smtp"' and found.where.end_column == 10


def test_a_misspelt_section_is_named_too(tmp_path: Path) -> None:
    found = only(problems(tmp_path, GOOD + "\n[mial]\n"))
    assert (found.code, found.hint) == ("unknown-key", "did you mean mail?")


def test_several_mistakes_are_said_at_once(tmp_path: Path) -> None:
    text = GOOD + '\n[mail]\ntransport = "pigeon"\n[relays.main]\nport = "25"\n'
    found = problems(tmp_path, text)
    assert {(problem.code, problem.where.line if problem.where else 0) for problem in found} == {
        ("bad-value", 14),
        ("missing-key", 15),
        ("bad-value", 16),
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [("[site\n", 1), ("[site]\nname = Our council\n", 2), ('[site]\nname = "a"\nname = "b"\n', 3), ('x = "', 1)],
)
def test_broken_toml_is_a_problem_at_its_line_and_no_traceback(tmp_path: Path, text: str, line: int) -> None:
    found = only(problems(tmp_path, text))
    assert found.code == "bad-config"
    assert found.where and found.where.line == line


def test_two_settings_on_one_line_get_the_hint_that_helps(tmp_path: Path) -> None:
    both = GOOD.replace('"Our council"\npostal', '"Our council" postal')
    found = only(problems(tmp_path, both))
    assert found.code == "bad-config" and found.hint.startswith("One setting a line: begin a new line here.")
    assert found.where is not None and (found.where.line, found.where.source) == (2, both.splitlines()[1])
    assert both.splitlines()[1][(found.where.column or 0) - 1 :].startswith("postal_address")


def test_a_file_in_another_encoding_says_so(tmp_path: Path) -> None:
    (tmp_path / "newsletter.toml").write_bytes(GOOD.replace("Our", "Où").encode("latin-1"))
    with pytest.raises(NewsletterError) as caught:
        load(tmp_path)
    assert "UTF-8" in caught.value.problems[0].message


def test_the_mark_that_windows_notepad_writes_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "newsletter.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(tmp_path).site.name == "Our council"


@pytest.mark.parametrize(
    ("more", "code", "line"),
    [
        ('[mail]\ntransport = "smtp"\n', "no-relay", 14),
        ('[mail]\nreply_domain = "not a domain"\n', "bad-value", 14),
        ('[mail]\nseparator = "x"\n', "bad-value", 14),
        ('[catch]\nsmtp = "1025"\n', "bad-value", 14),
        ('[catch]\nweb = "127.0.0.1:99999"\n', "bad-value", 14),
        ("[relays.main]\nhost = 'h'\nport = 0\n", "bad-value", 15),
        ("[relays.main]\nhost = 'h'\nconnections = 0\n", "bad-value", 15),
        ('[fields.email]\ntype = "text"\n', "bad-field-name", 13),
        ('[fields."first name"]\ntype = "text"\n', "bad-field-name", 13),
        ('[lists."All residents"]\ntitle = "t"\nwhy = "w"\n', "bad-list-name", 13),
        ('[senders.x]\nname = "x"\naddress = "no at sign"\n', "bad-value", 15),
        ('[emergency.x]\ntext = "Call 999."\nsender = "nobody"\n', "bad-value", 15),
        ("[replies]\nhours = 0\n", "bad-value", 14),
        ('[senders.x]\nname = "x\\nBcc: all"\naddress = "a@example.org"\n', "bad-value", 14),
    ],
)
def test_what_cannot_work_is_named_at_its_line(tmp_path: Path, more: str, code: str, line: int) -> None:
    found = [problem for problem in problems(tmp_path, GOOD + "\n" + more) if problem.code == code]
    assert [problem.where.line for problem in found if problem.where] == [line]


def test_nothing_answers_by_itself_before_the_emergency_words_are_there(tmp_path: Path) -> None:
    url = GOOD.replace("[senders", 'url = "https://news.example.org"\n[senders', 1)
    smtp = url + '\n[mail]\ntransport = "smtp"\n[relays.main]\nhost = "h"\n[replies]\nacknowledge = true\n'
    assert only(problems(tmp_path, smtp)).code == "no-emergency-words"
    assert read(tmp_path, smtp + '[emergency.words]\ntext = "Call 999."\n').replies.acknowledge
    in_welsh = smtp + '[emergency.words]\ntext = "Ffoniwch 999."\nlanguage = "cy"\n'
    assert only(problems(tmp_path, in_welsh)).code == "no-emergency-words"
    two = '[senders.other]\nname = "Police"\naddress = "police@example.org"\n' + '[emergency.a]\ntext = "Call 101."\n'
    of_one = smtp + two + 'sender = "other"\n'
    assert only(problems(tmp_path, of_one)).code == "no-emergency-words"
    assert read(tmp_path, of_one + '[emergency.words]\ntext = "Call 999."\n').replies.acknowledge


def test_real_mail_needs_a_public_https_address(tmp_path: Path) -> None:
    smtp = GOOD + '\n[mail]\ntransport = "smtp"\n[relays.main]\nhost = "mail.example.org"\n'
    assert only(problems(tmp_path, smtp)).code == "needs-https"
    http = smtp.replace("[senders", 'url = "http://news.example.org"\n[senders', 1)
    assert only(problems(tmp_path, http)).where == only(problems(tmp_path, http)).where
    assert read(tmp_path, http.replace("http://", "https://")).base_url == "https://news.example.org"


def test_a_password_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    text = GOOD + "\n[relays.main]\nhost = 'h'\npassword = 'hunter2'\n"
    found = only(problems(tmp_path, text))
    assert found.code == "secret-in-config"
    assert "hunter2" not in repr(found)


def test_a_password_comes_from_the_environment_or_a_file_and_never_shows(tmp_path: Path) -> None:
    text = GOOD + "\n[relays.main]\nhost = 'h'\npassword_file = 'var/relay-password'\n"
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "relay-password").write_text("from the file\n")
    assert read(tmp_path, text).relay().secret() == "from the file"
    config = read(tmp_path, text, NEWSLETTER_RELAYS__MAIN__PASSWORD="from outside")
    assert config.relay().secret() == "from outside"
    assert "from outside" not in repr(config)


def test_a_missing_password_file_is_a_problem(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD + "\n[relays.main]\nhost = 'h'\npassword_file = 'nowhere'\n")
    with pytest.raises(NewsletterError) as caught:
        config.relay().secret()
    assert only(caught.value.problems).code == "no-password-file"


def test_a_variable_can_make_a_whole_relay(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD, NEWSLETTER_RELAYS__MAIN__HOST="mail", NEWSLETTER_RELAYS__MAIN__PORT="587")
    assert (config.relay().host, config.relay().port) == ("mail", 587)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NEWSLETTER_MIAL__TRANSPORT", "smtp"),
        ("NEWSLETTER_MAIL__TRANSPROT", "smtp"),
        ("NEWSLETTER_MAIL__TRANSPORT", "pigeon"),
        ("NEWSLETTER_RELAYS__MAIN__PORT", "many"),
    ],
)
def test_a_wrong_variable_is_never_silent(tmp_path: Path, variable: str, value: str) -> None:
    found = problems(tmp_path, GOOD + "\n[relays.main]\nhost = 'h'\n", **{variable: value})
    assert variable in str(only(found).where)


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD, NEWSLETTER_CHROMIUM="/usr/bin/x", PATH="/bin").mail.transport == "catcher"


@given(st.text(max_size=200))
def test_any_text_is_either_read_or_a_problem(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "newsletter.toml").write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(NewsletterError) as caught:
        load(folder)
    assert all(problem.message and problem.where for problem in caught.value.problems)


VALUES = st.one_of(st.text(max_size=20), st.integers(), st.booleans(), st.lists(st.integers(), max_size=2))


@given(st.sampled_from(["site.language", "site.url", "mail.separator", "catch.smtp", "images.carry"]), VALUES)
def test_any_value_of_any_kind_is_either_taken_or_a_problem(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    import json

    section, name = key.split(".")
    folder = tmp_path_factory.mktemp("value")
    toml = json.dumps(value).replace("\x7f", "")
    more = f"{name} = {toml}\n"
    text = GOOD.replace("[senders", more + "\n[senders", 1) if section == "site" else f"{GOOD}\n[{section}]\n{more}"
    (folder / "newsletter.toml").write_text(text, encoding="utf-8", errors="replace")
    try:
        load(folder)
    except NewsletterError as error:
        assert error.exit == Exit.CONFIG
