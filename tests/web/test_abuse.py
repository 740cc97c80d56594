"""Ten thousand abusive sign-ups: no address gets a second mail, no ceiling is passed, and nobody is locked out."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from unittest import mock

import pytest
from django.test import Client

from tests.workspace import Workspace


@pytest.fixture
def post(workspace: Workspace) -> Callable[..., int]:
    from newsletter.sending import keys
    from newsletter.web import filling

    ring = keys.keyring(workspace.ready())
    client = Client()
    field = filling.stamp(ring, 0)

    def send(email: str, ip: str) -> int:
        form = {"shown": field, "email": email, "list": "all-residents"}
        with mock.patch.object(filling, "OLDEST", float("inf")):
            return client.post("/subscribe", form, REMOTE_ADDR=ip).status_code

    return send


@pytest.mark.timeout(400)  # some 5 ms a request, on a machine that does other things, too
def test_ten_thousand_requests_stay_under_every_ceiling(
    workspace: Workspace, post: Callable[..., int], pytestconfig: pytest.Config
) -> None:
    """Ten thousand with --everything; every day a tenth, which shows the same of each address."""
    many = 10_000 if pytestconfig.getoption("--everything") else 1_000
    from newsletter.audience import requests
    from newsletter.audience.models import Request
    from newsletter.sending import own_asking
    from newsletter.sending.models import Notice

    victims = [f"victim{number}@example.net" for number in range(400)]
    spellings = (str.lower, str.upper, str.title, lambda text: f" {text} ")
    networks = itertools.cycle([f"203.0.{number}.{number}" for number in range(100)])
    statuses: Counter[int] = Counter()
    for number in range(many):
        spelled = spellings[number % 4](victims[number * 7 % len(victims)])
        statuses[post(spelled, next(networks))] += 1
    assert statuses == {200: many}
    fresh = itertools.count()
    statuses.clear()
    for _ in range(300):  # one network, an address each
        statuses[post(f"fresh{next(fresh)}@example.net", "2001:db8:1:2::5")] += 1
    assert statuses == {200: requests.MOST_A_NETWORK, 429: 300 - requests.MOST_A_NETWORK}
    for _ in range(600):  # every request from another network
        statuses[post(f"fresh{next(fresh)}@example.net", f"198.{next(fresh) % 200}.7.1")] += 1
    assert Request.objects.count() == requests.MOST_AN_HOUR
    assert post("honest@example.org", "192.0.2.1") == 429
    while own_asking.work(workspace.config):
        pass
    each = Counter(Notice.objects.values_list("canonical", flat=True))
    assert max(each.values()) == 1 and sum(each.values()) == requests.MOST_AN_HOUR


def test_one_network_does_not_lock_out_another(post: Callable[..., int]) -> None:
    from newsletter.audience import requests

    with mock.patch.object(requests, "MOST_A_NETWORK", 3):
        assert [post(f"a{n}@example.net", "203.0.113.9") for n in range(5)] == [200, 200, 200, 429, 429]
        assert post("b@example.net", "203.0.114.9") == 200
        assert [post(f"c{n}@example.net", "::ffff:203.0.113.77") for n in range(2)] == [429, 429]
        assert [post(f"d{n}@example.net", "127.0.0.1") for n in range(5)] == [200] * 5  # a proxy


def test_no_address_of_a_computer_is_kept(post: Callable[..., int]) -> None:
    from newsletter.audience.models import Attempts, Request

    post("a@example.net", "203.0.113.9")
    kept = str(list(Attempts.objects.values())) + str(list(Request.objects.values()))
    assert "203.0" not in kept and Attempts.objects.get().count == 1
