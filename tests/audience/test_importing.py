"""Importing: exact counts before and after, the same twice changes nothing, nobody comes back against their wish."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.audience import exporting, importing, never, selecting, staging, subscribing, traits
from newsletter.audience.basis import Basis
from newsletter.audience.importing import Counts
from newsletter.audience.models import Area, ConsentEvent, Holding, Postcode, Subscriber, Subscription, Suppression
from newsletter.files import example
from newsletter.mail import addresses
from newsletter.problems import Exit, NewsletterError
from tests.audience import make_demo
from tests.workspace import Workspace

CONSENT = ("--consent", "Ticked: send me the newsletter, form of May 2026")


def plan_of(workspace: Workspace, data: str, list_key: str = "all-residents") -> importing.Plan:
    return importing.plan(workspace.write("recipients/people.csv", data), workspace.config, list_key)


def imported(workspace: Workspace, data: str, list_key: str = "all-residents") -> Counts:
    plan = plan_of(workspace, data, list_key)
    before = plan.counts
    counts = importing.run(plan).counts
    assert counts == before, "the preview told the truth"
    assert counts.adds_up
    return counts


def everything() -> list[object]:
    return [
        list(Subscriber.objects.order_by("id").values()),
        list(Subscription.objects.order_by("id").values()),
        list(ConsentEvent.objects.order_by("id").values()),
    ]


def test_a_plan_writes_nothing(workspace: Workspace) -> None:
    plan = plan_of(workspace, "email\nsam@example.org\nnonsense\n")
    assert (plan.counts.new, plan.counts.refused) == (1, 1)
    assert everything() == [[], [], []]
    assert sorted(path.name for path in (workspace.root / "recipients").iterdir()) == ["people.csv"]


def test_a_new_person_gets_record_subscriptions_and_proof(workspace: Workspace) -> None:
    imported(
        workspace,
        "email,first_name,last_name,language,lists,area,tags,ward,meeting\n"
        "Sam.O'Brien@Example.ORG,Sam,O'Brien,cy,monthly,Stafford; Leek,volunteer;young,North,2026-12-08\n",
    )
    [person] = Subscriber.objects.all()
    assert (person.address, person.canonical) == ("Sam.O'Brien@Example.ORG", "sam.o'brien@example.org")
    assert (person.first_name, person.last_name, person.language) == ("Sam", "O'Brien", "cy")
    assert person.attributes == {
        "areas": ["Stafford", "Leek"], "tags": ["volunteer", "young"], "ward": "North", "meeting": "2026-12-08",
    }  # fmt: skip
    assert [(s.list.key, s.state) for s in person.subscriptions.order_by("list__key")] == [
        ("all-residents", "confirmed"),
        ("monthly", "confirmed"),
    ]
    assert list(
        ConsentEvent.objects.order_by("list_key").values_list("canonical", "list_key", "event", "channel", "why")
    ) == [
        (person.canonical, "all-residents", "joined", "import", "Imported from recipients/people.csv"),
        (person.canonical, "monthly", "joined", "import", "Imported from recipients/people.csv"),
    ]


def test_the_same_file_twice_changes_nothing(workspace: Workspace) -> None:
    data = make_demo.demo()
    first = imported(workspace, data, "")
    after = everything()
    again = imported(workspace, data, "")
    assert (first.new, again.new, again.updated, again.unchanged) == (500, 0, 0, 500)
    assert everything() == after


def test_an_empty_cell_never_erases_and_a_full_one_replaces(workspace: Workspace) -> None:
    imported(workspace, "email,first_name,language,ward,tags\nsam@example.org,Sam,cy,North,young\n")
    counts = imported(workspace, "email,first_name,last_name,language,ward,tags\nSAM@example.org,,Okafor,,South,\n")
    person = Subscriber.objects.get()
    assert counts.updated == 1
    assert (person.first_name, person.last_name, person.language) == ("Sam", "Okafor", "cy")
    assert person.attributes == {"ward": "South", "tags": ["young"]}
    assert person.address == "sam@example.org"


def test_one_more_list_is_an_update_with_its_own_proof_only(workspace: Workspace) -> None:
    imported(workspace, "email\nsam@example.org\n")
    assert imported(workspace, "email\nsam@example.org\n", "monthly").updated == 1
    assert list(ConsentEvent.objects.order_by("id").values_list("list_key", flat=True)) == ["all-residents", "monthly"]


def test_who_left_stays_out_and_is_counted(workspace: Workspace) -> None:
    imported(workspace, "email,lists\nsam@example.org,all-residents;monthly\njo@example.org,monthly\n", "")
    subscribing.leave("sam@example.org", ["monthly"], "page")
    before = everything()
    plan = plan_of(workspace, "email,first_name\nsam@example.org,Sam\njo@example.org,\n", "monthly")
    counts = importing.run(plan).counts
    assert (counts.left, counts.unchanged, counts.updated) == (1, 1, 0)
    assert everything() == before


def test_a_list_that_was_left_stays_left_while_others_are_joined(workspace: Workspace) -> None:
    workspace.people("sam@example.org")
    subscribing.leave("sam@example.org", ["all-residents"], "one-click")
    plan = plan_of(workspace, "email,lists\nsam@example.org,monthly\n")
    assert (plan.counts.updated, plan.stay_off) == (1, 1)
    importing.run(plan)
    assert selecting.explain(workspace.config, ["all-residents"]).will_get == 0
    assert selecting.explain(workspace.config, ["monthly"]).will_get == 1


@pytest.mark.parametrize("known", [True, False], ids=["a known person", "a stranger"])
@pytest.mark.parametrize(("scope", "reason"), [("bulk", "unsubscribed"), ("bulk", "complaint"), ("all", "gone")])
def test_who_is_suppressed_is_left_out_with_the_reason(
    workspace: Workspace, known: bool, scope: str, reason: str
) -> None:
    if known:
        workspace.people("sam@example.org")
    subscribing.suppress("sam@example.org", scope, reason, "mail")
    before = everything()
    counts = imported(workspace, "email,first_name\nSAM@Example.org,Sam\n", "monthly")
    assert counts.suppressed == {reason: 1}
    assert everything() == before
    assert selecting.explain(workspace.config, ["all-residents", "monthly"]).will_get == 0


def test_who_leaves_between_preview_and_yes_is_not_brought_back(workspace: Workspace) -> None:
    workspace.people("sam@example.org", "jo@example.org")
    plan = plan_of(workspace, "email\nsam@example.org\njo@example.org\nann@example.org\n", "monthly")
    assert (plan.counts.updated, plan.counts.new) == (2, 1)
    subscribing.leave("sam@example.org", ["monthly"], "page")
    subscribing.suppress("ann@example.org", "all", "gone", "mail")
    done = importing.run(plan).counts
    assert (done.updated, done.new, done.left, done.suppressed, done.adds_up) == (1, 0, 1, {"gone": 1}, True)


def test_a_repeated_address_is_one_person_whose_rows_are_joined(workspace: Workspace) -> None:
    plan = plan_of(
        workspace,
        "email,first_name,ward,lists\nsam@example.org,Sam,North,all-residents\njo@example.org,Jo,,all-residents\n"
        "SAM@example.org,,South,monthly\nsam@example.org,Samantha,,all-residents\n",
        "",
    )
    assert (plan.counts.new, plan.counts.repeated, plan.counts.rows) == (2, 2, 4)
    [note] = plan.problems
    assert note.message == (
        "2 rows repeat an address of the file: "
        "row 4 repeats row 2 (SAM@example.org); row 5 repeats row 4 (sam@example.org)"
    )
    importing.run(plan)
    sam = Subscriber.objects.get(canonical="sam@example.org")
    assert (sam.address, sam.first_name, sam.attributes) == ("sam@example.org", "Samantha", {"ward": "South"})
    assert sam.subscriptions.count() == 2


def test_two_spellings_of_one_address_are_one_person(workspace: Workspace) -> None:
    counts = imported(workspace, "email\nsam@llythyrdŷ.example\nsam@XN--LLYTHYRD-5PB.example\nSam@LLYTHYRDŶ.example\n")
    assert counts.new + counts.repeated + counts.refused == 3
    assert len({addresses.canonical(person.address) for person in Subscriber.objects.all()}) == counts.new


def test_refused_rows_are_kept_to_be_mended_and_imported_again(workspace: Workspace) -> None:
    plan = plan_of(
        workspace,
        'email;first_name\r\nsam@;Sam\r\njo@example.org;Jo\r\nann@example.org;"Ann\r\nbob@@example.org;Bob\r\n',
    )
    done = importing.run(plan)
    assert (done.counts.new, done.counts.refused) == (1, 3)
    kept = workspace.root / "recipients" / "people.refused.csv"
    assert done.refused_file == kept
    assert kept.stat().st_mode & 0o077 == 0
    text = kept.read_text(encoding="utf-8-sig")
    rows = list(csv.reader(io.StringIO(text), delimiter=";"))
    assert rows[0] == ["problem", "email", "first_name"]
    assert [row[1:] for row in rows[1:]] == [["sam@", "Sam"], ["ann@example.org", '"Ann'], ["bob@@example.org", "Bob"]]
    assert all(row[0].startswith("Row ") for row in rows[1:])

    mended = text.replace("sam@;", "sam@example.org;").replace('"""Ann"', "Ann")
    again = importing.run(
        importing.plan(workspace.write("recipients/people.refused.csv", mended), workspace.config, "monthly")
    )
    assert (again.counts.new, again.counts.refused) == (2, 1)
    assert again.refused_file == kept and kept.read_text(encoding="utf-8-sig").count("\n") == 2


