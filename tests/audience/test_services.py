"""People of another service come with what they chose there: who left has left, who bounced is not mailed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from newsletter.audience import importing, services, subscribing
from newsletter.audience.models import ConsentEvent, Subscriber, Subscription, Suppression
from newsletter.cli import recipients_import
from newsletter.problems import NewsletterError
from tests.workspace import Workspace

MAILCHIMP = '"Email Address","First Name","Last Name",MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LEID'
LISTMONK = "uuid,email,name,attributes,status,created_at,updated_at\n"


def imported(
    workspace: Workspace, service: str, data: str, state: str = "", lists: str = "monthly"
) -> importing.Counts:
    path = workspace.write("recipients/export.csv", data)
    plan = importing.plan(path, workspace.config, lists, service=service, state=state)
    assert plan.counts.adds_up and {problem.code for problem in plan.problems} <= {"column-understood", "first-names"}
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
    assert imported(workspace, "govdelivery", deleted).departed == {"everything": 1, "gone": 1}


def test_who_chose_here_after_leaving_there_stays(workspace: Workspace) -> None:
    workspace.people("sam@example.org", lists=("monthly",))
    ConsentEvent.objects.create(canonical="sam@example.org", list_key="monthly", event="joined", channel="page")
    row = "1,sam@example.org,Sam,{},disabled,,{}\n"
    assert not imported(workspace, "listmonk", LISTMONK + row.replace(",,{}", ",,2020-01-01 10:00:00")).changes
    assert states() == [("sam@example.org", "confirmed")]
    imported(workspace, "listmonk", LISTMONK + row.replace(",,{}", ",,"))
    assert states() == [("sam@example.org", "left")], "without a date the cautious answer counts"


def test_a_plain_import_of_somebody_who_had_left_there_is_put_right(workspace: Workspace) -> None:
    path = workspace.write("recipients/all.csv", "email\nsam@example.org\n")
    importing.run(importing.plan(path, workspace.config, "monthly"))
    Subscription.objects.update(paused_until=datetime(2099, 1, 1, tzinfo=UTC))
    left = LISTMONK + "1,sam@example.org,Sam,{},disabled,,2020-01-01 10:00:00\n"
    assert imported(workspace, "listmonk", left).departing == 1
    row = Subscription.objects.get()
    assert (row.state, row.changed, row.paused_until) == ("left", datetime(2020, 1, 1, 10, tzinfo=UTC), None)
    again = imported(workspace, "listmonk", left)
    assert (again.departed, again.departing, again.changes) == ({"left": 1}, 0, 0)


def test_who_never_confirmed_gets_nothing_before_they_do(workspace: Workspace) -> None:
    row = "1,sam@example.org,Sam,{},enabled,2020-01-01 10:00:00,\n"
    assert imported(workspace, "listmonk", LISTMONK + row, "unconfirmed").new == 1
    assert states() == [("sam@example.org", "pending")]
    event = ConsentEvent.objects.get()
    assert (event.event, event.at) == ("asked", datetime(2020, 1, 1, 10, tzinfo=UTC))
    assert not imported(workspace, "listmonk", LISTMONK + row, "unconfirmed").changes


def test_the_state_that_a_file_does_not_say_can_be_told_and_never_softens_one_that_it_does(
    workspace: Workspace,
) -> None:
    rows = "1,sam@example.org,Sam,{},enabled,,\n2,bob@example.org,Bob,{},blocklisted,,\n"
    assert imported(workspace, "listmonk", LISTMONK + rows, "unsubscribed").departed == {"left": 1, "blocked": 1}


def test_attributes_of_listmonk_fill_the_fields_that_are_declared_here(workspace: Workspace) -> None:
    facts = '"{""Ward"": ""North"", ""tags"": [""a"", ""b""], ""lang"": ""cy"", ""x"": {""y"": 1}}"'
    rows = f"1,sam@example.org,Sam,{facts},enabled,,\n2,ada@example.org,Ada,no json,enabled,,\n3,bob@example.org\n"
    assert imported(workspace, "listmonk", LISTMONK + rows).new == 2
    sam = Subscriber.objects.get(canonical="sam@example.org")
    assert (sam.language, sam.attributes) == ("cy", {"ward": "North", "tags": ["a", "b"]})
    assert Subscriber.objects.get(canonical="ada@example.org").attributes == {}


def test_a_row_with_too_many_cells_is_refused_whatever_its_attributes(workspace: Workspace) -> None:
    path = workspace.write("recipients/export.csv", LISTMONK + "1,sam@example.org,Sam,{},enabled,,,,\n")
    [problem] = importing.plan(path, workspace.config, "monthly", service="listmonk").problems
    assert problem.code == "too-many-cells"


def test_who_called_it_spam_at_mailchimp_has_complained(workspace: Workspace) -> None:
    data = f"{MAILCHIMP},UNSUB_TIME,UNSUB_REASON\nada@example.org,Ada,B,2,,,,,8,2022-02-03 04:05:06,Marked as spam\n"
    assert imported(workspace, "mailchimp", data).departed == {"complaint": 1}
    assert list(Suppression.objects.values_list("scope", "reason")) == [("bulk", "complaint")]


def test_files_of_people_who_are_on_no_list_any_more_need_none_named(workspace: Workspace) -> None:
    gone = f"{MAILCHIMP},CLEAN_TIME\nbob@example.org,Bob,C,2,,,,,9,2023-03-04 05:06:07\n"
    assert imported(workspace, "mailchimp", gone, lists="").departed == {"gone": 1}
    deleted = "Date Deleted,Destination,Deletion Reason\n"
    deleted += "2022-05-01,b@example.org,By Subscriber\n05/03/2021 02:22 PM,c@example.org,Blacklisted Address\n"
    assert imported(workspace, "govdelivery", deleted, lists="").departed == {"everything": 1, "blocked": 1}
    assert Suppression.objects.filter(at__year__gt=2023).count() == 3, "when we learned it; the proof says when it was"
    assert dict(ConsentEvent.objects.values_list("canonical", "at")) == {
        "bob@example.org": datetime(2023, 3, 4, 5, 6, 7, tzinfo=UTC),
        "b@example.org": datetime(2022, 5, 1, tzinfo=UTC),
        "c@example.org": datetime(2021, 3, 5, 14, 22, tzinfo=UTC),
    }
    assert not Subscriber.objects.exists()


def test_topics_of_govdelivery_become_tags(workspace: Workspace) -> None:
    data = "Contact,Origin,Topic Name,Subscription Created\nsam@example.org,Direct,Bins,2021-05-06\n"
    assert imported(workspace, "govdelivery", data).new == 1
    assert Subscriber.objects.get().attributes == {"tags": ["Bins"]}
    assert Subscription.objects.get().changed == datetime(2021, 5, 6, tzinfo=UTC)


def test_nobody_is_brought_back_who_left_here(workspace: Workspace) -> None:
    row = LISTMONK + "1,sam@example.org,Sam,{},enabled,2020-01-01 10:00:00,\n"
    imported(workspace, "listmonk", row)
    subscribing.leave("sam@example.org", ["monthly"], "one-click")
    assert imported(workspace, "listmonk", row).left == 1
    assert states() == [("sam@example.org", "left")]


def test_the_month_comes_first_in_america_only() -> None:
    assert services.when("05/03/2021 12:05 AM") == datetime(2021, 3, 5, 0, 5, tzinfo=UTC)
    assert services.when("05/03/2021 12:05 AM", american=True) == datetime(2021, 5, 3, 0, 5, tzinfo=UTC)


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


def test_who_left_there_after_joining_there_leaves_in_the_natural_order_of_files(workspace: Workspace) -> None:
    joined = f"{MAILCHIMP}\nsam@example.org,Sam,Lee,4,2020-01-01 10:00:00,,2021-05-01 10:00:00,192.0.2.1,7\n"
    joined += "ada@example.org,Ada,B,2,2019-01-01 10:00:00,,,,8\nbob@example.org,Bob,C,2,,,,,9\n"
    left = f"{MAILCHIMP},UNSUB_TIME\nsam@example.org,Sam,Lee,4,2020-01-01 10:00:00,,,,7,2022-02-03 04:05:06\n"
    left += "ada@example.org,Ada,B,2,,,,,8,2020-02-03 04:05:06\nbob@example.org,Bob,C,2,,,,,9,2018-01-01 00:00:00\n"
    assert imported(workspace, "mailchimp", joined).new == 3
    counts = imported(workspace, "mailchimp", left)
    assert (counts.departed, counts.departing, counts.taken_off) == ({"left": 3}, 3, 3)
    assert {state for _, state in states()} == {"left"}, "also of whom no date of joining is known: bob"
    again = imported(workspace, "mailchimp", left)
    assert (again.departed, again.departing, again.taken_off) == ({"left": 3}, 0, 0)


def test_who_joined_one_list_later_leaves_the_other_and_is_counted_as_staying(workspace: Workspace) -> None:
    workspace.people("sam@example.org", "ada@example.org", lists=("monthly", "all-residents"))
    ConsentEvent.objects.create(canonical="sam@example.org", list_key="monthly", event="joined", channel="page")
    row = "sam@example.org,Sam,{},disabled,,2020-01-01 10:00:00\n"
    path = workspace.write("recipients/export.csv", LISTMONK + f"1,{row}2,{row.replace('sam', 'ada')}")
    plan = importing.plan(path, workspace.config, ["monthly", "all-residents"], service="listmonk")
    assert (plan.counts.departed, plan.counts.taken_off) == ({"left": 1, "stayed": 1}, 2)
    counts = importing.run(plan).counts
    assert counts == plan.counts and counts.adds_up
    rows = Subscription.objects.exclude(state="left").values_list("subscriber__canonical", "list__key")
    assert list(rows) == [("sam@example.org", "monthly")]


def test_who_joined_here_after_being_deleted_there_stays(workspace: Workspace) -> None:
    workspace.people("b@example.org", lists=("monthly",))
    ConsentEvent.objects.create(canonical="b@example.org", list_key="monthly", event="joined", channel="page")
    deleted = "Date Deleted,Destination,Deletion Reason\n2022-05-01,b@example.org,By Subscriber\n"
    counts = imported(workspace, "govdelivery", deleted, lists="")
    assert (counts.departed, counts.changes) == ({"stayed": 1}, 0)
    assert states() == [("b@example.org", "confirmed")] and not Suppression.objects.exists()


def test_a_file_in_which_people_only_leave_asks_for_no_reason_and_says_who_is_taken_off(workspace: Workspace) -> None:
    workspace.people("sam@example.org", lists=("monthly",))
    rows = f"{LISTMONK}1,sam@example.org,Sam,{{}},disabled,,\n2,ada@example.org,Ada,{{}},disabled,,\n"
    workspace.write("recipients/left.csv", rows)
    words = ("recipients", "import", "recipients/left.csv", "--list", "monthly", "--from", "listmonk")
    looked = workspace.run(*words, "--dry-run").out
    assert "1 person will be taken off, 1 kept out" in looked and "--consent" not in looked
    done = workspace.run(*words, "--yes")
    assert done.exit == 0 and "1 person was taken off, 1 kept out" in done.out and states()[1][1] == "left"
    assert "nothing changes for them" in workspace.run(*words, "--yes").out


def test_the_preview_says_of_each_person_what_becomes_of_them(workspace: Workspace) -> None:
    workspace.people("sam@example.org", "ada@example.org", "ann@example.org", lists=("monthly",))
    ConsentEvent.objects.create(canonical="sam@example.org", list_key="monthly", event="joined", channel="page")
    subscribing.suppress("ann@example.org", "all", "gone", "mail")
    people = {"sam": "disabled", "ada": "disabled", "bob": "blocklisted", "ann": "enabled", "kim": "enabled"}
    rows = "".join(f"1,{who}@example.org,,{{}},{state},,2020-01-01 10:00:00\n" for who, state in people.items())
    workspace.write("recipients/export.csv", LISTMONK + rows)
    words = ("recipients", "import", "recipients/export.csv", "--list", "monthly", "--from", "listmonk", "--dry-run")
    said = [line.split(maxsplit=1)[1] for line in workspace.run(*words).out.splitlines() if "@example.org  " in line]
    assert said == ["still gets what they joined", "off these lists", "kept out", "left out: bounced before", "new"]
    preview = json.loads(workspace.run(*words, "--json").out)["preview"]
    assert [(one["verdict"], one["why"]) for one in preview] == [
        ("stayed", "stayed"),
        ("departed", "left"),
        ("departed", "blocked"),
        ("suppressed", "gone"),
        ("new", ""),
    ]


def test_an_export_with_whole_names_gives_first_names(workspace: Workspace) -> None:
    rows = (
        '1,sam@example.org,Sam Okafor,{},enabled,,\n2,ada@example.org,Ada Hill,"{""first_name"":""Addy""}",enabled,,\n'
    )
    imported(workspace, "listmonk", LISTMONK + rows)
    assert list(Subscriber.objects.values_list("first_name", flat=True).order_by("id")) == ["Addy", "Sam"]
    imported(workspace, "listmonk", LISTMONK + rows.replace("Addy", "Ads"))
    assert list(Subscriber.objects.values_list("first_name", flat=True).order_by("id")) == ["Ads", "Sam"]


def test_the_question_names_what_is_done_to_whom() -> None:
    asked = recipients_import._question
    assert asked(importing.Counts(departing=2, taken_off=2)) == "Take 2 people off"
    assert asked(importing.Counts(new=1, departing=3, taken_off=1)) == (
        "Import 1 person, take 1 person off and keep 2 people out"
    )
