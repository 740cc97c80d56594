"""Reading an issue: what cannot be read at all, what is read the same every time, and how issues are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.content import finding
from newsletter.content.model import plain_json
from newsletter.content.reading import headline, read
from newsletter.problems import NewsletterError
from tests.content.conftest import FRONT, Written
from tests.workspace import Workspace


def refused(folder: Workspace, issue_folder: Path) -> tuple[str, str]:
    with pytest.raises(NewsletterError) as caught:
        read(issue_folder, folder.config)
    (problem,) = caught.value.problems
    return problem.code, problem.hint


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04\x00\x00", "binary-file"),
        ("---\nsubject: Ä".encode("utf-16"), "not-utf8"),
        (b"---\nsubject: Caf\xe9\n", "not-utf8"),
        (b"x" * 1_000_001, "too-large"),
    ],
)
def test_what_is_no_text_is_refused(folder: Workspace, issue_folder: Path, data: bytes, code: str) -> None:
    (issue_folder / "issue.md").write_bytes(data)
    found, hint = refused(folder, issue_folder)
    assert found == code
    assert hint


def test_an_issue_of_50_megabytes_is_not_even_opened(folder: Workspace, issue_folder: Path) -> None:
    with (issue_folder / "issue.md").open("wb") as out:
        out.truncate(50_000_000)
    assert refused(folder, issue_folder)[0] == "too-large"


def test_a_missing_issue_is_refused(folder: Workspace, issue_folder: Path) -> None:
    assert refused(folder, issue_folder)[0] == "missing-issue"
    (issue_folder / "issue.md").mkdir()
    assert refused(folder, issue_folder)[0] == "missing-issue"


def test_an_issue_that_is_a_link_out_of_the_workspace_is_refused(
    folder: Workspace, issue_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret.md"
    elsewhere.write_text("secret")
    (issue_folder / "issue.md").symlink_to(elsewhere)
    assert refused(folder, issue_folder)[0] == "outside-workspace"


def test_an_empty_file_is_an_issue_that_lacks_everything(written: Written) -> None:
    issue = written("", front="")
    assert [problem.code for problem in issue.problems] == ["no-front-matter", *["missing-front-matter"] * 3]


def test_reading_twice_gives_the_same(written: Written) -> None:
    body = '# {{ ward }}\n\nHello {{ first_name or "you" }}\n\n[x]()'
    assert plain_json(written(body)) == plain_json(written(body))


def test_the_nonce_does_not_stand_in_the_source(written: Written) -> None:
    first = written("Hello.")
    again = written("Hello.", FRONT.replace("subject: ", f"subject: Zq{first.nonce}v0000qZ "))
    assert again.nonce not in again.source


def test_the_source_is_kept_as_it_is(written: Written) -> None:
    text = FRONT.replace("\n", "\r\n") + "Hello.  \r\n\r\n"
    issue = written("", text)
    assert issue.source == text


def test_a_headline_is_the_title_or_the_subject(written: Written, folder: Workspace) -> None:
    assert headline(written("Hi").folder, folder.config) == "Meet your officers"
    titled = written("Hi", FRONT.replace("---\nsub", "---\ntitle: Officers #1\nsub"))
    assert headline(titled.folder, folder.config) == "Officers #1"
    assert headline(written("Hi", "").folder, folder.config) == ""


@pytest.fixture
def three(folder: Workspace) -> Workspace:
    for name in ("2026-11-01-fire", "2026-11-15-flood", "2026-12-01-fireworks"):
        folder.write(f"issues/{name}/issue.md", "")
    folder.write("issues/partials/contact.md", "")
    return folder


def test_issues_are_the_folders_with_an_issue_in_them_oldest_first(three: Workspace) -> None:
    names = [path.name for path in finding.all_issues(three.config)]
    assert names == ["2026-11-01-fire", "2026-11-15-flood", "2026-12-01-fireworks"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("2026-11-15-flood", "2026-11-15-flood"),
        ("2026-12", "2026-12-01-fireworks"),
        ("flood", "2026-11-15-flood"),
        ("loo", "2026-11-15-flood"),
        ("11-01", "2026-11-01-fire"),
        ("Works", "2026-12-01-fireworks"),
        ("2026-11-01-fire", "2026-11-01-fire"),
        ("issues/2026-11-15-flood", "2026-11-15-flood"),
        ("issues/2026-11-15-flood/", "2026-11-15-flood"),
        ("issues/2026-11-15-flood/issue.md", "2026-11-15-flood"),
    ],
)
def test_an_issue_is_found_by_its_path_its_name_its_beginning_or_a_part(three: Workspace, name: str, slug: str) -> None:
    assert finding.find(three.config, name, three.root).name == slug


def test_without_a_name_it_is_the_issue_you_stand_in(three: Workspace) -> None:
    images = three.root / "issues" / "2026-11-15-flood" / "images"
    images.mkdir()
    assert finding.find(three.config, None, images).name == "2026-11-15-flood"


def test_without_a_name_the_only_issue_is_meant(folder: Workspace) -> None:
    folder.write("issues/2026-11-01-fire/issue.md", "")
    assert finding.find(folder.config, None, folder.root).name == "2026-11-01-fire"


@pytest.mark.parametrize(("name", "code"), [(None, "which-issue"), ("2026-11", "which-issue"), ("fire", "which-issue"),
                                            ("floood", "which-issue"), ("../..", "which-issue")])  # fmt: skip
def test_what_fits_several_or_none_is_asked_back(three: Workspace, name: str | None, code: str) -> None:
    with pytest.raises(NewsletterError) as caught:
        finding.find(three.config, name, three.root)
    assert caught.value.exit == 2
    assert caught.value.problems[0].code == code
    assert "2026-11-01-fire" in caught.value.problems[0].hint


def test_no_issue_at_all_says_how_to_start_one(folder: Workspace) -> None:
    with pytest.raises(NewsletterError) as caught:
        finding.find(folder.config, None, folder.root)
    assert caught.value.problems[0].code == "no-issue"
    assert "newsletter new" in caught.value.problems[0].hint


def test_the_languages_of_an_issue_are_those_of_its_files(three: Workspace) -> None:
    for name in ("issue.cy.md", "issue.pt-BR.md", "issue.old.copy.md", "notes.md"):
        three.write(f"issues/2026-11-01-fire/{name}", "")
    assert finding.languages(three.root / "issues" / "2026-11-01-fire") == ("", "cy", "pt-BR")