def test_a_folder_that_cannot_take_the_refused_rows_stops_before_anything_is_imported(workspace: Workspace) -> None:
    path = workspace.write("people.csv", "email\nsam@example.org\nnonsense\n")
    workspace.write("recipients", "a file in the folder's place")
    plan = importing.plan(path, workspace.config, "all-residents")
    with pytest.raises(NewsletterError) as caught:
        importing.run(plan)
    assert caught.value.problems[0].code == "cannot-write"
    assert everything() == [[], [], []]


def test_the_file_may_change_after_the_preview_without_harm(workspace: Workspace) -> None:
    plan = plan_of(workspace, "email\nsam@example.org\n")
    workspace.write("recipients/people.csv", "email\nstranger@example.org\n")
    importing.run(plan)
    assert Subscriber.objects.get().address == "sam@example.org"


def test_the_consent_wording_is_kept_with_each_proof(workspace: Workspace) -> None:
    importing.run(
        plan_of(workspace, "email\nsam@example.org\n"), basis=Basis("Ticked “news” on the paper form of May 2026")
    )
    assert ConsentEvent.objects.get().wording.text == "Ticked “news” on the paper form of May 2026"


def test_people_by_the_batch_are_all_there(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "BATCH", 7)
    monkeypatch.setattr(importing, "_STEP", 3)
    data = "email\n" + "".join(f"p{n % 80}@example.org\n" for n in range(100)) + "nonsense\n" * 11
    counts = imported(workspace, data)
    assert (counts.new, counts.repeated, counts.refused) == (80, 20, 11)
    assert Subscriber.objects.count() == Subscription.objects.count() == ConsentEvent.objects.count() == 80


