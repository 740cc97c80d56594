"""Approving freezes words and people; the verbs move a mailing through its states, and the books always balance."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from newsletter.audience import subscribing
from newsletter.audience.models import Subscriber
from newsletter.problems import Exit, NewsletterError
from newsletter.rendering.model import Asset as Picture
from newsletter.rendering.model import Condition, Hole
from newsletter.sending import finding, freezing, laws, mailings, preview
from newsletter.sending.models import Asset, Delivery, Mailing, UnsubscribeKey
from tests.sending.made import NORTH, a_rendered, an_issue, only_north
from tests.sending.steps import put
from tests.together import together
from tests.workspace import Workspace


def approved(workspace: Workspace, *people: str, slug: str = "2026-11-24-test", **more: object) -> Mailing:
    workspace.people(*(people or ("sam@home.example", "kim@home.example")), first_name="Sam")
    return mailings.approve(workspace.config, {"": a_rendered(slug)}, an_issue(slug), **more)  # type: ignore[arg-type]


def codes(error: pytest.ExceptionInfo[NewsletterError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def test_approval_freezes_everybody_once(workspace: Workspace) -> None:
    workspace.people("sam@home.example", lists=("monthly",))
    workspace.people("sam@home.example", "kim@home.example")
    issue = an_issue(audience=("monthly", "all-residents"))
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, issue)
    rows = Delivery.objects.filter(mailing=mailing).order_by("canonical")
    assert [(row.canonical, row.lists, row.state) for row in rows] == [
        ("kim@home.example", ["all-residents"], "pending"),
        ("sam@home.example", ["monthly", "all-residents"], "pending"),
    ]
    assert mailing.frozen == 2
    assert laws.check(mailing) == []


def test_who_presses_send_at_the_same_moment_is_told_that_it_is_approved(workspace: Workspace) -> None:
    workspace.people("sam@home.example")
    said: list[str] = []

    def press() -> None:
        try:
            mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
        except NewsletterError as error:
            said.extend(problem.code for problem in error.problems)

    together(press, 5)
    assert said == ["already-approved"] * 4 and Mailing.objects.count() == Delivery.objects.count() == 1


def test_what_is_changed_after_approval_does_not_change_the_copy(workspace: Workspace) -> None:
    mailing = approved(workspace)
    Subscriber.objects.update(first_name="Changed", address="changed@home.example")
    row = Delivery.objects.get(mailing=mailing, canonical="sam@home.example")
    assert (row.address, row.values["first_name"]) == ("sam@home.example", "Sam")


def test_only_the_values_that_are_used_are_kept(workspace: Workspace) -> None:
    workspace.people("sam@home.example", attributes={"ward": "Stafford North", "meeting": "2026-12-08", "secret": 1})
    rendered = a_rendered(more=only_north("North"), conditions=(NORTH,))
    mailing = mailings.approve(workspace.config, {"": rendered}, an_issue())
    values = Delivery.objects.get(mailing=mailing).values
    assert values == {"first_name": "", "meeting": "2026-12-08", "ward": "Stafford North"}


def test_lists_tags_and_areas_are_kept_as_lists(workspace: Workspace) -> None:
    workspace.people("sam@home.example", attributes={"tags": ["walker"], "areas": ["Stone", "Stafford"]})
    conditions = tuple(Condition(((key, ("x",)),)) for key in ("list", "tag", "area"))
    mailing = mailings.approve(workspace.config, {"": a_rendered(conditions=conditions)}, an_issue())
    values = Delivery.objects.get(mailing=mailing).values
    assert (values["list"], values["tag"], values["area"]) == (["all-residents"], ["walker"], ["Stone", "Stafford"])


def test_every_row_has_a_token_of_its_own(workspace: Workspace) -> None:
    mailing = approved(workspace, *(f"p{n}@home.example" for n in range(200)))
    tokens = {bytes(token) for token in Delivery.objects.filter(mailing=mailing).values_list("token", flat=True)}
    assert len(tokens) == 200
    assert {len(token) for token in tokens} == {9}


@pytest.mark.broken_books("the deliveries of a mailing are thrown away here")
def test_the_unsubscribe_link_outlives_the_ledger(workspace: Workspace) -> None:
    mailing = approved(workspace)
    approved(workspace, slug="2026-12-24-next")
    row = Delivery.objects.filter(mailing=mailing)[0]
    stored = bytes(row.token)
    assert freezing.keep_unsubscribe_keys(mailing) == 2
    assert freezing.keep_unsubscribe_keys(mailing) == 0  # once
    before = finding.unsubscribe_key(stored)
    Delivery.objects.filter(mailing=mailing).delete()
    kept = finding.unsubscribe_key(stored)
    assert before and kept and before.pk == kept.pk
    assert (kept.canonical, kept.lists) == (row.canonical, ["all-residents"])


def test_the_unsubscribe_link_of_a_mail_is_known_by_its_delivery(workspace: Workspace) -> None:
    row = Delivery.objects.filter(mailing=approved(workspace))[0]
    key = finding.unsubscribe_key(bytes(row.token))
    assert key and (key.canonical, key.lists) == (row.canonical, ["all-residents"])
    assert finding.unsubscribe_key(b"unheardof") is None


def test_an_issue_is_approved_once(workspace: Workspace) -> None:
    approved(workspace)
    with pytest.raises(NewsletterError) as refused:
        approved(workspace)
    assert codes(refused) == ["already-approved"]
    assert refused.value.exit == Exit.REFUSED


def test_another_number_than_agreed_undoes_everything(workspace: Workspace) -> None:
    with pytest.raises(NewsletterError) as refused:
        approved(workspace, expect=range(3, 4))
    assert codes(refused) == ["count-changed"]
    assert "2 people, but 3 was agreed" in refused.value.problems[0].message
    assert (Mailing.objects.count(), Delivery.objects.count(), UnsubscribeKey.objects.count()) == (0, 0, 0)


def test_nobody_to_send_to_is_refused(workspace: Workspace) -> None:
    workspace.people("sam@home.example")
    subscribing.leave("sam@home.example", ["all-residents"], "page")
    with pytest.raises(NewsletterError) as refused:
        mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    assert codes(refused) == ["nobody-to-send-to"]
    assert Mailing.objects.count() == 0


def test_to_narrows_the_audience(workspace: Workspace) -> None:
    workspace.people("sam@home.example", lists=("monthly",))
    workspace.people("kim@home.example")
    issue = an_issue(audience=("monthly", "all-residents"))
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, issue, lists=["monthly"])
    assert [row.canonical for row in Delivery.objects.filter(mailing=mailing)] == ["sam@home.example"]


def test_to_never_widens_the_audience(workspace: Workspace) -> None:
    with pytest.raises(NewsletterError) as refused:
        approved(workspace, lists=["monthly"])
    assert codes(refused) == ["cannot-widen"]


def test_pictures_are_kept_by_content(workspace: Workspace) -> None:
    from dataclasses import replace

    picture = Picture("a" * 64, "png", "image/png", b"\x89PNG", inline=True)
    workspace.people("sam@home.example")
    mailings.approve(workspace.config, {"": replace(a_rendered(), assets=(picture,))}, an_issue())
    assert bytes(Asset.objects.get(pk="a" * 64).data) == b"\x89PNG"


def test_pause_resume_and_stop(workspace: Workspace) -> None:
    mailing = approved(workspace)
    mailings.start(mailing)
    assert mailings.pause(mailing) and mailing.state == "paused"
    assert not mailings.pause(mailing)
    assert mailings.resume(mailing) and mailing.state == "sending"
    assert mailings.stop(mailing) == 2
    assert mailings.status(mailing)["cancelled"] == 2
    assert not mailings.resume(mailing) and not mailings.pause(mailing)
    assert laws.check(mailing) == []


def test_finished_means_that_nobody_is_unsettled(workspace: Workspace) -> None:
    mailing = approved(workspace)
    mailings.start(mailing)
    for state in ("pending", "leased", "inflight", "deferred", "uncertain"):
        put("accepted")
        put(state, "sam@home.example")
        assert not mailings.finish(mailing), state
    put("accepted")
    assert mailings.finish(mailing)


def test_the_status_has_the_names_of_the_format(workspace: Workspace) -> None:
    status = mailings.status(approved(workspace))
    assert list(status) == [
        *("mailing", "issue", "state", "frozen", "pending", "leased", "inflight", "accepted", "deferred", "failed"),
        *("suppressed", "expired", "cancelled", "uncertain"),
    ]


@pytest.mark.broken_books("the law is broken on purpose")
def test_the_laws_notice_a_lost_person(workspace: Workspace) -> None:
    mailing = approved(workspace)
    Delivery.objects.filter(canonical="sam@home.example").delete()
    assert laws.check(mailing) == [
        "the tally says 2 pending, but 1 rows are",
        "2 people were frozen, but 1 are in the ten states",
    ]


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ({"state": "sent"}, "delivery_known_state"),
        ({"state": "accepted"}, "delivery_accepted_has_proof"),
        ({"state": "deferred"}, "delivery_deferred_has_due"),
        ({"state": "leased"}, "delivery_taken_has_lease"),
    ],
)
def test_the_database_itself_refuses_what_cannot_be(workspace: Workspace, change: dict[str, str], law: str) -> None:
    approved(workspace)
    with pytest.raises(IntegrityError, match=law):
        Delivery.objects.filter(canonical="sam@home.example").update(**change)


@pytest.mark.broken_books("the law is broken on purpose")
def test_the_laws_notice_a_mailing_finished_too_early(workspace: Workspace) -> None:
    mailing = approved(workspace)
    Mailing.objects.update(state="finished")
    assert laws.check(mailing) == ["it is called finished, but 2 people are not settled"]


def test_blocks_are_counted_by_the_people_who_would_see_them(workspace: Workspace) -> None:
    workspace.people("a@home.example", "b@home.example", attributes={"ward": "Stafford North"})
    workspace.people("c@home.example", attributes={"ward": "Stone"})
    rendered = a_rendered(more=only_north("North"), conditions=(NORTH, Condition(NORTH.terms, negated=True)))
    found = preview.variants(rendered, ["all-residents"])
    assert found.number == 2
    assert found.blocks == (("shown only to Stafford North", 2), ("shown to everybody but Stafford North", 1))


def test_a_field_in_the_subject_is_shown_by_its_fallback(workspace: Workspace) -> None:
    rendered = a_rendered(subject=("News for ", Hole(0, "subject")))  # type: ignore[arg-type]
    assert mailings.plain_subject(rendered) == "News for neighbour"


def test_keys_of_attributes_cannot_break_out_of_the_sql() -> None:
    sql, params = freezing.values_sql(['ward"); DROP TABLE x; --'])
    assert "DROP" not in sql and params[0].startswith("ward")
