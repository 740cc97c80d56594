"""Signing up: always the same answer, one mail a day, a press to confirm, once; and nothing by opening a link."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from unittest import mock

import pytest

from newsletter.mail.tokens import Purpose
from tests.sending.test_own_mails import read, text_of
from tests.web.conftest import Answer, Site, everything
from tests.workspace import Workspace

COOKIE = re.compile(r"signup=([\w-]+);")


@pytest.fixture
def later() -> Iterator[None]:
    """Forms are filled in slowly enough."""
    from newsletter.web import filling

    with mock.patch.object(filling, "QUICKEST", 0.0):
        yield


pytestmark = pytest.mark.usefixtures("later")


def shown(site: Site) -> str:
    found = re.search(r'name="shown" value="([^"]+)"', site.get("/subscribe").text)
    assert found
    return found[1]


def sign_up(site: Site, email: str = "new@example.net", **more: str) -> Answer:
    return site.post("/subscribe", **{"shown": shown(site), "email": email, "list": "all-residents", **more})


def work(site: Site) -> list[tuple[str, str, str]]:
    """What the worker queues now: (address, subject, link)."""
    from newsletter.sending import own_asking
    from newsletter.sending.models import Notice

    before = set(Notice.objects.values_list("pk", flat=True))
    own_asking.work(site.workspace.config)
    found = []
    for notice in Notice.objects.exclude(pk__in=before).order_by("pk"):
        mail = read(bytes(notice.data))
        link = re.search(r"http://127\.0\.0\.1:8000(/[cp]/[a-z2-7]{32})", text_of(mail))
        found.append((notice.address, str(mail["Subject"]), link[1] if link else ""))
    return found


def state(address: str = "new@example.net") -> dict[str, str]:
    from newsletter.audience.models import Subscription

    rows = Subscription.objects.filter(subscriber__canonical=address)
    return dict(rows.values_list("list__key", "state"))


def test_who_signs_up_gets_one_mail_and_is_on_the_list_after_a_press(site: Site) -> None:
    from newsletter.audience.models import ConsentEvent, Subscriber

    answer = sign_up(site, name="Sam Okafor", area="st16 3aa")
    assert answer.status == 200 and "Look into your mailbox" in answer.text
    assert state() == {}
    [(to, subject, link)] = work(site)
    assert (to, subject) == ("new@example.net", "Please confirm: messages from Example Council")
    assert state() == {"all-residents": "pending"}
    page = site.get(link)
    assert "All residents" in page.text and "Yes, send them to me</button>" in page.text
    assert state() == {"all-residents": "pending"}
    assert "You are signed up" in site.post(link, action="yes").text
    assert state() == {"all-residents": "confirmed"}
    person = Subscriber.objects.get()
    assert (person.name, person.first_name) == ("Sam Okafor", "Sam"), "so that a letter greets them by it"
    assert person.attributes == {"postcode": "ST16 3AA"}
    events = ConsentEvent.objects.order_by("pk")
    assert [(one.event, one.channel) for one in events] == [("asked", "page"), ("joined", "page")]
    assert events[1].wording and "for nothing else" in events[1].wording.text and "[Sign up]" in events[1].wording.text
    [welcome] = [one for one in queued() if one.startswith("Welcome")]
    assert welcome == "Welcome: you get messages from Example Council"


def queued() -> list[str]:
    from newsletter.sending.models import Notice

    return [str(read(bytes(one.data))["Subject"]) for one in Notice.objects.order_by("pk")]


def test_pressing_twice_is_one_welcome_and_later_brings_nobody_back(site: Site) -> None:
    from newsletter.audience import subscribing

    sign_up(site)
    [(_, _, link)] = work(site)
    for _ in range(3):
        assert "You are signed up" in site.post(link, action="yes").text
    assert "You are signed up" in site.get(link).text
    assert len(queued()) == 2
    subscribing.leave("new@example.net", ["all-residents"], "page")
    assert "This link was used already" in site.post(link, action="yes").text
    assert state() == {"all-residents": "left"}


def test_the_browser_that_asked_needs_no_button(site: Site) -> None:
    answer = sign_up(site)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/c/" in cookie
    [(_, _, link)] = work(site)
    word = COOKIE.search(cookie)
    assert word
    assert "Yes, send them to me" in site.get(link, Cookie="signup=somebody-elses").text
    site.ask("HEAD", link, Cookie=f"signup={word[1]}")
    assert state() == {"all-residents": "pending"}
    assert "You are signed up" in site.get(link, Cookie=f"signup={word[1]}").text
    assert state() == {"all-residents": "confirmed"}


def test_the_answer_is_the_same_for_known_unknown_and_suppressed_addresses(site: Site) -> None:
    from newsletter.audience import subscribing

    site.workspace.people("known@example.net")
    subscribing.suppress("gone@example.net", "all", "gone", "mail")
    subscribing.suppress("angry@example.net", "bulk", "complaint", "mail")
    subscribing.suppress("left@example.net", "bulk", "unsubscribed", "page")
    pages = set()
    for who in ("known", "unknown", "gone", "angry", "left"):
        answer = sign_up(site, f"{who}@example.net")
        assert answer.status == 200
        pages.add(answer.text.replace(f"{who}@example.net", "WHO"))
    assert len(pages) == 1
    mails = {to: subject for to, subject, _ in work(site)}
    assert set(mails) == {"known@example.net", "unknown@example.net", "left@example.net"}
    assert mails["known@example.net"] == "You get our messages already"


def test_the_answer_takes_the_same_time_whoever_it_is(site: Site) -> None:
    from newsletter.audience import subscribing

    site.workspace.people(*(f"known{n}@example.net" for n in range(15)))
    for n in range(15):
        subscribing.suppress(f"gone{n}@example.net", "all", "gone", "mail")
    field, took = shown(site), {"known": [], "unknown": [], "gone": []}  # type: dict[str, list[float]]
    for n in range(15):
        for who, times in took.items():
            began = time.perf_counter()
            site.post("/subscribe", shown=field, email=f"{who}{n}@example.net", list="all-residents")
            times.append(time.perf_counter() - began)
    fastest = [sorted(times)[3] for times in took.values()]
    assert max(fastest) - min(fastest) < 0.02, fastest


def test_an_address_gets_one_confirmation_a_day_and_three_in_all(site: Site) -> None:
    from newsletter.audience.models import Request

    sent = 0
    for _ in range(6):
        for _ in range(3):
            assert "Look into your mailbox" in sign_up(site, "Victim@Example.net").text
        sent += len(work(site))
        for row in Request.objects.all():
            Request.objects.filter(pk=row.pk).update(created=row.created - timedelta(hours=25))
    assert sent == 3


def test_a_trap_that_only_programs_fill_in_sends_nothing(site: Site) -> None:
    from newsletter.audience.models import Request

    assert "Look into your mailbox" in sign_up(site, website="http://spam.example").text
    assert not Request.objects.exists()


def test_who_is_too_quick_or_comes_from_another_page_presses_once_more(site: Site) -> None:
    from newsletter.audience.models import Request
    from newsletter.web import filling

    with mock.patch.object(filling, "QUICKEST", 60.0):
        again = sign_up(site, name="Sam")
    assert again.status == 200 and "press the button once more" in again.text
    assert 'value="new@example.net"' in again.text and 'value="Sam"' in again.text and "checked" in again.text
    foreign = site.post("/subscribe", email="new@example.net", list="monthly")
    assert "press the button once more" in foreign.text
    assert "press the button once more" in site.post("/subscribe", shown="1.aa", email="new@example.net").text
    assert not Request.objects.exists()


def test_mistakes_are_named_at_their_fields(site: Site) -> None:
    answer = site.post("/subscribe", shown=shown(site), email="not an address")
    assert answer.status == 422
    assert 'href="#email"' in answer.text and 'href="#list-all-residents"' in answer.text
    assert answer.text.count('aria-invalid="true"') == 2


def test_what_was_typed_as_a_name_never_reaches_a_mail(site: Site) -> None:
    from newsletter.audience.models import Request

    sign_up(site, name="WIN http://spam.example")
    sign_up(site, "other@example.net", name="Buy now cheap.example/offer")
    assert all("name" not in row.facts for row in Request.objects.all())
    sign_up(site, "third@example.net", name="Anna-Lena Müller")
    work(site)
    from newsletter.sending.models import Notice

    assert not any(b"ller" in bytes(one.data) or b"spam" in bytes(one.data) for one in Notice.objects.all())


def test_the_form_for_other_websites_needs_no_script(site: Site) -> None:
    import html

    answer = site.get("/subscribe/form")
    lines = html.unescape(answer.text[answer.text.index("&lt;form") : answer.text.index("</textarea>")])
    assert 'action="http://127.0.0.1:8000/subscribe"' in lines and "<script" not in lines and 'name="email"' in lines


@pytest.mark.parametrize("purpose", [one for one in Purpose if one is not Purpose.CONFIRM])
def test_a_token_for_something_else_confirms_nothing(site: Site, purpose: Purpose) -> None:
    from newsletter.audience.models import Request

    sign_up(site)
    work(site)
    other = f"/c/{site.keyring.make(purpose, bytes(Request.objects.get().token))}"
    before = everything()
    assert site.post(other, action="yes").status == 404
    assert everything() == before


def test_a_cut_forged_or_old_link_is_answered_kindly(site: Site) -> None:
    from newsletter.audience.models import Request

    sign_up(site)
    [(_, _, link)] = work(site)
    for wrong in (link[:-1], link[:-1] + ("a" if link[-1] != "a" else "b"), "/c/x", "/c/%00"):
        answer = site.post(wrong, action="yes")
        assert answer.status == 404 and "This link does not work" in answer.text
    Request.objects.update(expires=Request.objects.get().created)
    assert "This link is too old" in site.post(link, action="yes").text
    assert state() == {"all-residents": "pending"}


def test_opening_never_changes_anything(site: Site) -> None:
    sign_up(site)
    [(_, _, link)] = work(site)
    before = everything()
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST"):
        site.ask(method, link + "?action=yes")
        site.ask(method, "/subscribe?email=a@example.net&list=monthly")
        site.ask(method, "/subscribe/form")
    assert everything() == before


def test_the_person_reads_their_own_language(site: Site) -> None:
    from newsletter.sending.models import Notice

    field = re.search(r'name="shown" value="([^"]+)"', site.get("/subscribe", Accept_Language="ur").text)
    assert field
    body = f"shown={field[1]}&email=new@example.net&list=monthly"
    headers = {"Content_Type": "application/x-www-form-urlencoded", "Accept_Language": "ur"}
    assert 'lang="ur" dir="rtl"' in site.ask("POST", "/subscribe", body, **headers).text
    [(_, _, link)] = work(site)
    assert read(bytes(Notice.objects.get().data))["Content-Language"] == "ur"
    assert 'lang="ur"' in site.get(link).text


def test_strangers_are_not_kept(site: Site) -> None:
    from newsletter.audience import requests
    from newsletter.audience.models import Attempts, Request

    sign_up(site)
    work(site)
    Request.objects.update(created=Request.objects.get().created - timedelta(days=31))
    Attempts.objects.create(who="x", day="2020-01-01")
    assert requests.tidy() == 1 and requests.tidy() == 0
    row = Request.objects.get()
    assert row.canonical.startswith("erased:") and (row.address, row.facts) == ("", {})
    assert not Attempts.objects.exists()
    assert requests.allowed("subscribe", "new@example.net")
    for _ in range(2):
        Request.objects.create(
            token=Purpose.CONFIRM.encode() + bytes([Request.objects.count()] * 8),
            kind="subscribe",
            canonical=row.canonical,
            created=row.created,
            expires=row.expires,
        )
    assert not requests.allowed("subscribe", "new@example.net")


@pytest.mark.parametrize(
    ("proxy", "peer", "told", "meant"),
    [
        ("", "203.0.113.9", "198.51.100.7", "203.0.113.9"),  # nobody told us to believe it
        ("127.0.0.1", "127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "127.0.0.1", "10.9.9.9, 198.51.100.7", "198.51.100.7"),  # the visitor wrote the first one
        ("127.0.0.1", "203.0.113.9", "198.51.100.7", "203.0.113.9"),  # came past the proxy
        ("127.0.0.1", "127.0.0.1", "", "127.0.0.1"),
    ],
)
def test_only_the_named_proxy_tells_who_the_visitor_is(
    workspace: Workspace, proxy: str, peer: str, told: str, meant: str
) -> None:
    from django.test import RequestFactory

    from newsletter.web import visitor

    workspace.toml(f'[web]\nproxy = "{proxy}"\n')
    more = {"HTTP_X_FORWARDED_FOR": told} if told else {}
    assert visitor.address(RequestFactory().get("/subscribe", REMOTE_ADDR=peer, **more)) == meant
