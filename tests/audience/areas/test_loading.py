"""Files of areas: read with everything that is wrong in them, loaded any number of times the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from newsletter.audience import areas, traits
from newsletter.audience.areas import loading
from newsletter.audience.models import Area, Postcode, Subscriber
from newsletter.problems import NewsletterError
from tests.audience import make_areas
from tests.workspace import Workspace

TREE = "key,title,kind,parent\nshire,The Shire,county,\nnorth,North,ward,shire\nsouth,South,ward,shire\n"


def county(workspace: Workspace, **files: str) -> None:
    """The demo's files, or these in place of them (tree, outlines, postcodes)."""
    for name, made in make_areas.FILES.items():
        workspace.write(f"recipients/areas/{name}", files.get(name.partition(".")[0], made()))


def load(workspace: Workspace) -> loading.Plan:
    plan = loading.plan(workspace.config)
    loading.write(plan)
    return plan


def codes(plan: loading.Plan) -> list[tuple[str, str]]:
    return [(problem.code, str(problem.where) if problem.where else "") for problem in plan.problems]


def outline(key: str, west: float = 0, south: float = 52, **properties: Any) -> dict[str, Any]:
    ring = [[west, south], [west + 1, south], [west + 1, south + 1], [west, south + 1], [west, south]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {"key": key, **properties}, "geometry": shape}


def collection(*features: dict[str, Any]) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features}, indent=1)


def write(workspace: Workspace, tree: str = TREE, **files: str) -> None:
    workspace.write("recipients/areas/areas.csv", tree)
    for name, text in files.items():
        workspace.write(f"recipients/areas/{name.replace('_', '.')}", text)


def test_the_files_of_the_demo_are_what_their_script_writes(workspace: Workspace) -> None:
    from newsletter.files import example

    for name, made in make_areas.FILES.items():
        assert (example("recipients") / "areas" / name).read_text(encoding="utf-8") == made()


def test_the_county_of_the_demo_is_loaded_and_every_postcode_lies_in_its_ward(workspace: Workspace) -> None:
    county(workspace)
    plan = load(workspace)
    assert (codes(plan), len(plan.new), plan.postcodes_new, plan.without_area) == ([], 9, 120, 0)
    assert list(areas.known())[:2] == ["staffordshire", "cannock-chase"]
    for code, _, _, ward in make_areas.places():
        assert areas.of_postcode(code.lower().replace(" ", "")) == ward
    assert areas.of_postcode("ZZ9 9ZZ") is None


def test_loading_again_changes_nothing(workspace: Workspace) -> None:
    county(workspace)
    load(workspace)
    before = list(Area.objects.order_by("pk").values()), list(Postcode.objects.order_by("pk").values())
    plan = load(workspace)
    assert (plan.changes, len(plan.unchanged)) == (0, 9)
    assert before == (list(Area.objects.order_by("pk").values()), list(Postcode.objects.order_by("pk").values()))


def test_what_changed_in_the_files_changes_here(workspace: Workspace) -> None:
    write(workspace, postcodes_csv="postcode,lat,long,area\nZZ1 1AA,52.5,0.5,north\nZZ1 1AB,52.5,0.5,north\n")
    load(workspace)
    tree = TREE.replace("South,ward,shire", "Deep South,parish,north") + "west,West,ward,shire\n"
    write(workspace, tree, postcodes_csv="postcode,lat,long,area\nZZ1 1AA,52.6,0.5,south\nZZ1 1AC,52.5,0.5,north\n")
    plan = load(workspace)
    assert (plan.new, plan.changed, plan.gone) == (["west"], ["south"], [])
    assert (plan.postcodes_new, plan.postcodes_changed, plan.postcodes_gone) == (1, 1, 1)
    assert (areas.within("north"), areas.of_postcode("ZZ1 1AA")) == (("north", "south"), "south")


