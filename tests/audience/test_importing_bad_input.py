"""Whatever a spreadsheet program, a mail program or a slip of the hand makes of a file: said in words, nobody lost."""

from __future__ import annotations

import os
import re
import tomllib
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from newsletter.audience import importing
from newsletter.problems import NewsletterError, Severity
from tests.workspace import Workspace

PERSON = "sam@example.org,Sam\n"


def plan_of(workspace: Workspace, data: str | bytes, list_key: str = "all-residents") -> importing.Plan:
    return importing.plan(workspace.write("recipients/people.csv", data), workspace.config, list_key)


def refusal(workspace: Workspace, data: str | bytes, list_key: str = "all-residents") -> tuple[str, str, str]:
    with pytest.raises(NewsletterError) as caught:
        plan_of(workspace, data, list_key)
    [problem] = caught.value.problems
    return problem.code, problem.message, problem.hint


def names(workspace: Workspace, data: str | bytes) -> list[tuple[str, str]]:
    """Import and return (address, first name) of everybody, by address."""
    from newsletter.audience.models import Subscriber

    done = importing.run(plan_of(workspace, data))
    assert done.counts.adds_up
    return list(Subscriber.objects.order_by("canonical").values_list("address", "first_name"))


def codes(plan: importing.Plan) -> list[str]:
    return [problem.code for problem in plan.problems]


@pytest.mark.parametrize(
    ("encoding", "delimiter", "ending"),
    [
        ("utf-8", ",", "\n"),
        ("utf-8-sig", ",", "\r\n"),
        ("utf-8-sig", ";", "\r\n"),
        ("utf-8", "\t", "\r\n"),
        ("utf-16", "\t", "\r\n"),
        ("utf-16-le", "\t", "\r\n"),
        ("utf-16-be", ";", "\n"),
        ("utf-8", ",", "\r"),
        ("utf-8", "|", "\n"),
    ],
    ids=lambda value: repr(value).strip("'"),
)
def test_every_way_a_spreadsheet_saves_text_is_understood(
    workspace: Workspace, encoding: str, delimiter: str, ending: str
) -> None:
    rows = ["email,first_name", "sian@example.org,Siân", "pawel@example.org,Paweł", "ayesha@example.org,عائشہ"]
    data = ending.join(row.replace(",", delimiter) for row in rows).encode(encoding)  # and no line end after the last
    assert names(workspace, data) == [
        ("ayesha@example.org", "عائشہ"),
        ("pawel@example.org", "Paweł"),
        ("sian@example.org", "Siân"),
    ]


def test_windows_1252_is_read_and_said(workspace: Workspace) -> None:
    data = "E-mail;First name\r\nsian@example.org;Siân\r\ndarcy@example.org;D’Arcy\r\nzoe@example.org;Zoë\r\n".encode(
        "cp1252"
    )
    plan = plan_of(workspace, data)
    assert (plan.encoding, plan.delimiter) == ("Windows-1252", "semicolons")
    assert codes(plan) == ["encoding-guessed", "column-understood"]
    assert [person["first_name"] for person in plan.preview] == ["Siân", "D’Arcy", "Zoë"]


def test_a_letter_in_another_encoding_refuses_its_row_only(workspace: Workspace) -> None:
    good = "".join(f"p{n}@example.org,Siân\n" for n in range(5)).encode()
    plan = plan_of(workspace, b"email,first_name\n" + good + "odd@example.org,Zoë\n".encode("latin-1"))
    assert (plan.counts.new, plan.counts.refused, codes(plan)) == (5, 1, ["undecodable"])
    assert plan.problems[0].message.startswith("Row 7, first_name:")


def test_excels_own_sep_line_names_the_delimiter(workspace: Workspace) -> None:
    assert names(workspace, "sep=;\r\nemail;first_name\r\nsam@example.org;Sam\r\n") == [("sam@example.org", "Sam")]


@pytest.mark.parametrize("title", ["email", "E-mail", "EMAIL ADDRESS", "E-Mail Address", "Mail", " email "])
def test_a_column_is_known_by_any_usual_name(workspace: Workspace, title: str) -> None:
    assert names(workspace, f"{title},First Name\nsam@example.org,Sam") == [("sam@example.org", "Sam")]


