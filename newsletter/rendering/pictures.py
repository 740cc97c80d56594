"""Makes pictures fit for mail: upright, at most 1200 pixels wide, without hidden data, in a format all can show."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.problems import Problem, Severity, Where

if TYPE_CHECKING:
    from PIL import Image

WIDEST = 1200  # pixels: twice the 600 px column, sharp on dense screens
MOST_PIXELS = 40_000_000  # a 24-megapixel photograph passes; a bomb that claims 100 gigapixels does not
LARGEST_FILE = 25 * 1024 * 1024
HEAVY = 200 * 1024  # DELIVERABILITY's limit for one picture
TYPES = {"PNG": ("png", "image/png"), "JPEG": ("jpg", "image/jpeg"), "GIF": ("gif", "image/gif")}
READABLE = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")  # a phone's MPO opens as JPEG
_CACHED = 64
_cache: OrderedDict[str, MailPicture] = OrderedDict()


@dataclass(frozen=True)
class MailPicture:
    """A picture ready to be sent. `width` and `height` are pixels."""

    data: bytes
    sha256: str
    extension: str
    content_type: str
    width: int
    height: int


def prepare(path: Path, where: Where) -> tuple[MailPicture | None, list[Problem]]:
    """The picture at `path` made fit for mail, or None with the Problem that says why not.

    The same bytes are prepared once per process, so that a preview costs nothing after the first look.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            hint = "Save it smaller; 1200 pixels across are enough."
            return None, [Problem("picture-too-large", f"{path.name} is larger than 25 MB", hint=hint, where=where)]
        raw = path.read_bytes()
    except OSError as error:
        message = f"{path.name} cannot be read: {error.strerror or error}"
        return None, [Problem("picture-unreadable", message, where=where)]
    key = hashlib.sha256(raw).hexdigest()
    if key in _cache:
        _cache.move_to_end(key)
        return _cache[key], _heavy(_cache[key], path, where)
    if _looks_like_svg(raw):
        hint = "Mail programs do not show SVG. Export it as PNG, 1200 pixels across."
        return None, [Problem("picture-svg", f"{path.name} is an SVG drawing", hint=hint, where=where)]
    try:
        made = _made(raw)
    except _TooManyPixels:
        hint = "Save it smaller; 1200 pixels across are enough."
        message = f"{path.name} has more than {MOST_PIXELS // 1_000_000} million pixels"
        return None, [Problem("picture-too-large", message, hint=hint, where=where)]
    except Exception as error:  # Pillow's decoders raise many kinds: SyntaxError, struct.error, zlib.error, OSError …
        hint = "Open it in a picture program and save it anew as PNG or JPEG."
        message = f"{path.name} is damaged or no picture: {_reason(error)}"
        return None, [Problem("picture-unreadable", message, hint=hint, where=where)]
    _cache[key] = made
    while len(_cache) > _CACHED:
        _cache.popitem(last=False)
    return made, _heavy(made, path, where)


class _TooManyPixels(Exception):
    pass


def _made(raw: bytes) -> MailPicture:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(raw), formats=READABLE) as image:
                if image.width * image.height > MOST_PIXELS:  # from the header, before anything is unpacked
                    raise _TooManyPixels
                if image.format == "GIF" and getattr(image, "n_frames", 1) > 1:
                    return _animation(image, raw)
                image.load()
                return _still(image)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _TooManyPixels from error


def _still(image: Image.Image) -> MailPicture:
    from PIL import ImageOps

    lossless = image.format in ("PNG", "GIF", "BMP", "TIFF")
    upright = ImageOps.exif_transpose(image)  # before the metadata, which says how to turn it, is dropped
    see_through = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
    plain = upright.convert("RGBA" if see_through else "L" if upright.mode in ("1", "L") else "RGB")
    if plain.width > WIDEST:
        from PIL import Image

        size = (WIDEST, max(1, round(plain.height * WIDEST / plain.width)))
        plain = plain.resize(size, Image.Resampling.LANCZOS)
    plain.info = {}  # colour profile, EXIF with the place it was taken, comments
    out = io.BytesIO()
    if see_through or lossless:
        kind = "PNG"
        plain.save(out, kind, optimize=True)
    else:
        kind = "JPEG"
        plain.save(out, kind, quality=85, optimize=True, progressive=True)
    return _picture(out.getvalue(), kind, plain.width, plain.height)


def _animation(image: Image.Image, raw: bytes) -> MailPicture:
    """A moving GIF keeps its frames and timing; only its comments and other extra blocks go."""
    from PIL import ImageSequence

    frames, durations = [], []
    for number, frame in enumerate(ImageSequence.Iterator(image)):
        if (number + 1) * image.width * image.height > MOST_PIXELS * 4:
            raise _TooManyPixels
        copy = frame.convert("RGBA")
        if copy.width > WIDEST:
            copy = copy.resize((WIDEST, max(1, round(copy.height * WIDEST / copy.width))))
        durations.append(frame.info.get("duration", 100))
        copy.info = {}
        frames.append(copy)
    out = io.BytesIO()
    loop = image.info.get("loop", 0)
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=loop, disposal=2)
    return _picture(out.getvalue(), "GIF", frames[0].width, frames[0].height)


def _picture(data: bytes, kind: str, width: int, height: int) -> MailPicture:
    extension, content_type = TYPES[kind]
    return MailPicture(data, hashlib.sha256(data).hexdigest(), extension, content_type, width, height)


def _heavy(made: MailPicture, path: Path, where: Where) -> list[Problem]:
    if len(made.data) <= HEAVY:
        return []
    size = f"{len(made.data) / 1024:,.0f} KB"
    hint = "A photograph as JPEG is far smaller than as PNG; 200 KB is a good limit."
    if made.content_type == "image/jpeg":  # made smaller already: 1200 pixels at most
        hint = "Crop it, or save it smaller (600 pixels wide will do for a mail); 200 KB is a good limit."
    message = f"{path.name} weighs {size} in every mail"
    return [Problem("picture-heavy", message, hint=hint, where=where, severity=Severity.WARNING)]


def _looks_like_svg(raw: bytes) -> bool:
    return b"<svg" in raw[:4096].lower()


def _reason(error: Exception) -> str:
    words = str(error).split("<_io", 1)[0].strip() or type(error).__name__
    return words[:200]