def test_an_area_that_people_have_is_never_removed(workspace: Workspace) -> None:
    write(workspace)
    load(workspace)
    [sam] = workspace.people("sam@example.org", attributes={"areas": ["north"]})
    traits.keep(sam)
    write(workspace, "key,title,kind,parent\nnew,New,county,\n")
    plan = load(workspace)
    assert (plan.gone, plan.kept) == (["south"], {"north": 1})
    assert [problem.code for problem in plan.problems] == ["area-kept"] and plan.problems[0].affected == 1
    assert set(areas.known()) == {"new", "shire", "north"}, "its county stays with it"
    Subscriber.objects.update(attributes={})
    traits.keep(sam)
    load(workspace)
    assert set(areas.known()) == {"new"}


def test_files_without_a_tree_are_read_against_the_one_that_is_loaded(workspace: Workspace) -> None:
    write(workspace)
    load(workspace)
    (workspace.root / "recipients/areas/areas.csv").unlink()
    workspace.write("recipients/areas/more.geojson", collection(outline("north")))
    workspace.write("recipients/areas/codes.csv", "postcode,lat,long\nZZ1 1AA,52.5,0.5\n")
    plan = load(workspace)
    assert (plan.changed, plan.gone, areas.of_postcode("zz11aa")) == (["north"], [], "north")
    assert areas.known()["north"].outlined and not areas.known()["south"].outlined


@pytest.mark.parametrize(
    ("tree", "code", "where"),
    [
        ("key,title,kind,parent\nnorth,North,ward,shrie\nshire,Shire,county,\n", "unknown-area", ":2"),
        ("key,title,kind,parent\na,A,x,b\nb,B,x,a\n", "area-circle", ":2"),
        ("key,title,kind,parent\na,A,x,a\n", "area-circle", ":2"),
        ("key,title,kind,parent\na,A,x,\na,B,x,\n", "doubled-area", ":3:1"),
        ("key,title,kind,parent\nNorth Ward,A,x,\n", "bad-area-key", ":2:1"),
        ("key,title,kind,parent\na,,x,\n", "bad-area-key", ":2:1"),
        ("kye,title,kind,parent\na,A,x,\n", "bad-area-file", ":1"),
    ],
)
def test_a_slip_in_the_tree_is_told_with_its_place(workspace: Workspace, tree: str, code: str, where: str) -> None:
    write(workspace, tree)
    plan = loading.plan(workspace.config)
    assert (code, f"recipients/areas/areas.csv{where}") in codes(plan)


def test_a_misspelt_parent_gets_the_right_name_suggested(workspace: Workspace) -> None:
    write(workspace, TREE.replace("ward,shire", "ward,shrie"))
    assert loading.plan(workspace.config).problems[0].hint == "did you mean shire?"


def test_outlines_are_known_by_key_code_or_title(workspace: Workspace) -> None:
    tree = "key,title,kind,parent,code\na,Alpha,,,E05000001\nb,Beta,,,E05000002\nc,Gamma,,,\n"
    features = (outline("a"), outline("x", WD25CD="E05000002"), {**outline("Gamma"), "properties": {"NAME": "gamma"}})
    write(workspace, tree, outlines_geojson=collection(*features))
    plan = load(workspace)
    assert codes(plan) == [] and all(area.outlined for area in areas.known().values())


def test_a_slip_in_the_outlines_is_told_with_its_line(workspace: Workspace) -> None:
    swapped = outline("north", 52, 0)
    write(workspace, outlines_geojson=collection(outline("soth"), swapped, outline("shire"), outline("shire")))
    plan = loading.plan(workspace.config)
    found = dict(codes(plan))
    assert set(found) == {"unknown-area", "coordinates-swapped", "doubled-area"}
    lines = collection(outline("soth"), swapped).splitlines()
    assert found["coordinates-swapped"] == f"recipients/areas/outlines.geojson:{_line(lines, 'north')}"
    assert [one.hint for one in plan.problems if one.code == "unknown-area"] == ["did you mean south?"]


