"""No text that a person wrote can become markup, wherever a theme prints it."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree, html

from newsletter.problems import NewsletterError
from newsletter.rendering import restoring, themes
from tests.rendering.conftest import Desk

NASTY = [
    '" onerror="alert(1)',
    "' onload='x",
    "<script>alert(1)</script>",
    "&quot; onx=&quot;1",
    "&lt;b&gt;",
    "a & b",
    "{{ 7*7 }}",
    "]]>",
    "--><b>",
]


def parsed(text: str) -> html.HtmlElement:
    return html.document_fromstring(text)


@pytest.mark.parametrize("nasty", NASTY)
def test_quotes_and_brackets_in_a_button_label_stay_text(desk: Desk, nasty: str) -> None:
    desk.configure("", 'name = "Riverside Council"\nurl', f"name = '''{nasty}'''\nurl")
    made = desk.copy("# News\n\nWords.\n", subject=nasty.replace("{{", "{ {"))
    root = parsed(made.html)
    assert not root.xpath("//script") and not root.xpath("//@onerror | //@onload | //@onx")
    assert root.xpath("//title")[0].text == " ".join(nasty.replace("{{", "{ {").split())


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("place", ['alt="{{ x }}"', 'title="{{ x }}"', 'href="https://e.example/{{ x }}"'])
def test_a_plain_value_in_an_mjml_attribute_cannot_leave_it(desk: Desk, nasty: str, place: str) -> None:
    """The hole of the engine: MJML decodes `&quot;` in attributes and prints it bare."""
    theme = desk.root / "templates" / "plain" / "theme.mjml.j2"
    image = (
        f'<mj-section><mj-column><mj-image src="https://e.example/a.png" {place}></mj-image></mj-column></mj-section>'
    )
    theme.write_text(
        theme.read_text().replace("{{ blocks }}", image.replace("{{ x }}", "{{ site.name }}") + "{{ blocks }}")
    )
    desk.configure("", 'name = "Riverside Council"\nurl', f"name = '''{nasty}'''\nurl")
    root = parsed(desk.copy("Words.\n").html)
    assert not root.xpath("//script") and not root.xpath("//@onerror | //@onload | //@onx")
    if "href" not in place:
        assert nasty in root.xpath("//img/@alt | //img/@title")


def test_a_plain_value_glued_to_checked_markup_cannot_leave_its_attribute(desk: Desk) -> None:
    """`~` with a Markup would escape the plain half and hand the entities to MJML."""
    theme = desk.root / "templates" / "plain" / "theme.mjml.j2"
    image = '<mj-image src="https://e.example/a.png" alt="{{ option.accent ~ site.name }}"></mj-image>'
    image = f"<mj-section><mj-column>{image}</mj-column></mj-section>"
    theme.write_text(theme.read_text().replace("{{ blocks }}", image + "{{ blocks }}"))
    desk.configure("", 'name = "Riverside Council"\nurl', "name = '''\" onerror=\"alert(1)'''\nurl")
    root = parsed(desk.copy("Words.\n").html)
    assert not root.xpath("//@onerror")
    assert '#0b5a7a" onerror="alert(1)' in root.xpath("//img/@alt")


def test_an_ampersand_in_a_link_is_still_an_ampersand(desk: Desk) -> None:
    body = "::button[Apply]{href=https://e.example/?a=1&lt=2&copy=3}\n\n[words](https://e.example/?a=1&lt=2&copy=3)\n"
    assert parsed(desk.copy(body).html).xpath("//a/@href")[:2] == ["https://e.example/?a=1&lt=2&copy=3"] * 2


@settings(suppress_health_check=list(HealthCheck))
@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=60)
)
def test_any_code_span_comes_out_as_it_was_written(shared: Desk, text: str) -> None:
    text = text.replace("`", "").replace("{", "").replace("[", "").strip()
    if not text or text.startswith("<"):
        return
    issue = shared.issue(f"# News\n\nSee ` x{text}x ` here.\n")
    if issue.problems:
        return  # such as a noncharacter: reading says so
    root = parsed(shared.copy(f"# News\n\nSee ` x{text}x ` here.\n").html)
    assert root.xpath("//code")[0].text == f"x{text}x"


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://e.example/", True),
        ("mailto:a@e.example", True),
        ("tel:+441785232385", True),
        ("#top", True),
        ("cid:" + "0" * 64 + "@newsletter", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("\x01javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
        ("cid:foreign", False),
        ("cid:" + "0" * 64, False),
        ("//e.example/", False),
    ],
)
def test_only_known_schemes_are_addresses(address: str, safe: bool) -> None:
    assert restoring.is_safe(address) is safe


def test_an_unsafe_link_of_a_theme_is_a_problem_and_goes_nowhere(desk: Desk) -> None:
    theme = desk.root / "templates" / "plain" / "theme.mjml.j2"
    text = theme.read_text().replace("{{ by.name }}", "<a href=\"{{ 'javascript:alert(1)' }}\">x</a>")
    theme.write_text(text)
    rendered = desk.render("Words.\n")
    assert [problem.code for problem in rendered.problems] == ["unsafe-link"]
    assert not any("javascript" in piece for piece in rendered.html if isinstance(piece, str))


def test_a_plain_value_in_a_style_is_a_problem(desk: Desk) -> None:
    theme = desk.root / "templates" / "plain" / "theme.mjml.j2"
    theme.write_text(
        theme.read_text().replace("<p>{{ by.name }}", '<p style="color:{{ site.postal_address }}">{{ by.name }}')
    )
    assert [problem.code for problem in desk.render("Words.\n").problems] == ["theme-fault"]


def test_a_plain_value_in_css_stops_the_theme(desk: Desk) -> None:
    (desk.root / "templates" / "plain" / "inline.css.j2").write_text(".prose p { color: {{ site.name }}; }")
    with pytest.raises(NewsletterError) as caught:
        desk.render("Words.\n")
    assert caught.value.problems[0].code == "theme-fault"


def test_a_token_that_was_lost_is_refused(desk: Desk) -> None:
    theme = desk.root / "templates" / "plain" / "theme.mjml.j2"
    theme.write_text(theme.read_text().replace('font-size="16px"', 'font-size="16px" css-class="{{ site.name }}"'))
    rendered = desk.render("Words.\n")
    assert "left-over-slot" in [problem.code for problem in rendered.problems] or not any(
        "Zq" in piece for piece in rendered.html if isinstance(piece, str)
    )


def test_an_international_host_is_written_as_its_a_label() -> None:
    assert restoring.clean("https://bücher.example/ä b?q=ü") == "https://xn--bcher-kva.example/%C3%A4%20b?q=%C3%BC"


def test_a_broken_template_says_its_line(desk: Desk) -> None:
    theme = desk.root / "templates" / "plain" / "theme.mjml.j2"
    theme.write_text(theme.read_text().replace("{{ blocks }}", "{{ blokcs }}"))
    line = theme.read_text().split("\n").index("{{ blokcs }}") + 1
    with pytest.raises(NewsletterError) as caught:
        desk.render("Words.\n")
    problem = caught.value.problems[0]
    assert problem.code == "theme-fault" and problem.where is not None
    assert (problem.where.file, problem.where.line) == ("templates/plain/theme.mjml.j2", line)


def test_a_template_cannot_reach_out_of_its_sandbox(desk: Desk) -> None:
    for attack in ("{{ site.__class__.__mro__ }}", "{{ ''.__class__ }}", "{{ lipsum() }}", "{{ cycler('a') }}"):
        shutil.copytree(desk.root / "templates" / "plain", desk.root / "templates" / "bad", dirs_exist_ok=True)
        (desk.root / "templates" / "bad" / "theme.mjml.j2").write_text(f"<mjml><mj-body>{attack}</mj-body></mjml>")
        issue = desk.issue("Words.\n", more="")
        from newsletter.rendering import pipeline

        with pytest.raises(NewsletterError):
            pipeline.render(issue, themes.load("bad", desk.config), desk.config)


def test_every_html_page_is_well_formed_for_lxml(desk: Desk) -> None:
    parser = etree.HTMLParser(recover=False)
    etree.fromstring(desk.copy("# News\n\n- a\n- b\n").html.split("\n", 1)[1], parser)
