"""Links, bare addresses, documents, parts that are included: all inside the workspace, all said with their place."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from newsletter.content.model import Button, Heading, Issue, Prose
from newsletter.problems import Severity
from tests.content.conftest import Written, marked, said
from tests.workspace import Workspace

PDF = b"%PDF-1.7\n/StructTreeRoot\n" + b"x" * 33_975


def pieces(issue: Issue) -> list[tuple[str, str]]:
    """(type, text or address) of the inline pieces of the first paragraph."""
    assert isinstance(issue.nodes[0], Prose)
    return [
        (child.type, str(child.attrs.get("href", child.content)))
        for child in issue.nodes[0].tokens[1].children or ()
        if child.type != "link_close"
    ]


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("See https://a.example/b.", "https://a.example/b", "https://a.example/b"),
        ("(see https://a.example/b_(c))", "https://a.example/b_(c)", "https://a.example/b_(c)"),
        ("See http://a.example?x=1&y=2, then", "http://a.example?x=1&y=2", "http://a.example?x=1&y=2"),
        ("See www.a.example/b!", "https://www.a.example/b", "www.a.example/b"),
        ("Write to sam.o@a.example.", "mailto:sam.o@a.example", "sam.o@a.example"),
        ('It is "https://a.example".', "https://a.example", "https://a.example"),
        ("**https://a.example**", "https://a.example", "https://a.example"),
        ("اس صفحے https://a.example/ur، پر", "https://a.example/ur", "https://a.example/ur"),
        ("<https://a.example>", "https://a.example", "https://a.example"),
        ("<sam@a.example>", "mailto:sam@a.example", "sam@a.example"),
    ],
)
def test_a_bare_address_becomes_a_link(written: Written, text: str, address: str, shown: str) -> None:
    issue = written(text)
    assert not issue.problems
    found = pieces(issue)
    at = found.index(("link_open", address))
    assert found[at + 1] == ("text", shown)


@pytest.mark.parametrize("text", ["a@b", "www.", "https://", "x@", "5:30", "`https://a.example`", "ftp://a.example"])
def test_what_is_no_address_stays_text(written: Written, text: str) -> None:
    assert not [piece for piece in pieces(written(text)) if piece[0] == "link_open"]


def test_an_address_inside_a_link_is_not_linked_twice(written: Written) -> None:
    issue = written("[https://a.example/x](https://a.example/y)")
    assert [piece for piece in pieces(issue) if piece[0] == "link_open"] == [("link_open", "https://a.example/y")]


def test_links_to_pages_mail_and_telephones_are_fine(written: Written) -> None:
    issue = written("[a](https://a.example) [b](mailto:a@b.example?subject=Hi%20you) [c](tel:+441632960123)")
    assert not issue.problems


def test_a_link_that_goes_nowhere_leaves_its_words(written: Written) -> None:
    assert pieces(written("Go [here](javascript:x) now")) == [("text", "Go "), ("text", "here"), ("text", " now")]


def test_a_linked_pdf_says_its_type_and_size(written: Written, issue_folder: Path) -> None:
    (issue_folder / "the plan.pdf").write_bytes(PDF)
    issue = written("Read [the plan](<the plan.pdf>).\n\n::button[The plan]{href='the plan.pdf'}")
    assert [(problem.code, problem.severity) for problem in issue.problems] == [("accessible-format", Severity.WARNING)]
    assert pieces(issue) == [
        ("text", "Read "),
        ("link_open", "the plan.pdf"),
        ("text", "the plan"),
        ("text", " (PDF, 34 KB)"),
        ("text", "."),
    ]
    assert isinstance(issue.nodes[1], Button)
    assert (issue.nodes[1].href, issue.nodes[1].label) == ("the plan.pdf", "The plan (PDF, 34 KB)")
    (file,) = issue.files
    assert (file.href, file.size, file.sha256) == ("the plan.pdf", 34_000, hashlib.sha256(PDF).hexdigest())


def test_type_and_size_are_not_said_twice(written: Written, issue_folder: Path) -> None:
    (issue_folder / "plan.pdf").write_bytes(PDF)
    assert pieces(written("[plan (PDF, 34 KB)](plan.pdf)"))[1:] == [("text", "plan (PDF, 34 KB)")]


def test_a_pdf_without_tags_is_named_as_such(written: Written, issue_folder: Path) -> None:
    (issue_folder / "plan.pdf").write_bytes(b"%PDF-1.4")
    assert "no tags for screen readers" in written("[plan](plan.pdf)").problems[0].message


def test_a_real_attachment_is_refused_with_what_to_do_instead(written: Written, issue_folder: Path) -> None:
    (issue_folder / "minutes.docx").write_bytes(b"PK")
    (problem,) = written("[minutes](minutes.docx)").problems
    assert problem.code == "attachment"
    assert "PDF" in problem.hint


def test_a_link_inside_the_folder_that_leads_outside_is_outside(
    written: Written, issue_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.pdf"
    secret.write_bytes(PDF)
    (issue_folder / "plan.pdf").symlink_to(secret)
    (issue_folder / "images").symlink_to(secret.parent)
    (secret.parent / "a.png").write_bytes(b"\x89PNG")
    issue = written("[plan](plan.pdf)\n\n![A](images/a.png)\n\n::include{file=images/secret.md}")
    assert [problem.code for problem in issue.problems] == ["outside-workspace"] * 3
    assert not issue.files


def test_a_link_inside_the_workspace_may_be_a_symbolic_one(
    written: Written, folder: Workspace, issue_folder: Path
) -> None:
    folder.write("shared/tree.png", b"\x89PNG")
    (issue_folder / "tree.png").symlink_to(folder.root / "shared" / "tree.png")
    assert not written("![A tree](tree.png)").problems


def test_a_folder_a_pipe_and_a_broken_link_are_no_pictures(written: Written, issue_folder: Path) -> None:
    (issue_folder / "a.png").mkdir()
    os.mkfifo(issue_folder / "b.png")
    (issue_folder / "c.png").symlink_to("d.png")
    (issue_folder / "e.png").symlink_to("e.png")
    issue = written("\n\n".join(f"![A]({name}.png)" for name in "abce"))
    assert {problem.code for problem in issue.problems} <= {"missing-picture", "outside-workspace"}
    assert len(issue.problems) == 4


def test_the_right_name_of_a_picture_is_offered(written: Written, issue_folder: Path) -> None:
    (issue_folder / "Hero.PNG").write_bytes(b"\x89PNG")
    assert written("![A](Hero.png)").problems[0].hint == "did you mean Hero.PNG?"


def test_a_near_name_is_offered_with_its_folder(written: Written, issue_folder: Path) -> None:
    (issue_folder / "images").mkdir()
    (issue_folder / "images/IMG_1.JPG").write_bytes(b"\xff\xd8")
    assert written("![A](images/IMG_1.jpg)").problems[0].hint == "did you mean images/IMG_1.JPG?"


def test_a_web_page_without_https_is_asked_for_as_one(written: Written) -> None:
    assert (
        written("[form](council.example/asb)").problems[0].hint == "Is it a web page? Write https://council.example/asb"
    )


def test_a_mail_address_with_a_slip_is_named(written: Written) -> None:
    (problem,) = written("[us](mailto:news@council,example)").problems
    assert problem.code == "bad-link" and "‘example’" in problem.message
    for good in ("news@council.example", "a@b.example,c@d.example?subject=A, b", "?subject=Share", "{{ email }}"):
        assert not written(f"[us](<mailto:{good}>)").problems, good


def test_a_huge_document_is_refused(written: Written, issue_folder: Path) -> None:
    with (issue_folder / "plan.pdf").open("wb") as out:
        out.truncate(21_000_000)
    assert [problem.code for problem in written("[plan](plan.pdf)").problems] == ["too-large"]


def test_an_included_part_is_read_in_place(written: Written, folder: Workspace) -> None:
    folder.write("issues/partials/contact.md", "## Reach us\n\nRing {{ wrd }} or\n[see](plan.pdf)\n")
    folder.write("issues/partials/plan.pdf", PDF)
    issue = written("# A\n\n::include[How to reach us]{file=../partials/contact.md}\n\nB")
    assert [(type(node).__name__, node.file, node.line) for node in issue.nodes][1:3] == [
        ("Heading", "issues/partials/contact.md", 1),
        ("Prose", "issues/partials/contact.md", 3),
    ]
    places = [(problem.code, str(problem.where)) for problem in issue.problems]
    assert places == [
        ("unknown-field", "issues/partials/contact.md:3:6"),
        ("accessible-format", "issues/partials/contact.md:4:7"),
    ]
    assert [file.href for file in issue.files] == ["../partials/plan.pdf"]


def test_parts_may_include_parts_three_deep(written: Written, folder: Workspace) -> None:
    for number in range(1, 6):
        folder.write(f"parts/{number}.md", f"# Part {number}\n\n::include{{file={number + 1}.md}}\n")
    issue = written("::include{file=../../parts/1.md}")
    assert len([node for node in issue.nodes if isinstance(node, Heading)]) == 3
    assert [said(problem) for problem in issue.problems] == [("include-depth", 3, 16)]


def test_a_circle_of_parts_is_found(written: Written, folder: Workspace) -> None:
    folder.write("parts/a.md", "::include{file=b.md}")
    folder.write("parts/b.md", "::include{file=a.md}")
    issue = written("::include{file=../../parts/a.md}")
    assert [(problem.code, marked(problem)) for problem in issue.problems] == [("include-loop", "a.md")]


def test_an_issue_cannot_include_itself(written: Written) -> None:
    assert [problem.code for problem in written("::include{file=issue.md}").problems] == ["include-loop"]


def test_the_same_part_twice_is_no_circle(written: Written, folder: Workspace) -> None:
    folder.write("parts/a.md", "Hello.")
    assert not written("::include{file=../../parts/a.md}\n\n::include{file=../../parts/a.md}").problems


def test_a_part_that_holds_the_markers_of_the_issue_is_still_only_text(written: Written, folder: Workspace) -> None:
    path = folder.write("parts/a.md", "Hello.")
    first = written("{{ ward }}\n\n::include{file=../../parts/a.md}")
    path.write_text(f"Zq{first.nonce}v0000qZ")
    second = written("{{ ward }}\n\n::include{file=../../parts/a.md}")
    assert second.nonce != first.nonce
    assert not second.problems
