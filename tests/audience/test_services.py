"""People of another service come with what they chose there: who left has left, who bounced is not mailed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from newsletter.audience import importing, services
from newsletter.audience.models import ConsentEvent, Subscriber, Subscription, Suppression
from newsletter.problems import NewsletterError
from tests.workspace import Workspace

MAILCHIMP = '"Email Address","First Name","Last Name",MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LEID'
LISTMONK = "uuid,email,name,attributes,status,created_at,updated_at\n"


def imported(workspace: Workspace, service: str, data: str) -> importing.Counts:
    path = workspace.write("recipients/export.csv", data)
    plan = importing.plan(path, workspace.config, "monthly", service=service)
    assert plan.counts.adds_up and {problem.code for problem in plan.problems} <= {"column-understood"}
    counts = importing.run(plan).counts
    assert counts == plan.counts
    return counts


def everything() -> list[object]:
    models = (Subscriber, Subscription, ConsentEvent, Suppression)
    return [list(model.objects.order_by("pk").values()) for model in models]


def states() -> list[tuple[str, str]]:
    return list(Subscription.objects.order_by("subscriber__canonical").values_list("subscriber__canonical", "state"))


def test_the_three_files_of_mailchimp_keep_states_dates_and_tags(workspace: Workspace) -> None:
    joined = f'{MAILCHIMP},TAGS\nsam@example.org,Sam,Lee,4,,,"2021-05-01 10:00:00",192.0.2.1,7,"""young"",""north"""\n'
    left = f'{MAILCHIMP},UNSUB_TIME\nada@example.org,Ada,B,2,,,"2020-01-01 10:00:00",,8,"2022-02-03 04:05:06"\n'
    gone = f'{MAILCHIMP},CLEAN_TIME\nbob@example.org,Bob,C,2,,,,,9,"2023-03-04 05:06:07"\n'
    assert imported(workspace, "mailchimp", joined).new == 1
    assert imported(workspace, "mailchimp", left).departed == {"left": 1}
    assert imported(workspace, "Mailchimp", gone).departed == {"gone": 1}
    assert states() == [("ada@example.org", "left"), ("sam@example.org", "confirmed")]
    assert Subscriber.objects.get(canonical="sam@example.org").attributes == {"tags": ["young", "north"]}
    assert Subscriber.objects.get(canonical="ada@example.org").first_name == "", "no more is kept than is needed"
    assert list(Suppression.objects.values_list("canonical", "scope", "reason")) == [("bob@example.org", "all", "gone")]
    assert list(ConsentEvent.objects.order_by("at").values_list("canonical", "event", "at")) == [
        ("sam@example.org", "joined", datetime(2021, 5, 1, 10, tzinfo=UTC)),
        ("ada@example.org", "left", datetime(2022, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("bob@example.org", "suppressed", datetime(2023, 3, 4, 5, 6, 7, tzinfo=UTC)),
    ]
    before = everything()
    for file in (joined, left, gone):
        imported(workspace, "mailchimp", file)
    assert everything() == before, "the same files again change nothing"


def test_a_listmonk_export_keeps_who_is_enabled_disabled_and_blocklisted(workspace: Workspace) -> None:
    counts = imported(
        workspace,
        "listmonk",
        LISTMONK
        + '1,sam@example.org,Sam,"{""city"": ""X""}",enabled,2021-05-01 10:00:00.123456 +0000 UTC,\n'
        + "2,ada@example.org,Ada,{},disabled,2021-05-01 10:00:00 +0000 UTC,2022-05-01 10:00:00 +0000 UTC\n"
        + "3,bob@example.org,Bob,{},blocklisted,,\n",
    )
    assert (counts.new, counts.departed) == (1, {"left": 1, "blocked": 1})
    assert states() == [("ada@example.org", "left"), ("sam@example.org", "confirmed")]
    [bob] = Suppression.objects.all()
    assert (bob.canonical, bob.scope, bob.reason) == ("bob@example.org", "bulk", "unsubscribed")


def test_govdelivery_subscribers_and_its_report_of_deleted_ones_are_understood(workspace: Workspace) -> None:
    assert imported(workspace, "govdelivery", "Contacts,Origin,Subscription Created\na@example.org,Direct,\n").new == 1
    deleted = (
        "Date Deleted,Date Created,Days Subscribed,Country Code,Destination,Deletion Reason,Deleted By\n"
        "2022-05-01 10:00:00,,3,,b@example.org,By Subscriber,\n"
        "2022-05-01 10:00:00,,3,,c@example.org,Repeated Soft Delivery Failures,\n"
    )
    assert imported(workspace, "govdelivery", deleted).departed == {"left": 1, "gone": 1}


def test_who_joined_here_after_leaving_there_stays_and_who_joined_before_has_left(workspace: Workspace) -> None:
    workspace.people("sam@example.org", lists=("monthly",))
    row = "1,sam@example.org,Sam,{},disabled,,{}\n"
    imported(workspace, "listmonk", LISTMONK + row.replace(",,{}", ",,2020-01-01 10:00:00"))
    assert states() == [("sam@example.org", "confirmed")]
    imported(workspace, "listmonk", LISTMONK + row.replace(",,{}", ",,"))
    assert states() == [("sam@example.org", "left")], "without a date the cautious answer counts"


def test_two_rows_of_one_person_count_as_the_worse(workspace: Workspace) -> None:
    rows = "1,sam@example.org,Sam,{},blocklisted,,\n2,SAM@example.org,Sam,{},enabled,,\n"
    path = workspace.write("recipients/export.csv", LISTMONK + rows)
    assert importing.plan(path, workspace.config, "monthly", service="listmonk").counts.departed == {"blocked": 1}


def test_a_file_of_somebody_else_and_an_unknown_service_are_refused(workspace: Workspace) -> None:
    path = workspace.write("recipients/export.csv", "email\nsam@example.org\n")
    for service, code in (("mailchimp", "not-an-export"), ("mailchump", "unknown-service")):
        with pytest.raises(NewsletterError) as caught:
            importing.plan(path, workspace.config, "monthly", service=service)
        assert caught.value.problems[0].code == code


@pytest.mark.parametrize("text", ["", "yesterday", "2999-01-01 00:00:00", "0001-01-01 00:00:00", "2022-13-01 00:00:00"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert services.when(text) is None
