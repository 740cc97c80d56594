"""Exports of other services: who left or cannot be reached there stays so here, with the day and the reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from newsletter.audience import importing, subscribing
from newsletter.audience.guided.past import moment
from newsletter.audience.importing import Counts
from newsletter.audience.models import ConsentEvent, Subscriber, Subscription, Suppression
from newsletter.problems import NewsletterError
from tests.workspace import Workspace

MAILCHIMP = (
    '"Email Address","First Name","Last Name","Letters about",MEMBER_RATING,OPTIN_TIME,OPTIN_IP,'
    "CONFIRM_TIME,CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS"
)
SUBSCRIBED = f"""{MAILCHIMP}
sam@example.org,Sam,Jones,"Bins, Roads",2,"2019-03-05 14:22:33",192.0.2.7,"2019-03-05 14:30:01",192.0.2.7,,,,,,,,\
"2024-01-01 00:00:00",1,a1,,"""
SUBSCRIBED += '''"""North ward"",""Volunteer"""
ada@example.org,Ada,,,2,"2020-01-02 03:04:05",,,,,,,,,,,"2024-01-01 00:00:00",2,a2,,
'''
UNSUBSCRIBED = f"""{MAILCHIMP},UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER
eve@example.org,Eve,Private,,2,"2018-01-01 00:00:00",,,,,,,,,,,"2021-06-07 08:09:10",3,a3,,,"2021-06-07 08:09:10",\
May,c1,"No longer interested",
mal@example.org,,,,2,"2018-01-01 00:00:00",,,,,,,,,,,"2021-06-07 08:09:10",4,a4,,,"2021-06-08 00:00:00",\
May,c1,"They marked it as spam",
"""
CLEANED = f"""{MAILCHIMP},CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID
gone@example.org,,,,2,"2018-01-01 00:00:00",,,,,,,,,,,"2021-06-07 08:09:10",5,a5,,,"2022-02-03 04:05:06",May,c1
"""


def brought(
    workspace: Workspace,
    data: str,
    service: str = "mailchimp",
    name: str = "export.csv",
    *,
    state: str = "",
    lists: tuple[str, ...] = ("monthly",),
    mapped: tuple[str, ...] = (),
) -> Counts:
    path = workspace.write(f"recipients/{name}", data)
    plan = importing.plan(path, workspace.config, lists, service=service, state=state, mapped=mapped)
    counts = importing.run(plan, wording="Yes please").counts
    assert counts == plan.counts, "the preview told the truth"
    assert counts.adds_up
    return counts


def states() -> dict[str, str]:
    return {row.subscriber.canonical: row.state for row in Subscription.objects.select_related("subscriber")}


def test_who_is_subscribed_at_mailchimp_keeps_the_day_on_which_they_confirmed(workspace: Workspace) -> None:
    counts = brought(workspace, SUBSCRIBED)
    assert (counts.new, counts.there) == (2, {"subscribed": 2})
    sam = Subscriber.objects.get(canonical="sam@example.org")
    assert (sam.first_name, sam.last_name) == ("Sam", "Jones")
    assert sam.attributes == {"tags": ["North ward", "Volunteer"]}
    event = ConsentEvent.objects.get(canonical="sam@example.org")
    assert (event.event, event.at) == ("joined", datetime(2019, 3, 5, 14, 30, 1, tzinfo=UTC))
    assert event.recorded > timezone.now() - timedelta(hours=1)
    assert Subscription.objects.get(subscriber=sam).changed == event.at
    assert brought(workspace, SUBSCRIBED).unchanged == 2


def test_groups_become_tags_where_the_column_is_named(workspace: Workspace) -> None:
    brought(workspace, SUBSCRIBED, mapped=("Letters about=tags",))
    assert Subscriber.objects.get(canonical="sam@example.org").attributes["tags"] == [
        *("Bins", "Roads", "North ward", "Volunteer")
    ]


def test_who_left_there_has_left_here_with_the_day_and_their_reason(workspace: Workspace) -> None:
    counts = brought(workspace, UNSUBSCRIBED)
    assert (counts.off, counts.there, counts.stopped) == (2, {"unsubscribed": 1, "complained": 1}, 2)
    eve = Subscription.objects.get(subscriber__canonical="eve@example.org")
    assert (eve.state, eve.changed) == ("left", datetime(2021, 6, 7, 8, 9, 10, tzinfo=UTC))
    assert eve.subscriber.address == "eve@example.org"
    assert (eve.subscriber.first_name, eve.subscriber.last_name) == ("", ""), "no more than the address is kept"
    event = ConsentEvent.objects.get(canonical="eve@example.org")
    assert (event.event, event.at, event.wording) == ("left", eve.changed, None)
    assert event.why.endswith("export.csv; No longer interested")
    never = Suppression.objects.get(canonical="mal@example.org")
    assert (never.scope, never.reason) == ("bulk", "complaint")


def test_a_cleaned_address_is_never_mailed_again(workspace: Workspace) -> None:
    assert brought(workspace, CLEANED, lists=()).there == {"bounced": 1}
    never = Suppression.objects.get()
    assert (never.canonical, never.scope, never.reason) == ("gone@example.org", "all", "gone")
    assert never.at == datetime(2022, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert not Subscriber.objects.exists()


@pytest.mark.parametrize("data", [SUBSCRIBED, UNSUBSCRIBED, CLEANED])
def test_the_same_export_twice_changes_nothing(workspace: Workspace, data: str) -> None:
    brought(workspace, data)
    before = [list(model.objects.order_by("pk").values()) for model in (Subscription, ConsentEvent, Suppression)]
    again = brought(workspace, data)
    assert not again.changes
    assert before == [
        list(model.objects.order_by("pk").values()) for model in (Subscription, ConsentEvent, Suppression)
    ]


def test_people_who_never_agreed_are_not_taken(workspace: Workspace) -> None:
    with pytest.raises(NewsletterError, match="subscriber"):
        brought(workspace, SUBSCRIBED, name="nonsubscribed_email_audience_export_1.csv")


def test_an_earlier_import_of_somebody_who_had_left_there_is_put_right(workspace: Workspace) -> None:
    path = workspace.write("recipients/all.csv", "email\neve@example.org\n")
    importing.run(importing.plan(path, workspace.config, "monthly"), wording="Yes")
    assert brought(workspace, UNSUBSCRIBED).stopped == 2
    assert states() == {"eve@example.org": "left"}


def test_an_own_choice_here_after_leaving_there_counts(workspace: Workspace) -> None:
    workspace.people("eve@example.org", lists=("monthly",))
    ConsentEvent.objects.create(canonical="eve@example.org", list_key="monthly", event="joined", channel="page")
    assert brought(workspace, UNSUBSCRIBED).stopped == 1, "only the other one"
    assert states() == {"eve@example.org": "confirmed"}


def test_nobody_is_brought_back_who_left_or_is_suppressed_here(workspace: Workspace) -> None:
    brought(workspace, SUBSCRIBED)
    subscribing.leave("sam@example.org", ["monthly"], "one-click")
    subscribing.suppress("ada@example.org", "bulk", "staff", "staff")
    counts = brought(workspace, SUBSCRIBED)
    assert (counts.left, counts.suppressed) == (1, {"staff": 1})
    assert states()["sam@example.org"] == "left"


def test_one_address_as_subscribed_and_as_unsubscribed_ends_as_unsubscribed(workspace: Workspace) -> None:
    data = "Email Address,Status,OPTIN_TIME,UNSUB_TIME\n"
    data += "sam@example.org,Subscribed,2020-01-01 00:00:00,\nSam@Example.org,Unsubscribed,,2021-01-01 00:00:00\n"
    data += "new@example.org,Pending,2020-01-01 00:00:00,\n"
    counts = brought(workspace, data, name="subscribed.csv")
    assert (counts.new, counts.off, counts.repeated) == (1, 1, 1)
    assert states() == {"sam@example.org": "left", "new@example.org": "pending"}
    assert ConsentEvent.objects.get(canonical="new@example.org").event == "asked"


LISTMONK = """uuid,email,name,attributes,status,created_at,updated_at
u1,sam@example.org,Sam Jones,"{""ward"": ""North"", ""tags"": [""a"", ""b""], ""x"": 1}",enabled,\
2024-03-05 10:22:33.123456 +0100 CET,2024-04-01 00:00:00 +0000 UTC
u2,eve@example.org,Eve,{},disabled,2024-03-05 10:22:33 +0000 +0000,2024-05-01 00:00:00 +0000 UTC
u3,mal@example.org,Mal,not json,blocklisted,2024-03-05 10:22:33 +0000 +0000,2024-05-01 00:00:00 +0000 UTC
"""


def test_listmonks_states_and_attributes_are_kept(workspace: Workspace) -> None:
    assert "ward" in workspace.config.fields
    counts = brought(workspace, LISTMONK, "listmonk")
    assert counts.there == {"subscribed": 1, "unsubscribed": 1, "blocked": 1}
    sam = Subscriber.objects.get(canonical="sam@example.org")
    assert (sam.name, sam.attributes) == ("Sam Jones", {"ward": "North", "tags": ["a", "b"]})
    assert ConsentEvent.objects.get(canonical="sam@example.org").at == datetime(2024, 3, 5, 9, 22, 33, tzinfo=UTC)
    assert Suppression.objects.get().reason == "staff"


def test_the_state_that_listmonks_file_does_not_say_can_be_told(workspace: Workspace) -> None:
    data = LISTMONK.replace("disabled", "enabled").replace("blocklisted", "enabled")
    assert brought(workspace, data, "listmonk", state="unconfirmed").there == {"not confirmed": 3}
    assert set(states().values()) == {"pending"}


DELETED = """Date Deleted,Date Created,Days Subscribed,Country Code,Destination,Deletion Reason,Deleted By,\
Subscriptions Count
05/03/2021 10:22,01/02/2019 10:00,700,,eve@example.org,By Subscriber,eve@example.org,3
05/03/2021,01/02/2019,700,,gone@example.org,Repeated Soft Delivery Failures,,3
05/03/2021,01/02/2019,700,,half@example.org,Incomplete Double Opt In,,3
05/03/2021,01/02/2019,700,,mal@example.org,By Administrator,x@example.org,3
05/03/2021,01/02/2019,700,44,07700900123,By Subscriber,,3
"""


def test_who_was_deleted_at_govdelivery_is_suppressed_for_the_right_reason(workspace: Workspace) -> None:
    counts = brought(workspace, DELETED, "govdelivery", lists=())
    assert (counts.refused, counts.off) == (1, 4)
    assert {row.canonical: (row.scope, row.reason) for row in Suppression.objects.all()} == {
        "eve@example.org": ("bulk", "unsubscribed"),
        "gone@example.org": ("all", "gone"),
        "mal@example.org": ("bulk", "staff"),
    }
    assert Suppression.objects.get(canonical="eve@example.org").at == datetime(2021, 3, 5, 10, 22, tzinfo=UTC)


def test_govdeliverys_topics_are_kept_as_tags(workspace: Workspace) -> None:
    data = "Contact,Origin,Topic Name,Subscription Created\n"
    data += "sam@example.org,Direct,Bins,2021-05-06\nsam@example.org,Direct,Roads,2020-05-06\n"
    assert brought(workspace, data, "govdelivery").new == 1
    assert ConsentEvent.objects.get().at == datetime(2020, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2019-03-05 14:22:33", datetime(2019, 3, 5, 14, 22, 33, tzinfo=UTC)),
        ("2019-03-05T14:22:33Z", datetime(2019, 3, 5, 14, 22, 33, tzinfo=UTC)),
        ("2019-03-05 14:22:33.5 -0500 EST", datetime(2019, 3, 5, 19, 22, 33, tzinfo=UTC)),
        ("05/03/2019 02:22 PM", datetime(2019, 3, 5, 14, 22, tzinfo=UTC)),
        ("05/03/2019", datetime(2019, 3, 5, tzinfo=UTC)),
        ("0001-01-01 00:00:00 +0000 UTC", None),
        ("2019-13-05", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_moments_are_read_as_exports_write_them(text: str, found: datetime | None) -> None:
    assert moment(text) == found


def test_months_come_first_in_america() -> None:
    assert moment("05/03/2019 12:05 AM", american=True) == datetime(2019, 5, 3, 0, 5, tzinfo=UTC)