def _line(lines: list[str], word: str) -> int:
    return next(number for number, line in enumerate(lines, 1) if f'"{word}"' in line)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"type": "Topology"}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_geojson_is_told(workspace: Workspace, data: bytes) -> None:
    write(workspace)
    workspace.write("recipients/areas/outlines.geojson", data)
    assert [code for code, _ in codes(loading.plan(workspace.config))] == ["bad-shape"]


ONS = (
    "pcd7,pcd8,pcds,dointr,doterm,cty25cd,lad25cd,wd25cd,parncp25cd,usrtypind,east1m,north1m,gridind,lat,long\n"
    '"ZZ1 1AA","ZZ1  1AA","ZZ1 1AA",198001,,E1,E07000001,E05000001,E04000001,0,,,1,52.5,0.5\n'
    '"ZZ1 1AB","ZZ1  1AB","ZZ1 1AB",198001,200001,E1,E07000001,E05000009,E04000009,0,,,1,52.5,0.5\n'
    '"ZZ1 1AC","ZZ1  1AC","ZZ1 1AC",198001,,E1,,,,0,,,9,99.999999,0.000000\n'
)
OLD_ONS = "pcd,pcd2,pcds,osward,oseast1m,osnrth1m\nZZ1 1AA,ZZ1  1AA,ZZ1 1AA,E05000001,651409,313177\n"
CODE_POINT = '"ZZ1 1AA",10,651409,313177,"E92000001","E19","E18","","E07000001","E05000001"\n'


def test_the_postcode_directory_of_the_ons_is_read_as_it_comes(workspace: Workspace) -> None:
    tree = "key,title,kind,parent,code\nd,District,district,,E07000001\nw,Ward,ward,d,E05000001\n"
    write(workspace, tree, ONSPD_csv=ONS)
    plan = load(workspace)
    assert [code for code, _ in codes(plan)] == ["postcode-nowhere"]
    assert [areas.of_postcode(code) for code in ("ZZ1 1AA", "ZZ1 1AB", "ZZ1 1AC")] == ["w", "d", None]
    assert Postcode.objects.get(code="ZZ1 1AC").latitude is None


@pytest.mark.parametrize("text", [OLD_ONS, CODE_POINT])
def test_eastings_and_northings_become_degrees(workspace: Workspace, text: str) -> None:
    write(workspace, TREE.replace("parent\n", "parent,code\n") + "w,Ward,ward,,E05000001\n", codes_csv=text)
    assert load(workspace).postcodes_new == 1
    place = Postcode.objects.get(code="ZZ1 1AA")
    assert (round(place.longitude or 0, 3), round(place.latitude or 0, 3)) == (1.716, 52.658)
    assert place.area is not None and place.area.key == "w"


def test_rows_of_postcodes_that_cannot_be_used_are_told_and_the_others_taken(workspace: Workspace) -> None:
    rows = "nonsense,52,0\nZZ1 1AA,0.5,52.5\nZZ1 1AB,52.5,0.5\n" + "bad,1,1\n" * 20
    write(workspace, codes_csv=f"postcode,lat,long\n{rows}")
    plan = load(workspace)
    first = [str(problem.where) for problem in plan.problems[:2]]
    assert first == ["recipients/areas/codes.csv:2", "recipients/areas/codes.csv:3"]
    assert plan.problems[-1].affected == 22 and len(plan.problems) == 11
    assert list(Postcode.objects.values_list("code", flat=True)) == ["ZZ1 1AB"]


def test_a_file_of_postcodes_without_places_is_refused(workspace: Workspace) -> None:
    write(workspace, codes_csv="postcode,latitud\nZZ1 1AA,5\n")
    [problem] = loading.plan(workspace.config).problems
    assert (problem.code, problem.hint) == ("bad-area-file", "did you mean latitude?")


def test_without_files_the_way_to_them_is_told(workspace: Workspace) -> None:
    with pytest.raises(NewsletterError) as caught:
        loading.plan(workspace.config)
    assert caught.value.problems[0].code == "no-area-files" and "areas.csv" in caught.value.problems[0].hint