def test_the_demo_file_is_what_its_script_writes_and_has_no_problem(workspace: Workspace) -> None:
    path = example("recipients") / "demo.csv"
    assert path.read_text(encoding="utf-8") == make_demo.demo().replace("\r\n", "\n")
    plan = importing.plan(path, workspace.toml('[fields.postcode]\ntitle = "Postcode"\n'), "")
    assert (plan.counts.new, plan.counts.rows, plan.problems) == (500, 500, [])
    rows = list(csv.DictReader(io.StringIO(make_demo.demo())))
    assert sum(not row["first_name"] for row in rows) == make_demo.WITHOUT_FIRST_NAME
    assert all(row["email"].endswith((".example", "@example.org")) for row in rows)


CELLS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=12)
FORMULAS = st.sampled_from(["=1+1", "+44 1785", "-x", "@SUM(A1)", "'=quoted", "''-", "'t Hooft", "O'Brien", '"', ",;"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    people=st.dictionaries(
        st.integers(0, 99), st.tuples(CELLS | FORMULAS, CELLS | FORMULAS, st.booleans()), min_size=1, max_size=8
    )
)
def test_an_export_imported_again_changes_nothing_and_holds_no_formula(
    workspace: Workspace, people: dict[int, tuple[str, str, bool]]
) -> None:
    with connection.cursor() as cursor:
        for table in ("subscription", "subscriber", "consentevent"):
            cursor.execute(f"DELETE FROM audience_{table}")
    for number, (name, ward, both) in people.items():
        ward, name = ward.strip(), name.strip()
        lists = ("all-residents", "monthly") if both else ("monthly",)
        attributes = {"ward": ward} if ward else {}
        workspace.people(f"+p{number}@example.org", lists=lists, first_name=name, attributes=attributes)
    before = everything()
    text = io.StringIO(newline="")
    assert exporting.write(workspace.config, text) == len(people)
    for row in csv.reader(io.StringIO(text.getvalue(), newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    plan = plan_of(workspace, text.getvalue(), "")
    assert plan.problems == []
    assert plan.counts.unchanged == len(people)
    importing.run(plan)
    assert everything() == before


ADDRESSES = st.one_of(
    st.emails(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=30),  # others: a file of bytes, no text
    st.builds(
        "{}@{}".format,
        st.text("aB.+'ß\u00e9 \"", max_size=8),
        st.sampled_from(["Example.ORG", "bücher.example", "a.b", "x", "-.example"]),
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.lists(ADDRESSES, min_size=1, max_size=12))
def test_the_quick_way_for_addresses_agrees_with_the_slow_one(workspace: Workspace, typed: list[str]) -> None:
    """people.People remembers checked domains; whatever it takes, mail.addresses must have taken in the same form."""
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(
        [["email"], *([f"x@{a.rpartition('@')[2]}"] for a in typed), *([a] for a in typed)]
    )
    plan = plan_of(workspace, text.getvalue())
    taken = plan._stage._fetch("SELECT address, canonical FROM import_person")
    for address, canonical in taken:
        assert addresses.canonical(address) == canonical
    expected = set()
    for address in typed:
        if address.strip().startswith("'"):
            continue  # may be an export's protection against formulas, which is taken off
        if not any(letter < " " or letter in "\x7f\u2028\u2029" or "\x80" <= letter <= "\x9f" for letter in address):
            try:
                expected.add(addresses.canonical(address.strip().strip("\ufeff\u200b").strip()))
            except ValueError:
                continue
    assert expected <= {canonical for _, canonical in taken} | {
        f"x@{domain}" for _, _, domain in (e.rpartition("@") for e in expected)
    }


# --- other processes -----------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_an_import_while_another_program_writes_is_a_problem_not_a_traceback(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connections

    plan = plan_of(workspace, "email\nsam@example.org\nnonsense\n")
    monkeypatch.setitem(connections.databases["default"]["OPTIONS"], "timeout", 0.05)
    other = sqlite3.connect(workspace.root / "var" / "newsletter.db", isolation_level=None)
    connections["default"].connection.execute("PRAGMA busy_timeout=50")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(NewsletterError) as caught:
        importing.run(plan)
    other.execute("ROLLBACK")
    other.close()
    assert (caught.value.problems[0].code, caught.value.exit) == ("database-locked", Exit.TRY_AGAIN)
    assert everything() == [[], [], []]
    assert not (workspace.root / "recipients" / "people.refused.csv").exists()
    assert importing.run(plan).counts.new == 1, "the same plan can be tried again"


def newsletter(workspace: Workspace, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "newsletter", "-C", str(workspace.root), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_kill_9_leaves_whole_people_and_the_next_import_brings_the_rest(workspace: Workspace) -> None:
    people = 60_000
    path = workspace.write(
        "big.csv", "email,first_name\n" + "".join(f"p{n:06}@example.org,Pat\n" for n in range(people))
    )
    running = newsletter(workspace, "recipients", "import", str(path), "--list", "all-residents", "--yes", *CONSENT)
    limit = time.monotonic() + 60
    while Subscriber.objects.count() == 0 and running.poll() is None and time.monotonic() < limit:
        time.sleep(0.005)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    there = Subscriber.objects.count()
    assert 0 < there <= people
    assert there == Subscription.objects.count() == ConsentEvent.objects.count()
    again = importing.run(importing.plan(path, workspace.config, "all-residents")).counts
    assert (again.new, again.unchanged) == (people - there, there)
    assert Subscriber.objects.count() == Subscription.objects.count() == ConsentEvent.objects.count() == people


def test_two_imports_at_once_end_as_one(workspace: Workspace) -> None:
    path = workspace.write(
        "people.csv", "email,first_name\n" + "".join(f"p{n}@example.org,Pat\n" for n in range(25_000))
    )
    both = [
        newsletter(workspace, "recipients", "import", str(path), "--list", "monthly", "--yes", "--json", *CONSENT)
        for _ in range(2)
    ]
    said = [json.loads(process.communicate(timeout=100)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(answer["new"] for answer in said) == 25_000
    assert Subscriber.objects.count() == Subscription.objects.count() == ConsentEvent.objects.count() == 25_000


def test_mailings_choose_exactly_the_imported_people(workspace: Workspace) -> None:
    imported(workspace, make_demo.demo(), "")
    found = selecting.explain(workspace.config, ["all-residents", "monthly"])
    assert (found.will_get, found.adds_up) == (500, True)


# --- traits, places and the erased ---------------------------------------------------------------------------------


def test_an_import_keeps_the_traits_that_traits_keep_would_keep(workspace: Workspace) -> None:
    first = (
        "email,language,area,tags,ward,postcode\n"
        "a@example.org,cy,North; South,young;volunteer;young,W1,ST16 3AA\n"
        f"b@example.org,,,,{'W' * 201},\n"
        "c@example.org,ur,,,W1,\n"
    )
    imported(workspace, first)
    assert (traits.differing(), Holding.objects.count()) == (0, 9)
    imported(workspace, "email,language,tags,ward\na@example.org,en,old,W2\nd@example.org,,new,W2\nc@example.org,,,\n")
    assert traits.differing() == 0
    there = Holding.objects.filter(trait__key="ward", trait__value="W2").order_by("subscriber__canonical")
    assert list(there.values_list("subscriber__canonical", flat=True)) == ["a@example.org", "d@example.org"]
    before = set(Holding.objects.values_list("trait__key", "trait__value", "subscriber__canonical"))
    traits.rebuild()
    assert set(Holding.objects.values_list("trait__key", "trait__value", "subscriber__canonical")) == before


def test_a_postcode_that_is_known_gives_the_area_unless_one_is_given_or_was_corrected(workspace: Workspace) -> None:
    north = Area.objects.create(key="north", title="North")
    Postcode.objects.create(code="ST16 3AA", area=north)
    Postcode.objects.create(code="ST16 3AB", area=Area.objects.create(key="south", title="South"))
    file = "email,area,postcode\na@example.org,,st163aa\nb@example.org,west,ST16 3AA\nc@example.org,,ST99 9ZZ\n"

    def areas() -> list[object]:
        return [person.attributes.get("areas") for person in Subscriber.objects.order_by("canonical")]

    imported(workspace, file)
    assert areas() == [["north"], ["west"], None]
    assert imported(workspace, file).unchanged == 3
    Subscriber.objects.filter(canonical="a@example.org").update(attributes={"postcode": "ST16 3AA", "areas": ["east"]})
    imported(workspace, "email,postcode\na@example.org,ST16 3AA\n")
    assert areas()[0] == ["east"], "the same postcode again does not undo a correction"
    imported(workspace, "email,postcode\na@example.org,ST16 3AB\n")
    assert areas()[0] == ["south"], "they have moved"


def test_an_area_in_another_row_of_the_same_person_goes_before_the_postcode(workspace: Workspace) -> None:
    Postcode.objects.create(code="ST16 3AA", area=Area.objects.create(key="north", title="North"))
    imported(workspace, "email,area,postcode\na@example.org,west,\na@example.org,,ST16 3AA\n")
    assert Subscriber.objects.get().attributes == {"areas": ["west"], "postcode": "ST16 3AA"}


def test_an_erased_person_is_not_brought_back_though_only_a_keyed_hash_is_left(workspace: Workspace) -> None:
    Suppression.objects.create(canonical=never.hashed("sam@example.org"), scope="all", reason="erased")
    counts = imported(workspace, "email\nSam@Example.org\nada@example.org\n")
    assert (counts.new, counts.suppressed) == (1, {"erased": 1})
    assert [person.canonical for person in Subscriber.objects.all()] == ["ada@example.org"]


def test_who_is_erased_between_preview_and_yes_is_not_brought_back(workspace: Workspace) -> None:
    plan = plan_of(workspace, "email\nsam@example.org\n")
    Suppression.objects.create(canonical=never.hashed("sam@example.org"), scope="all", reason="erased")
    assert importing.run(plan).counts.suppressed == {"erased": 1}
    assert not Subscriber.objects.exists()
