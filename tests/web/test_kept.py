"""What is kept from one request to the next: connections, and what is the same for everybody. Never a person's copy."""

from __future__ import annotations

import re
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from newsletter.mail.tokens import Purpose, new_id
from newsletter.web import kept
from newsletter.web.server import THREADS
from tests.web.archived import SLUG, sent
from tests.web.conftest import Site

NAMES = {f"{name.lower()}@home.example": name for name in ("Ameera", "Bronwen", "Cledwyn", "Dilys")}


def own_links(site: Site) -> dict[str, str]:
    """The link of a mail, by the name of whose it is."""
    from newsletter.sending.models import Delivery

    for address, name in NAMES.items():
        site.workspace.people(address, first_name=name)
    sent(site.workspace)
    return {
        NAMES[row.canonical]: f"/v/{site.keyring.make(Purpose.VIEW, bytes(row.token))}"
        for row in Delivery.objects.order_by("pk")
    }


def test_nobody_is_shown_the_copy_of_another_however_they_ask(site: Site) -> None:
    links = own_links(site)
    assert set(links) == set(NAMES.values())

    def look(name: str) -> tuple[str, str, str]:
        led = site.get(links[name])
        shared = led.headers["location"].partition("?")[0]
        own, public = site.get(led.headers["location"]), site.get(shared)
        assert (led.status, own.status, public.status) == (303, 200, 200)
        assert "no-store" in own.headers["cache-control"]
        return name, own.text, public.text

    with ThreadPoolExecutor(8) as several:
        for name, own, public in several.map(look, list(NAMES.values()) * 12):
            assert f"Hello {name}" in own
            assert not [other for other in NAMES.values() if other != name and other in own]
            assert not [other for other in NAMES.values() if other in public] and "Hello neighbour" in public


def test_a_seal_for_one_copy_shows_no_other(site: Site) -> None:
    links = own_links(site)
    first, second = (site.get(links[name]).headers["location"] for name in ("Ameera", "Dilys"))
    stored, seal = (re.search(r"own=([0-9a-f]+)-(.+)$", one) for one in (first, second))
    assert stored and seal
    answer = site.get(f"{first.partition('?')[0]}?own={stored[1]}-{seal[2]}")
    assert "Hello neighbour" in answer.text and "Ameera" not in answer.text and "Dilys" not in answer.text


def test_a_link_of_a_mail_leads_on_whatever_somebody_has_hung_on_it(site: Site) -> None:
    link = own_links(site)["Ameera"]
    led = site.get(f"{link}?own=nonsense")
    assert led.status == 303 and "Hello Ameera" in site.get(led.headers["location"]).text
    assert site.get(f"{led.headers['location']}x").text.count("Hello neighbour") == 1


def test_another_mailing_of_the_same_number_is_not_the_one_that_is_remembered(site: Site) -> None:
    """As when another database is put in the place of this one."""
    from newsletter.sending.models import Mailing

    sent(site.workspace, words="the first database.")
    assert "the first database." in site.get(f"/archive/{SLUG}").text
    mailing = Mailing.objects.get()
    mailing.public[""]["html"] = [
        part.replace("the first database.", "another one.") if isinstance(part, str) else part
        for part in mailing.public[""]["html"]
    ]
    mailing.public_id = new_id()
    mailing.save()
    assert "another one." in site.get(f"/archive/{SLUG}").text


def test_requests_find_the_database_open(site: Site) -> None:
    from django.db.backends.signals import connection_created

    opened: list[object] = []

    def count(**_: object) -> None:
        opened.append(1)

    connection_created.connect(count)
    try:
        for _ in range(4 * THREADS):
            assert site.get("/healthz").status == 200
    finally:
        connection_created.disconnect(count)
    assert len(opened) <= THREADS


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Each look at whether a connection to the server still lives."""
    from django.db import connection

    if connection.vendor != "postgresql":
        pytest.skip("SQLite is a file: there is nobody to hang up")
    looks: list[object] = []
    real = type(connections["default"]).is_usable

    def is_usable(self: object) -> bool:
        looks.append(self)
        return real(self)

    monkeypatch.setattr(type(connections["default"]), "is_usable", is_usable)
    return looks


def test_a_server_that_is_silent_is_asked_only_once_in_a_while_whether_it_lives(
    site: Site, asked: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    link = site.leave_link()
    monkeypatch.setattr(kept, "ASKED", 3600)
    for _ in range(2 * THREADS):
        assert site.get(link).status == 200
    assert not asked
    monkeypatch.setattr(kept, "ASKED", 0)
    for _ in range(2 * THREADS):
        assert site.get(link).status == 200
    assert len(asked) >= THREADS


def test_whoever_is_there_when_the_server_has_hung_up_gets_their_page_and_can_leave(
    site: Site, asked: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "ASKED", 3600)
    link = site.leave_link()
    for answers in (lambda: site.get(link), lambda: site.post(link, action="leave"), lambda: site.get(link)):
        with ThreadPoolExecutor(THREADS) as several:
            assert {one.status for one in several.map(lambda _: site.get(link), range(4 * THREADS))} == {200}
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            assert cursor.fetchall()
        for _ in range(2 * THREADS):
            assert answers().status == 200
    assert asked and "You are unsubscribed" in site.get(link).text


@pytest.mark.sqlite
def test_a_backup_that_is_put_back_meanwhile_is_what_is_read_and_written(site: Site) -> None:
    from newsletter.audience.models import Subscription

    link = site.leave_link()
    path = site.workspace.root / "var" / "newsletter.db"
    with sqlite3.connect(path) as source, sqlite3.connect(path.with_name("backup.db")) as target:
        source.backup(target)
    for _ in range(2 * THREADS):
        assert "You are unsubscribed" not in site.get(link).text
    connections.close_all()
    shutil.move(path.with_name("backup.db"), path)
    for name in ("newsletter.db-wal", "newsletter.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    assert site.post(link, action="leave").status == 200
    for _ in range(2 * THREADS):
        assert site.get(link).status == 200
    assert Subscription.objects.get().state == "left"