@pytest.mark.parametrize(
    "heading",
    [
        "E-Mail;Vorname;Nachname;Sprache",
        "E-Mail-Adresse;Vorname;Name;Sprache",
        "Adres e-mail;Imię;Nazwisko;Język",
        "Courriel;Prénom;Nom;Langue",
        "Adresse e-mail;Pre\u0301nom;Nom de famille;Langue",  # the accent as a letter of its own, as a Mac writes it
        "Correo electrónico;Nombre;Apellidos;Idioma",
        "E-bost;Enw cyntaf;Cyfenw;Iaith",
        "ای میل;پہلا نام;خاندانی نام;زبان",
    ],
)
def test_headings_in_other_languages_are_understood(workspace: Workspace, heading: str) -> None:
    [person] = plan_of(workspace, f"{heading}\nzosia@example.org;Zosia;Łuczak;pl\n").preview
    assert (person["email"], person["first_name"], person["last_name"]) == ("zosia@example.org", "Zosia", "Łuczak")
    assert person["language"] == "pl"


@pytest.mark.parametrize("heading", ["Name", "Nom", "Nombre", "Imię i nazwisko", "Enw"])
def test_a_name_alone_is_the_whole_name(workspace: Workspace, heading: str) -> None:
    [person] = plan_of(workspace, f"email;{heading}\nsam@example.org;Sam Okafor\n").preview
    assert person["name"] == "Sam Okafor"


def test_an_english_name_beside_a_first_name_stays_the_whole_name(workspace: Workspace) -> None:
    [person] = plan_of(workspace, "email,First name,Name\nsam@example.org,Sam,Sam Okafor\n").preview
    assert (person["first_name"], person["name"]) == ("Sam", "Sam Okafor")


def test_a_field_of_ones_own_goes_before_another_languages_word(workspace: Workspace) -> None:
    workspace.toml('[fields.tongue]\ntitle = "Sprache"\n')
    [person] = plan_of(workspace, "email,Sprache\nsam@example.org,Urdu\n").preview
    assert (person["language"], person["attributes"]) == ("", {"tongue": "Urdu"})


def test_all_headings_that_were_understood_make_one_note(workspace: Workspace) -> None:
    [note] = plan_of(workspace, "E-Mail;Vorname;Name\nsam@example.org;Sam;Okafor\n").problems
    assert note.message == "Read ‘E-Mail’ as ‘email’, ‘Vorname’ as ‘first_name’, ‘Name’ as ‘last_name’"


@pytest.mark.parametrize("name", ["windows-1250", "Windows 1250", "cp1250"])
def test_the_encoding_can_be_told(workspace: Workspace, name: str) -> None:
    data = "Adres e-mail;Imię\r\nłukasz@example.org;Łukasz\r\n".encode("cp1250")
    path = workspace.write("recipients/people.csv", data)
    plan = importing.plan(path, workspace.config, "all-residents", encoding=name)
    assert plan.encoding == "Windows-1250"
    assert [person["first_name"] for person in plan.preview] == ["Łukasz"]
    assert "encoding-guessed" not in codes(plan)


@pytest.mark.parametrize("name", ["klingon", "unicode_escape", "base64", "utf-7", "x" * 300, "a\0b"])
def test_an_encoding_that_is_none_is_said(workspace: Workspace, name: str) -> None:
    path = workspace.write("recipients/people.csv", PERSON)
    with pytest.raises(NewsletterError) as caught:
        importing.plan(path, workspace.config, "all-residents", encoding=name)
    assert [problem.code for problem in caught.value.problems] == ["unknown-encoding"]


def test_a_guessed_encoding_names_the_way_to_tell_it(workspace: Workspace) -> None:
    plan = plan_of(workspace, "email;Imię\r\nzosia@example.org;Żaneta\r\n".encode("cp1250"))
    assert "--encoding windows-1250" in plan.problems[0].hint


def test_a_file_without_the_address_column_says_what_it_has(workspace: Workspace) -> None:
    assert refusal(workspace, "First name,Ward\nSam,North\n")[:2] == (
        "no-email-column",
        "Your file needs a column called ‘email’. Right now it has ‘First name’, ‘Ward’",
    )


def test_a_file_without_a_header_is_told_from_a_file_with_one(workspace: Workspace) -> None:
    assert refusal(workspace, PERSON)[0] == "no-header"


