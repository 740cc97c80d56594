"""Everything that can be wrong in an issue is said with its code and its place, and never raises."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.cli.explain import catalogue
from newsletter.problems import Severity
from tests.content.conftest import FIRST, Written, marked, said

# (what is written, code, line from the first of the message, the letters above the caret; "" = no column)
MESSAGE = [
    (":::calout{tone=info}\nHi\n:::", "unknown-block", 1, "calout"),
    ("::buton[Go]{href=https://a.example}", "unknown-block", 1, "buton"),
    ("::signature", "later-block", 1, "signature"),
    ("::poll[Tea?]{yes=1}", "later-block", 1, "poll"),
    (":::callout\nHi", "unclosed-block", 1, "callout"),
    ("::::columns\n:::column\nA\n::::", "unclosed-block", 2, "column"),
    ("Hi\n\n:::", "stray-fence", 3, ":::"),
    ("::button[Go]{href=https://a.example}\n:::", "stray-fence", 2, ":::"),
    ("::::callout\nHi\n:::", "bad-nesting", 3, ":::"),
    (":::column\nHi\n:::", "bad-nesting", 1, "column"),
    ("::::columns\nHi\n:::column\nA\n:::\n::::", "bad-nesting", 2, ""),
    ("::::columns\n::::", "bad-nesting", 1, "columns"),
    ("::::columns\n" + ":::column\nA\n:::\n" * 5 + "::::", "bad-nesting", 1, "columns"),
    ("::::callout\n:::callout\nA\n:::\n::::", "bad-nesting", 2, "callout"),
    ("::::card[A]\n:::callout\nA\n:::\n::::", "bad-nesting", 2, "callout"),
    ("::::callout\n:::columns\n:::\n::::", "bad-nesting", 2, "columns"),
    (':::::columns\n::::only{ward="A"}\n:::column\nA\n:::\n::::\n:::::', "bad-nesting", 2, ""),
    (":::otherwise\nA\n:::", "bad-nesting", 1, "otherwise"),
    (':::only{ward="A"}\nA\n:::\nBetween\n:::otherwise\nB\n:::', "bad-nesting", 5, "otherwise"),
    (':::only{ward="A"}\nA\n:::otherwise\nB\n:::\n:::', "bad-nesting", 3, "otherwise"),
    ("1.  one\n    :::callout{tone=info}\n    two", "bad-nesting", 2, ":::callout{"),
    ("> ::reply[Answer]", "bad-nesting", 1, "::reply["),
    ("- # Big", "bad-nesting", 1, "#"),
    ("::callout[Hi]", "bad-block", 1, "callout"),
    (":::reply[Answer]", "bad-block", 1, "reply"),
    ("::divider[Hi]", "bad-block", 1, "divider"),
    ("::reply[Answer", "bad-block", 1, "["),
    (":::callout Mind this\nHi\n:::", "text-after-block", 1, "Mind this"),
    (":::callout{tone=info\nHi\n:::", "bad-attribute", 1, "{"),
    (":::callout{info}\nHi\n:::", "bad-attribute", 1, "info"),
    (":::callout{tone=info tone=quiet}\nHi\n:::", "bad-attribute", 1, "tone"),
    (":::callout{tne=info}\nHi\n:::", "unknown-attribute", 1, "tne"),
    ("::divider{height=3}", "unknown-attribute", 1, "height"),
    (':::only{word="A"}\nHi\n:::', "unknown-attribute", 1, "word"),
    (':::only{segment="A"}\nHi\n:::', "unknown-segment", 1, "A"),
    (":::only\nHi\n:::", "missing-attribute", 1, "only"),
    (":::group\nHi\n:::", "missing-attribute", 1, "group"),
    ("::button[Go]", "missing-attribute", 1, "button"),
    ("::image[A tree]", "missing-attribute", 1, "image"),
    ("::include", "missing-attribute", 1, "include"),
    ("::button{href=https://a.example}", "missing-label", 1, "button"),
    ("::reply", "missing-label", 1, "reply"),
    (":::card\nHi\n:::", "missing-label", 1, "card"),
    (":::callout{tone=infos}\nHi\n:::", "bad-attribute-value", 1, "infos"),
    ("::spacer{height=tall}", "bad-attribute-value", 1, "tall"),
    ("::spacer{height=9999}", "bad-attribute-value", 1, "9999"),
    ('::::columns{widths="60,50"}\n:::column\nA\n:::\n:::column\nB\n:::\n::::', "bad-attribute-value", 1, "60,50"),
    (':::only{ward=" , "}\nHi\n:::', "bad-attribute-value", 1, " , "),
    (':::only{list="all-resident"}\nHi\n:::', "unknown-list", 1, "all-resident"),
    (":::callout{lang=english}\nHi\n:::", "bad-language", 1, "english"),
    ("::spacer{height={{ ward }}}", "field-not-allowed", 1, "{{ ward }}"),
    (':::only{ward="{{ ward }}"}\nHi\n:::', "field-not-allowed", 1, "{{ ward }}"),
    ("Hello {{ firstname }},", "unknown-field", 1, "{{ firstname }}"),
    ("{{ reply_url }}", "unknown-field", 1, "{{ reply_url }}"),
    ("A {{ person.ward }}", "bad-field", 1, "{{ person.ward }}"),
    ("A {{ ward() }}", "bad-field", 1, "{{ ward() }}"),
    ("A {{ ward[0] }}", "bad-field", 1, "{{ ward[0] }}"),
    ("A {{ 'text' }}", "bad-field", 1, "{{ 'text' }}"),
    ("A {{ ward or 5 }}", "bad-field", 1, "{{ ward or 5 }}"),
    ('A {{ ward or "a" or "b" }}', "bad-field", 1, '{{ ward or "a" or "b" }}'),
    ("A {{ ward or first_name }}", "bad-field", 1, "{{ ward or first_name }}"),
    ("A {{ ward | shout }}", "bad-field", 1, "{{ ward | shout }}"),
    ("A {{ ward | date }}", "bad-field", 1, "{{ ward | date }}"),
    ('A {{ meeting | date("x") }}', "bad-field", 1, '{{ meeting | date("x") }}'),
    ("A {{ ward if ward }}", "bad-field", 1, "{{ ward if ward }}"),
    ("A {{ }}", "bad-field", 1, "{{ }}"),
    ('A {{ ward or "a\\nb" }}', "bad-field", 1, '{{ ward or "a\\nb" }}'),
    ("A {{ ward", "unclosed-field", 1, "{{"),
    ("A {% if ward %}B", "template-code", 1, "{% if ward %}"),
    ("A <b>bold</b> word", "raw-html", 1, "<b>"),
    ("A lost </b> end", "raw-html", 1, "</b>"),
    ("<div>\nA\n</div>", "raw-html", 1, "<div>"),
    ("<!-- a note -->", "raw-html", 1, "<!-- a note -->"),
    ("[here]()", "empty-link", 1, "]()"),
    ("[](https://a.example)", "empty-link", 1, "[]("),
    ('::button[Go]{href=""}', "empty-link", 1, ""),
    ("[go](mailto:)", "bad-link", 1, "mailto:"),
    ("[go](javascript:alert(1))", "bad-link", 1, "javascript:alert(1)"),
    ("[go](JaVaScRiPt:alert(1))", "bad-link", 1, "JaVaScRiPt:alert(1)"),
    ("[go](data:text/html,x)", "bad-link", 1, "data:text/html,x"),
    ("[go](file:///etc/passwd)", "bad-link", 1, "file:///etc/passwd"),
    ("[go](www.a.example)", "bad-link", 1, "www.a.example"),
    ("[go](//a.example)", "bad-link", 1, "//a.example"),
    ("[go](https://)", "bad-link", 1, "https://"),
    ("[go](#top)", "bad-link", 1, "#top"),
    ("[go](https://{{ ward }}.example/)", "bad-link", 1, ""),
    ("[go]({{ ward }}/x)", "bad-link", 1, ""),
    ("[go](missing.pdf)", "missing-file", 1, "missing.pdf"),
    ("[go](../../../secret.pdf)", "outside-workspace", 1, "../../../secret.pdf"),
    ("[go](/etc/passwd)", "outside-workspace", 1, "/etc/passwd"),
    ("![A tree](images/tre.png)", "missing-picture", 1, "images/tre.png"),
    ("![A tree](../../../../a.png)", "outside-workspace", 1, "../../../../a.png"),
    ("![A tree](/etc/a.png)", "outside-workspace", 1, "/etc/a.png"),
    ("![A tree](C:\\pictures\\a.png)", "outside-workspace", 1, ""),
    ("::image[A tree]{src=..\\a.png}", "outside-workspace", 1, "..\\a.png"),
    ("![A tree](https://a.example/a.png)", "remote-image", 1, "https://a.example/a.png"),
    ("![A tree](//a.example/a.png)", "remote-image", 1, "//a.example/a.png"),
    ("![A tree](data:image/png;base64,AAAA)", "remote-image", 1, "data:image/png;base64,AAAA"),
    ("![](images/tree.png)", "missing-alt", 1, "!["),
    ("::image{src=images/tree.png}", "missing-alt", 1, "image"),
    (":::card[A]{image=images/tree.png}\nB\n:::", "missing-alt", 1, "card"),
    ("Look: ![A tree](images/tree.png) nice", "inline-picture", 1, "!["),
    ("![A tree](images/tree.svg)", "bad-picture", 1, "images/tree.svg"),
    ("[the minutes](minutes.docx)", "attachment", 1, "minutes.docx"),
    ("[the plan](fake.pdf)", "attachment", 1, "fake.pdf"),
    ("::include{file=none.md}", "missing-file", 1, "none.md"),
    ("::include{file=../../../../etc/passwd}", "outside-workspace", 1, "../../../../etc/passwd"),
    ("::include{file=minutes.docx}", "bad-include", 1, "minutes.docx"),
    ("::include{file=loop.md}", "include-loop", 1, "loop.md"),
    ("::include{file=latin.md}", "not-utf8", 2, ""),
    ("#### Too deep", "deep-heading", 1, "####"),
    ("> " * 45 + "deep", "too-deep", 1, ""),
    ("| A | B |\n|---|---|\n| 1 | 2 | 3 |", "table-row", 3, ""),
    ("A\x07B", "control-character", 1, "\x07"),
    ("[a]: https://a.example/{{ ward }}\n\nText", "lost-field", 1, "{{ ward }}"),
]
OTHER_FILES = {"include-loop": "issues/2026-12-08-officers/loop.md", "not-utf8": "issues/2026-12-08-officers/latin.md"}


@pytest.fixture
def with_files(written: Written, issue_folder: object) -> Written:
    from pathlib import Path

    assert isinstance(issue_folder, Path)
    (issue_folder / "images").mkdir()
    (issue_folder / "images" / "tree.png").write_bytes(b"\x89PNG")
    (issue_folder / "images" / "tree.svg").write_text("<svg/>")
    (issue_folder / "minutes.docx").write_bytes(b"PK")
    (issue_folder / "fake.pdf").write_bytes(b"MZ")
    (issue_folder / "loop.md").write_text("::include{file=loop.md}")
    (issue_folder / "latin.md").write_bytes(b"One\nCaf\xe9")
    return written


@pytest.mark.parametrize(("body", "code", "line", "letters"), MESSAGE, ids=[f"{b[:30]!r}" for b, *_ in MESSAGE])
def test_a_fault_in_the_message_has_its_place(
    with_files: Written, body: str, code: str, line: int, letters: str
) -> None:
    issue = with_files(body)
    found = [problem for problem in issue.problems if problem.code == code]
    assert found, [said(problem) for problem in issue.problems]
    where = found[0].where
    assert where
    other = OTHER_FILES.get(code)
    assert (where.file, where.line) == ((other, line) if other else ("issue.md", FIRST + line - 1))
    if letters:
        assert marked(found[0]) == letters
    assert found[0].hint
    assert code in catalogue()


@pytest.mark.parametrize(("body", "code", "line", "letters"), MESSAGE, ids=[f"{b[:30]!r}" for b, *_ in MESSAGE])
def test_one_fault_is_not_told_as_many(with_files: Written, body: str, code: str, line: int, letters: str) -> None:
    issue = with_files(body)
    assert len([problem for problem in issue.problems if problem.severity is Severity.ERROR]) <= 2


# (lines of the front matter from its second on, code, line of the file, the letters above the caret)
FRONT_MATTER = [
    ("subject: A\nsubjct: B", "unknown-front-matter", 3, "subjct"),
    ("subject: A\nattachments: [a.pdf]", "unknown-front-matter", 3, "attachments"),
    ("subject: A\nsubject: B", "duplicate-front-matter", 3, "subject"),
    ("subject: A\nvars: {a: b, a: c}", "duplicate-front-matter", 3, "a"),
    ("subject:", "missing-front-matter", 2, "subject"),
    ("preheader: A", "missing-front-matter", 1, "---"),
    ("subject: A\nlanguage english", "bad-front-matter", 3, "language english"),
    ("subject: A\nlanguage:en-GB", "bad-front-matter", 3, "language:en-GB"),
    ("subject: A\n  goes on here", "bad-front-matter", 3, "goes on here"),
    ("subject: A\n  topic: b", "bad-front-matter", 3, "topic: b"),
    ("subject: A\nvars: {a: b", "bad-front-matter", 3, "{"),
    ("subject: A\nvars: {a}", "bad-front-matter", 3, "a}"),
    ("subject: A\nvars: {a: b} c", "bad-front-matter", 3, " c"),
    ("subject: A\nvars: [a", "bad-front-matter", 3, "["),
    ("subject: A\nvars: a", "bad-front-matter-value", 3, "vars"),
    ("subject: A\nvars: {ward: North}", "bad-front-matter-value", 3, "ward"),
    ("subject: A\nvars: {a-b: North}", "bad-front-matter-value", 3, "a-b"),
    ("subject: A\ntopic: [a, b]", "bad-front-matter-value", 3, "[a, b]"),
    ("subject: A\narchive: publik", "bad-front-matter-value", 3, "publik"),
    ("subject: A\nsensitive: perhaps", "bad-front-matter-value", 3, "perhaps"),
    ("subject: A\nkind: alarm", "bad-front-matter-value", 3, "alarm"),
    ("subject: A\npriority: hihg", "bad-front-matter-value", 3, "hihg"),
    ("subject: A\nreply_to: a@b@c", "bad-front-matter-value", 3, "a@b@c"),
    ("subject: A\nuseful_until: tomorrow", "bad-front-matter-value", 3, "tomorrow"),
    ("subject: A\nallow: dead-link", "bad-front-matter-value", 3, "dead-link"),
    ("subject: A\nallow: [{code: dead-link}]", "bad-front-matter-value", 3, "{code: dead-link}"),
    ("subject: A\nby: Sam", "bad-front-matter-value", 3, "by"),
    ("subject: A\nby: {nme: Sam}", "unknown-front-matter", 3, "nme"),
    ("subject: A\nhero: images/a.png", "bad-front-matter-value", 3, "hero"),
    ("subject: A\nhero: {alt: a tree}", "bad-front-matter-value", 3, "hero"),
    ("subject: A\nhero: {image: images/tree.png}", "missing-alt", 3, "hero"),
    ('subject: A\nhero: {image: images/no.png, alt: ""}', "missing-picture", 3, "images/no.png"),
    ('subject: A\nhero: {image: https://a.example/a.png, alt: ""}', "remote-image", 3, "https://a.example/a.png"),
    ("subject: A\nlanguage: english", "bad-language", 3, "english"),
    ("subject: A\ntemplate: alrt", "unknown-theme", 3, "alrt"),
    ("subject: A\nsend_at: next week", "bad-time", 3, "next week"),
    ("subject: A\nsend_at: 2026-03-29 01:30", "time-not-clear", 3, "2026-03-29 01:30"),
    ("subject: A\ntopic: {{ ward }}", "field-not-allowed", 3, "{{ ward }}"),
    ("subject: Hello {{ firstname }}", "unknown-field", 2, "{{ firstname }}"),
    ('subject: "Hello {{ firstname }}"', "unknown-field", 2, "{{ firstname }}"),
    ("subject: A\ntext: |\n  Dear {{ nam }},\n  bye {{ nme }}", "unknown-field", 4, "{{ nam }}"),
    ("subject: A\x1b[31mB", "control-character", 2, "\x1b"),
]


@pytest.mark.parametrize(("lines", "code", "line", "letters"), FRONT_MATTER, ids=[f[0][:40] for f in FRONT_MATTER])
def test_a_fault_in_the_front_matter_has_its_place(
    with_files: Written, lines: str, code: str, line: int, letters: str
) -> None:
    issue = with_files("Hello.", f"---\n{lines}\nfrom: council\naudience: [all-residents]\n---\n")
    found = [problem for problem in issue.problems if problem.code == code]
    assert found, [said(problem) for problem in issue.problems]
    assert found[0].where
    assert found[0].where.line == line
    assert marked(found[0]) == letters
    assert found[0].hint
    assert code in catalogue()


def test_several_faults_are_told_at_once_from_top_to_bottom(written: Written) -> None:
    issue = written(":::calout\nHi {{ nme }}\n:::\n\n[x]()\n", "---\nsubjct: A\nfrom: nobody\naudience: [none]\n---\n")
    assert [said(problem)[:2] for problem in issue.problems] == [
        ("missing-front-matter", 1),
        ("unknown-front-matter", 2),
        ("unknown-sender", 3),
        ("unknown-list", 4),
        ("unknown-block", 6),
        ("unknown-field", 7),
        ("empty-link", 10),
    ]


@pytest.mark.parametrize(
    ("body", "front"),
    [
        (":::callout\n" * 3000, ""),
        (':::only{ward="A"}\n' * 3000 + ":::\n" * 3000, ""),
        ("> " * 3000 + "deep", ""),
        ("\n".join("  " * depth + "- a" for depth in range(300)), ""),
        ("Hello.", "vars: " + "[" * 3000),
        ("Hello.", "vars: " + "{a: " * 3000),
        ("Hello.", "\n".join(" " * depth + "a:" for depth in range(1000))),
        ("Hello.", "allow:\n" + "\n".join("  " * depth + "- a:" for depth in range(900))),
    ],
)
def test_what_stands_too_deep_is_told_and_stops_nothing(written: Written, body: str, front: str) -> None:
    issue = written(body, f"---\nsubject: A\nfrom: council\naudience: [monthly]\n{front}\n---\n")
    assert issue.problems
    assert len({problem.code for problem in issue.problems}) <= 4


def test_the_nearest_right_name_is_offered(written: Written) -> None:
    issue = written(
        ":::calout{tone=info}\n:::\n\n{{ frist_name }}\n\n:::callout{tne=info}\n:::\n",
        "---\nsubject: A\npreheder: b\nfrom: counsil\naudience: [monthli]\n---\n",
    )
    assert [problem.hint for problem in issue.problems] == [
        "did you mean preheader?",
        "did you mean council?",
        "did you mean monthly?",
        "did you mean callout?",
        "did you mean first_name?",
        "did you mean tone?",
    ]


def test_a_column_after_a_field_is_that_of_the_line_as_written(written: Written) -> None:
    issue = written('Hello {{ first_name or "neighbour" }} and {{ wrd }} and <b>')
    assert [marked(problem) for problem in issue.problems] == ["{{ wrd }}", "<b>"]
    issue = written('::button[For {{ first_name or "you" }}]{href=https://a.example stile=big}')
    assert [marked(problem) for problem in issue.problems] == ["stile"]


def test_a_missing_front_matter_still_shows_the_message(written: Written) -> None:
    issue = written("# Hello\n\nThis is a message.", front="")
    assert said(issue.problems[0]) == ("no-front-matter", 1, None)
    assert [type(node).__name__ for node in issue.nodes] == ["Heading", "Prose"]


def test_a_front_matter_without_end_says_so(written: Written) -> None:
    issue = written("", front="---\nsubject: A\nfrom: council\naudience: [all-residents]\n")
    assert [said(problem)[0] for problem in issue.problems] == ["unclosed-front-matter"]


@pytest.mark.parametrize("text", ["[" * 20_000, "!" + "![" * 5_000, '"' * 100_000, "'a\n" * 30_000, "word " * 20_000])
def test_a_paragraph_that_no_person_wrote_is_refused_at_once(written: Written, text: str) -> None:
    issue = written(f"First.\n\n{text}\n\nLast.\n")
    assert [problem.code for problem in issue.problems] == ["too-long"]
    place = issue.problems[0].where
    assert place and place.source == text.split("\n")[0]


def test_a_label_that_no_person_wrote_is_refused(written: Written) -> None:
    issue = written(f'::button["{"x" * 3_000}"]{{href=https://e.example/}}\n')
    assert [problem.code for problem in issue.problems] == ["too-long"]


def test_a_message_without_end_is_cut_and_said_so(written: Written) -> None:
    issue = written("## One more\n\nWords.\n\n" * 600)
    assert said(issue.problems[0]) == ("too-long", FIRST, None) and len(issue.nodes) == 500


def test_files_that_multiply_one_another_are_not_read_a_million_times(written: Written, issue_folder: Path) -> None:
    for name, inner in (("a", "b"), ("b", "c")):
        (issue_folder / f"{name}.md").write_text(f"::include{{file={inner}.md}}\n" * 99)
    (issue_folder / "c.md").write_text("Words.\n")
    issue = written("::include{file=a.md}\n" * 99)
    assert [problem.code for problem in issue.problems] == ["include-depth"]
