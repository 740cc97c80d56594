"""The pages name a list in the language in which they are read, and say to a screen reader which one that is."""

from __future__ import annotations

import pytest

from tests.web.conftest import Site
from tests.web.test_signup import later, sign_up, work  # noqa: F401 (later is a fixture)

ME = "ameera.k@example.net"
WELSH = '[lists.all-residents.cy]\ntitle = "Pob preswylydd"\n'
IN_WELSH = '<bdi lang="cy">Pob preswylydd</bdi>'
IN_ENGLISH = '<bdi lang="en-GB">All residents</bdi>'
OTHER = '<bdi lang="en-GB">The monthly letter</bdi>'
BOTH = ("all-residents", "monthly")
pytestmark = pytest.mark.usefixtures("later")


@pytest.fixture(autouse=True)
def welsh(site: Site) -> None:
    site.workspace.toml(WELSH)


def test_a_persons_own_page_names_the_lists_in_their_language(site: Site) -> None:
    from newsletter.audience.models import ConsentEvent

    link = site.leave_link(ME, language="cy").replace("/u/", "/p/")
    page = site.get(link).text
    assert IN_WELSH in page and OTHER in page and "All residents" not in page
    saved = site.post(link, action="save", list="monthly", pause="none").text
    assert IN_WELSH in saved
    site.post(link, action="save", list="all-residents", pause="none")
    wording = ConsentEvent.objects.filter(list_key="all-residents").latest("id").wording
    assert wording and "Pob preswylydd" in wording.text


def test_an_english_page_names_them_in_english(site: Site) -> None:
    page = site.get(site.leave_link(ME, language="en-GB").replace("/u/", "/p/")).text
    assert IN_ENGLISH in page and "preswylydd" not in page


def test_the_page_to_leave_and_its_buttons_are_in_one_language(site: Site) -> None:
    from newsletter.audience.models import ConsentEvent

    link = site.leave_link(ME, BOTH, language="cy")
    page = site.get(link).text
    assert IN_WELSH in page and "<bdi>Pob preswylydd</bdi>" in page and "All residents" not in page
    assert IN_WELSH in site.post(link, action="only:all-residents").text
    assert "Pob preswylydd" in ConsentEvent.objects.get(event="left").wording.text


def test_signing_up_is_in_welsh_from_the_form_to_the_last_page(site: Site) -> None:
    form = site.get("/subscribe", Accept_Language="cy").text
    assert IN_WELSH in form and OTHER in form and "All residents" not in form
    assert IN_ENGLISH in site.get("/subscribe", Accept_Language="en").text
    sign_up(site)
    _, _, link = work(site)[0]
    assert IN_ENGLISH in site.get(link).text


def test_the_page_that_confirms_is_in_the_language_of_the_mail(site: Site) -> None:
    from newsletter.audience import requests
    from newsletter.audience.models import Request

    facts = {"lists": ["all-residents"], "language": "cy"}
    requests.make(Request.Kind.SUBSCRIBE, "new@example.net", "new@example.net", facts, "Pob preswylydd")
    _, _, link = work(site)[0]
    assert IN_WELSH in site.get(link).text
    done = site.post(link, action="yes").text
    assert IN_WELSH in done and "All residents" not in done


def test_the_form_for_another_website_is_in_the_sites_language(site: Site) -> None:
    assert "All residents" in site.get("/subscribe/form").text