def test_two_columns_of_one_meaning_are_refused(workspace: Workspace) -> None:
    code, message, _ = refusal(workspace, "email,E-mail address\na@example.org,b@example.org\n")
    assert (code, message) == ("doubled-column", "Two columns are both ‘email’: ‘email’ and ‘E-mail address’")


def test_an_undeclared_column_is_left_out_with_the_line_that_would_keep_it(workspace: Workspace) -> None:
    plan = plan_of(workspace, "email,Shoe size\nsam@example.org,43\n")
    [problem] = plan.problems
    assert (problem.code, problem.severity) == ("undeclared-column", Severity.WARNING)
    assert "first [fields.shoe_size] and below it" in problem.hint
    assert 'title = "Shoe size"' in problem.hint


def test_the_line_that_would_keep_a_column_is_good_toml(workspace: Workspace) -> None:
    [problem] = plan_of(workspace, 'email,"Größe ""neu"" "\nsam@example.org,43\n').problems
    section, line = re.findall(r"(\[fields\.\S+\]) and below it (title = .+)", problem.hint)[0]
    assert tomllib.loads(f"{section}\n{line}\n") == {"fields": {"groe_neu": {"title": "Größe 'neu'"}}}


def test_a_misspelt_column_gets_the_nearest_right_name(workspace: Workspace) -> None:
    assert "did you mean ward" in plan_of(workspace, "email,Wardd\nsam@example.org,North\n").problems[0].hint


@pytest.mark.parametrize(
    "data", [b"", b"\n\n\r\n", b"\xef\xbb\xbf", b"   \n"], ids=["nothing", "line ends", "a BOM", "blanks"]
)
def test_an_empty_file_is_said(workspace: Workspace, data: bytes) -> None:
    assert refusal(workspace, data)[0] == "empty-file"


def test_a_heading_without_people_is_said(workspace: Workspace) -> None:
    code, message, _ = refusal(workspace, "email,first_name\r\n")
    assert (code, message) == ("no-rows", "recipients/people.csv holds nobody: it has a heading and no rows")


def test_a_workbook_is_named_with_the_way_out(workspace: Workspace) -> None:
    path = workspace.write("recipients/people.csv", b"")
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("[Content_Types].xml", "<Types/>")
    code, message, hint = refusal(workspace, path.read_bytes())
    assert (code, message) == (
        "spreadsheet-not-csv",
        "recipients/people.csv is a workbook of another kind (ODS) or an archive, not a CSV file",
    )
    assert "save it as “CSV UTF-8" in hint


@pytest.mark.parametrize(
    "data", [b"%PDF-1.7\n...", b"\x89PNG\r\n\x1a\n" + bytes(200), bytes(range(256)) * 40, b"\x00" * 5000 + b"x"]
)
def test_a_file_that_is_no_text_is_not_read_as_people(workspace: Workspace, data: bytes) -> None:
    assert refusal(workspace, data)[0] in ("not-a-table", "empty-file")


def test_a_missing_file_and_a_folder_are_told_apart(workspace: Workspace) -> None:
    workspace.write("recipients/demo.csv", "email\n")
    for name, code in (("recipients/dmeo.csv", "no-such-file"), ("recipients", "not-a-file")):
        with pytest.raises(NewsletterError) as caught:
            importing.plan(workspace.root / name, workspace.config, "all-residents")
        assert caught.value.problems[0].code == code


def test_a_pipe_is_not_waited_for(workspace: Workspace) -> None:
    os.mkfifo(workspace.root / "pipe")
    with pytest.raises(NewsletterError) as caught:
        importing.plan(workspace.root / "pipe", workspace.config, "all-residents")
    assert caught.value.problems[0].code == "not-a-file"


