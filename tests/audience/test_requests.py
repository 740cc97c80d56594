"""Links asked for on public pages: made once, however the forms come in."""

from __future__ import annotations

from newsletter.audience import requests
from newsletter.audience.models import Request
from tests.together import together
from tests.workspace import Workspace

SAM = "sam@example.org"


def test_eight_forms_at_the_same_moment_are_one_confirmation(workspace: Workspace) -> None:
    together(lambda: requests.make("subscribe", SAM, SAM, {"lists": ["monthly"]}, "Yes, please."), times=8)
    assert Request.objects.count() == 1
    assert not requests.allowed("subscribe", SAM)


def test_of_the_other_links_three_a_day_are_made_at_most(workspace: Workspace) -> None:
    together(lambda: requests.make("data", SAM, SAM, {}), times=8)
    assert Request.objects.count() == requests.MOST_OTHER
