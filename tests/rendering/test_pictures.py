"""Pictures: upright, small, without hidden data, in a format that mail programs show; or refused with the reason."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from lxml import html
from PIL import Image

from newsletter.problems import Where
from newsletter.rendering import pictures
from tests.rendering.conftest import Desk

HERE = Where("issue.md", 9)


def saved(folder: Path, name: str, size: tuple[int, int] = (40, 20), mode: str = "RGB", **how: object) -> Path:
    path = folder / name
    Image.new(mode, size, "navy" if mode == "RGB" else None).save(path, **how)  # type: ignore[arg-type]
    return path


def opened(made: pictures.MailPicture | None) -> Image.Image:
    assert made is not None
    return Image.open(io.BytesIO(made.data))


def test_a_photograph_is_turned_upright_and_says_nothing_of_the_place(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter
    exif[0x010E] = "taken at home"
    path = saved(tmp_path, "p.jpg", (40, 20), exif=exif, comment=b"secret")
    made, problems = pictures.prepare(path, HERE)
    assert not problems and opened(made).size == (20, 40)
    assert not opened(made).getexif() and b"secret" not in made.data and b"home" not in made.data  # type: ignore[union-attr]


def test_a_wide_picture_is_brought_to_1200(tmp_path: Path) -> None:
    made, _ = pictures.prepare(saved(tmp_path, "wide.png", (3000, 1500)), HERE)
    assert made is not None and (made.width, made.height) == (1200, 600) == opened(made).size


@pytest.mark.parametrize(
    ("name", "mode", "kind"),
    [("a.webp", "RGB", "JPEG"), ("b.webp", "RGBA", "PNG"), ("c.png", "P", "PNG"), ("d.bmp", "RGB", "PNG"),
     ("e.tiff", "RGB", "PNG"), ("f.gif", "P", "PNG"), ("g.jpg", "L", "JPEG"),
     ("h.png", "1", "PNG"), ("i.png", "LA", "PNG")],
)  # fmt: skip
def test_every_readable_format_goes_out_as_one_that_mail_shows(tmp_path: Path, name: str, mode: str, kind: str) -> None:
    made, problems = pictures.prepare(saved(tmp_path, name, mode=mode), HERE)
    assert not problems and opened(made).format == kind


def test_a_photograph_in_cmyk_goes_out_in_rgb(tmp_path: Path) -> None:
    assert opened(pictures.prepare(saved(tmp_path, "p.jpg", mode="CMYK"), HERE)[0]).mode == "RGB"


def test_a_moving_gif_keeps_moving(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "m.gif", save_all=True, append_images=frames[1:], duration=80, comment=b"secret")
    made, problems = pictures.prepare(tmp_path / "m.gif", HERE)
    assert not problems and getattr(opened(made), "n_frames", 1) == 3 and b"secret" not in made.data  # type: ignore[union-attr]


def png_that_claims(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (png_that_claims(60_000, 60_000), "picture-too-large"),
        (png_that_claims(9_000, 9_000), "picture-too-large"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "picture-svg"),
        (b"not a picture at all", "picture-unreadable"),
        (b"", "picture-unreadable"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "picture-unreadable"),
        (png_that_claims(50, 50)[:-30], "picture-unreadable"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "picture-unreadable"),
    ],
)
def test_what_is_no_safe_picture_is_refused_in_words(tmp_path: Path, data: bytes, code: str) -> None:
    (tmp_path / "p.png").write_bytes(data)
    made, problems = pictures.prepare(tmp_path / "p.png", HERE)
    assert made is None and [problem.code for problem in problems] == [code]
    assert problems[0].where == HERE and "object at 0x" not in problems[0].message


def test_a_text_called_png_is_no_picture_and_a_phones_double_picture_is_one(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("hello")
    made, (problem,) = pictures.prepare(tmp_path / "bad.png", HERE)
    assert made is None and problem.message == "bad.png is damaged or no picture: cannot identify image file"
    double = Image.new("RGB", (300, 200), "red")
    double.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[Image.new("RGB", (300, 200), "blue")])
    assert pictures.prepare(tmp_path / "phone.jpg", HERE)[1] == []


def test_a_half_loaded_jpeg_is_damaged(tmp_path: Path) -> None:
    path = saved(tmp_path, "p.jpg", (400, 400))
    path.write_bytes(path.read_bytes()[:400])
    assert [problem.code for problem in pictures.prepare(path, HERE)[1]] == ["picture-unreadable"]


def test_the_same_bytes_are_prepared_once(tmp_path: Path) -> None:
    path = saved(tmp_path, "p.png")
    first, _ = pictures.prepare(path, HERE)
    assert pictures.prepare(path, HERE)[0] is first


def with_picture(desk: Desk) -> str:
    body = "![A map](images/map.png)\n"
    folder = desk.write(body)
    (folder / "images").mkdir(exist_ok=True)
    saved(folder / "images", "map.png", (800, 200))
    return body


def test_a_picture_has_its_size_and_description_in_the_mail(desk: Desk) -> None:
    made = desk.copy(with_picture(desk))
    (image,) = html.document_fromstring(made.html).xpath("//img")
    assert image.get("alt") == "A map"
    assert int(image.get("height")) == round(int(image.get("width")) / 4)
    assert image.get("src").startswith("https://news.riverside.example/i/") and image.get("src").endswith(".png")


def test_a_picture_can_travel_inside_the_mail(desk: Desk) -> None:
    body = with_picture(desk)
    desk.configure("", 'carry = "url"', 'carry = "cid"')
    rendered = desk.render(body)
    (asset,) = rendered.assets
    assert asset.inline and f"cid:{asset.cid}" in desk.copy(body).html
    from newsletter.rendering.model import Mode

    page = desk.render(body, mode=Mode.WEB)
    assert not page.assets[0].inline and page.assets[0].path in desk.copy(body, mode=Mode.WEB).html


def test_a_damaged_picture_is_a_problem_with_its_line_and_the_rest_is_rendered(desk: Desk) -> None:
    body = with_picture(desk)
    (desk.root / "issues/2026-11-24-news/images/map.png").write_bytes(b"\x89PNG broken")
    rendered = desk.render(body + "\nWords.\n")
    (problem,) = rendered.problems
    assert problem.code == "picture-unreadable" and problem.where is not None and problem.where.line
    assert "Words." in desk.copy(body + "\nWords.\n").html


def test_no_picture_is_larger_than_its_file_needs(tmp_path: Path) -> None:
    made, problems = pictures.prepare(saved(tmp_path, "p.png", (2400, 1600)), HERE)
    assert made is not None and len(made.data) < 20_000 and not problems