def test_a_link_to_a_file_elsewhere_may_be_read(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "people.csv"
    outside.write_text("email\nsam@example.org\n")
    (workspace.root / "recipients").mkdir()
    link = workspace.root / "recipients" / "link.csv"
    link.symlink_to(outside)
    assert importing.plan(link, workspace.config, "all-residents").counts.new == 1


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("", "there is no address"),
        ("sam", ""),
        ("sam@", ""),
        ("@example.org", ""),
        ("sam@example", "dot"),
        ("sam@example.org; jo@example.org", "more than one @"),
        ("Sam <sam@example.org>", "angle brackets"),
        ("sam@exam ple.org", ""),
        ("a" * 65 + "@example.org", ""),
        ("sam@" + "a" * 250 + ".example", ""),
        ("sam..jo@example.org", ""),
    ],
)
def test_a_malformed_address_is_refused_with_row_column_and_caret(workspace: Workspace, cell: str, words: str) -> None:
    plan = plan_of(workspace, f'first_name,email\nJo,jo@example.org\nSam,"{cell}"\n')
    [problem] = plan.problems
    assert (problem.code, plan.counts.new, plan.counts.refused) == ("bad-address", 1, 1)
    assert problem.message.startswith("Row 3, email: ")
    assert words in problem.message
    assert problem.where is not None
    assert (problem.where.file, problem.where.line) == ("recipients/people.csv", 3)
    if cell:
        assert problem.where.source[problem.where.column - 1 :].startswith(cell[:400])  # type: ignore[operator]


def test_an_unquoted_comma_is_refused_with_its_row(workspace: Workspace) -> None:
    plan = plan_of(workspace, "first_name,email\nSmith, Sam,sam@example.org\nJo,jo@example.org\n")
    [problem] = plan.problems
    assert (problem.code, plan.counts.new) == ("too-many-cells", 1)
    assert "Row 2" in problem.message and "3 cells for 2 columns" in problem.message


def test_cells_that_excel_leaves_out_at_the_end_of_a_row_are_empty(workspace: Workspace) -> None:
    data = "email,first_name,ward,,\nsam@example.org\njo@example.org,Jo,,,\n,,,,\n\n"
    assert names(workspace, data) == [("jo@example.org", "Jo"), ("sam@example.org", "")]


@pytest.mark.parametrize("letter", ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\u2028"])
def test_an_invisible_control_character_refuses_its_row(workspace: Workspace, letter: str) -> None:
    plan = plan_of(workspace, f"email,first_name\nsam@example.org,S{letter}m\njo@example.org,Jo\n")
    assert (plan.counts.new, plan.counts.refused, codes(plan)) == (1, 1, ["invisible-character"])
    assert f"U+{ord(letter):04X}" in plan.problems[0].message


def test_right_to_left_marks_and_joiners_are_text(workspace: Workspace) -> None:
    name = "می\u200cخواهم\u200f"
    assert names(workspace, f"email,first_name\nsam@example.org,{name}\n") == [("sam@example.org", name)]


def test_a_stray_quote_refuses_its_own_row_and_eats_no_other(workspace: Workspace) -> None:
    rows = "".join(f"p{n}@example.org,Pat\n" for n in range(3000))
    plan = plan_of(workspace, f'email,first_name\nsam@example.org,"Sam\n{rows}')
    assert (plan.counts.new, plan.counts.refused, codes(plan)) == (3000, 1, ["stray-quote"])
    assert plan.problems[0].where is not None and plan.problems[0].where.line == 2


def test_two_stray_quotes_that_close_each_other_eat_nobody(workspace: Workspace) -> None:
    plan = plan_of(workspace, 'first_name,email\n"Sam,sam@example.org\nJo,jo@example.org\nAnn",ann@example.org\n')
    assert plan.counts.new + plan.counts.refused == 3
    assert plan.counts.new >= 2 and "stray-quote" in codes(plan)


def test_a_cell_with_line_breaks_is_one_cell(workspace: Workspace) -> None:
    assert names(workspace, 'first_name,email\r\n"Sam\r\nand Jo",sam@example.org\r\n') == [
        ("sam@example.org", "Sam and Jo")
    ]


def test_a_file_whose_quotes_are_all_broken_stops(workspace: Workspace) -> None:
    data = "email,first_name\n" + "".join(f'p{n}@example.org,"Pat\n' for n in range(2501) if n)
    with pytest.raises(NewsletterError) as caught:
        plan_of(workspace, data + 'x"\n')
    assert caught.value.problems[0].code == "stray-quotes"


@pytest.mark.parametrize("ends", ["\n", '"\n'], ids=["open", "closed"])
def test_a_cell_of_ten_megabytes_refuses_its_row_only(workspace: Workspace, ends: str) -> None:
    opening = '"' if ends.startswith('"') else ""
    data = f"email,first_name\nsam@example.org,{opening}{'x' * 10_000_000}{ends}jo@example.org,Jo\n"
    plan = plan_of(workspace, data)
    assert (plan.counts.new, plan.counts.refused, codes(plan)) == (1, 1, ["cell-too-long"])


def test_a_name_longer_than_its_column_is_refused_not_cut(workspace: Workspace) -> None:
    plan = plan_of(workspace, f"email,first_name\nsam@example.org,{'x' * 201}\nmax@example.org,{'x' * 200}\n")
    assert (plan.counts.new, codes(plan)) == (1, ["cell-too-long"])


def test_an_unknown_list_is_refused_with_the_nearest_right_one(workspace: Workspace) -> None:
    plan = plan_of(workspace, "email,lists\nsam@example.org,montly\njo@example.org,The monthly letter\n", "")
    assert (plan.counts.new, codes(plan), plan.problems[0].hint) == (1, ["unknown-list"], "did you mean monthly?")


def test_a_file_that_names_no_list_asks_which(workspace: Workspace) -> None:
    code, _, hint = refusal(workspace, "email\nsam@example.org\n", "")
    assert code == "no-list" and "--list KEY" in hint and "all-residents, monthly" in hint


@pytest.mark.parametrize(
    ("cell", "stored"),
    [
        ("2026-12-08", "2026-12-08"),
        ("08/12/2026", "2026-12-08"),
        ("8.12.2026", "2026-12-08"),
        ("2026-12-08 00:00:00", "2026-12-08"),
    ],
)
def test_a_date_is_kept_as_year_month_day(workspace: Workspace, cell: str, stored: str) -> None:
    assert plan_of(workspace, f"email,meeting\nsam@example.org,{cell}\n").preview[0]["attributes"] == {
        "meeting": stored
    }


@pytest.mark.parametrize("cell", ["soon", "31/02/2026", "2026-13-01", "12/2026", "46364"])
def test_what_is_no_date_refuses_its_row(workspace: Workspace, cell: str) -> None:
    assert codes(plan_of(workspace, f"email,meeting\nsam@example.org,{cell}\n")) == ["bad-date-cell"]


def test_a_language_by_name_is_understood_and_nonsense_is_left_out_and_said(workspace: Workspace) -> None:
    plan = plan_of(workspace, "email,language\na@example.org,Welsh\nb@example.org,EN_gb\nc@example.org,Klingon!\n")
    assert [person["language"] for person in plan.preview] == ["cy", "en-GB", ""]
    [problem] = plan.problems
    assert (problem.code, problem.affected) == ("unknown-language", 1)
    assert "‘Klingon!’ in row 4" in problem.message


def test_role_addresses_are_noted_not_refused(workspace: Workspace) -> None:
    plan = plan_of(workspace, "email\ninfo@example.org\nsam@example.org\n")
    assert (plan.counts.new, codes(plan), plan.problems[0].severity) == (2, ["role-address"], Severity.NOTE)


def test_many_bad_rows_are_counted_not_poured_out(workspace: Workspace) -> None:
    plan = plan_of(workspace, "email\n" + "nonsense\n" * 12_000)
    assert plan.counts.refused == 12_000
    assert len(plan.problems) == importing.SHOWN + 1
    assert plan.problems[-1].message == "11,980 more rows cannot be used"


def test_more_lists_than_an_import_can_hold_are_refused_not_mixed_up(workspace: Workspace) -> None:
    more = "".join(f'[lists.l{n}]\ntitle = "L{n}"\nwhy = "w"\n' for n in range(70))
    config = workspace.toml(more)
    rows = "".join(f"p{n}@example.org,l{n}\n" for n in range(70))
    plan = importing.plan(workspace.write("many.csv", f"email,lists\n{rows}"), config)
    assert (plan.counts.new, plan.counts.refused) == (62, 8)
    assert set(codes(plan)) == {"too-many-lists"}


def test_the_source_line_of_a_problem_is_short_however_long_the_line(workspace: Workspace) -> None:
    plan = plan_of(workspace, f"email,ward\nnonsense,{'y' * 9000}\n")
    where = plan.problems[0].where
    assert where is not None and len(where.source) <= 500


def test_an_unreadable_name_is_still_a_problem_and_not_a_crash(workspace: Workspace) -> None:
    with pytest.raises(NewsletterError):
        importing.plan(
            Path("no\x00name.csv") if os.name == "nt" else Path("x" * 300), workspace.config, "all-residents"
        )


def test_an_address_with_letters_that_only_look_latin_is_taken_and_said(workspace: Workspace) -> None:
    alike = "sam@ex\u0430mple.org"  # a Cyrillic а
    plan = plan_of(workspace, f"email\n{alike}\njo@{alike.partition('@')[2]}\nkim@пример.example\nsam@example.org\n")
    assert plan.counts.new == 4, "it is another address than sam@example.org"
    [note] = [problem for problem in plan.problems if problem.code == "mixed-letters"]
    assert note.affected == 2, "a whole word in another script is no slip"


def test_a_domain_with_accents_is_one_domain_however_it_is_written(workspace: Workspace) -> None:
    plan = plan_of(workspace, "email\nsam@münchen.example\nSam@MÜNCHEN.example\nsam@xn--mnchen-3ya.example\n")
    assert (plan.counts.new, plan.counts.repeated) == (1, 2)


def test_a_quoted_local_part_is_refused(workspace: Workspace) -> None:
    plan = plan_of(workspace, 'email\n"""sam jones""@example.org"\n')
    assert (codes(plan), plan.counts.refused) == (["bad-address"], 1)


def test_an_address_of_254_octets_is_taken_and_one_more_is_refused(workspace: Workspace) -> None:
    domain = ".".join(["d" * 60] * 3) + ".example"
    fits = "a" * (254 - len(domain) - 1) + "@" + domain
    plan = plan_of(workspace, f"email\n{fits}\na{fits}\n")
    assert len(fits) == 254
    assert (plan.counts.new, plan.counts.refused) == (1, 1)


def test_a_header_that_is_there_twice_is_refused_with_both_names(workspace: Workspace) -> None:
    code, message, _ = refusal(workspace, "email,Ward,ward\nsam@example.org,A,B\n")
    assert code == "doubled-column"
    assert "‘Ward’ and ‘ward’" in message


def test_what_a_column_holds_is_shown_where_its_name_says_nothing(workspace: Workspace) -> None:
    [problem] = plan_of(workspace, "email,Shoe size\na@example.org,42\nb@example.org,39\nc@example.org,42\n").problems
    assert problem.message.endswith("left out; it holds ‘42’, ‘39’")
    assert "--map 'Shoe size=KEY'" in problem.hint


def test_the_column_that_seems_to_hold_the_addresses_is_named(workspace: Workspace) -> None:
    hint = refusal(workspace, "who,Kontakt\nSam,sam@example.org\n")[2]
    assert "--map 'Kontakt=email'" in hint


def test_a_file_that_grows_while_it_is_read_is_said(workspace: Workspace) -> None:
    path = workspace.write("recipients/people.csv", "email\n" + "".join(f"p{n}@example.org\n" for n in range(20_000)))

    def grow(what: str, _so_far: int, _of: int) -> None:
        if what == "reading":
            with path.open("a") as file:
                file.write("more@example.org\nhalf.of.an.addr\n")

    plan = importing.plan(path, workspace.config, "all-residents", on_progress=grow)
    assert "file-changed" in codes(plan)
    assert plan.counts.adds_up and plan.counts.new in (20_000, 20_001)
    assert plan.counts.refused == plan.counts.rows - plan.counts.new - plan.counts.repeated, "half an address is nobody"
    assert importing.run(plan).counts == plan.counts, "what was previewed is imported"


def test_three_times_the_rows_take_no_more_memory(workspace: Workspace) -> None:
    def peak(rows: int) -> int:
        data = "email,first_name\n" + "".join(f"p{n:07}@example.org,Pat\n" for n in range(rows))
        path = workspace.write("recipients/people.csv", data)
        del data
        tracemalloc.start()
        plan = importing.plan(path, workspace.config, "all-residents")
        importing.run(plan)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert plan.counts.rows == rows
        return most

    peak(6_000)  # what is loaded once
    assert peak(30_000) < 1.3 * peak(10_000)


def test_a_street_called_address_is_not_taken_for_the_e_mail_column(workspace: Workspace) -> None:
    [problem] = plan_of(workspace, "email,Address\nsam@example.org,1 High Street\n").problems
    assert problem.code == "undeclared-column" and "did you mean" not in problem.hint
    [problem] = plan_of(workspace, "email,Emailadress\nsam@example.org,old@example.org\n").problems
    assert "did you mean email" in problem.hint
