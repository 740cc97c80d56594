"""Writes a Rendered as JSON and back, and names it by a checksum of everything a reader could see."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from newsletter.content.model import Slot, SlotKind
from newsletter.problems import Problem, Severity, Where
from newsletter.rendering.model import Asset, Condition, Context, Hole, Mark, Mode, Piece, Rendered

VERSION = 1


def to_json(rendered: Rendered) -> dict[str, Any]:
    """JSON types. Pictures go without their bytes: those live in the database under their sha256."""
    return {
        "format": VERSION,
        "slug": rendered.slug,
        "language": rendered.language,
        "direction": rendered.direction,
        "theme": rendered.theme,
        "mode": rendered.mode.value,
        "title": rendered.title,
        "preheader": rendered.preheader,
        "subject": _pieces(rendered.subject),
        "html": _pieces(rendered.html),
        "text": _pieces(rendered.text),
        "slots": [
            {
                "number": slot.number,
                "key": slot.key,
                "kind": slot.kind.value,
                "fallback": slot.fallback,
                "filters": list(slot.filters),
                "where": _where(slot.where),
            }
            for slot in rendered.slots
        ],
        "conditions": [
            {"terms": [[key, list(values)] for key, values in condition.terms], "negated": condition.negated}
            for condition in rendered.conditions
        ],
        "assets": [
            {
                "sha256": asset.sha256,
                "extension": asset.extension,
                "content_type": asset.content_type,
                "inline": asset.inline,
            }
            for asset in rendered.assets
        ],
        "problems": [{**problem.as_json(), "where": _where(problem.where)} for problem in rendered.problems],
        "checksum": rendered.checksum,
    }


def from_json(data: Mapping[str, Any]) -> Rendered:
    """The Rendered of `to_json`; its assets have empty `data`. Raises ValueError for a format it does not know."""
    if data.get("format") != VERSION:
        raise ValueError(f"a rendering of format {data.get('format')!r}; this version reads {VERSION}")
    return Rendered(
        slug=data["slug"],
        language=data["language"],
        direction=data["direction"],
        theme=data["theme"],
        mode=Mode(data["mode"]),
        title=data["title"],
        preheader=data["preheader"],
        subject=_read_pieces(data["subject"]),
        html=_read_pieces(data["html"]),
        text=_read_pieces(data["text"]),
        slots=tuple(
            Slot(
                slot["number"],
                slot["key"],
                SlotKind(slot["kind"]),
                slot["fallback"],
                tuple(slot["filters"]),
                _read_where(slot["where"]),
            )
            for slot in data["slots"]
        ),
        conditions=tuple(
            Condition(tuple((key, tuple(values)) for key, values in condition["terms"]), condition["negated"])
            for condition in data["conditions"]
        ),
        assets=tuple(
            Asset(asset["sha256"], asset["extension"], asset["content_type"], b"", asset["inline"])
            for asset in data["assets"]
        ),
        problems=tuple(
            Problem(
                problem["code"],
                problem["message"],
                problem["hint"],
                _read_where(problem["where"]),
                Severity(problem["severity"]),
                problem["affected"],
            )
            for problem in data["problems"]
        ),
        checksum=data["checksum"],
    )


def checksum(rendered: Rendered) -> str:
    """sha256, in hex, of everything a reader could see; notes and places in the source do not count."""
    seen = {key: value for key, value in to_json(rendered).items() if key not in ("checksum", "problems")}
    for slot in seen["slots"]:
        del slot["where"]
    return hashlib.sha256(json.dumps(seen, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _pieces(pieces: Sequence[Piece]) -> list[Any]:
    """A string stays; a hole is [slot, context]; a mark is {"open": condition} or {"close": condition}."""
    found: list[Any] = []
    for piece in pieces:
        if isinstance(piece, Hole):
            found.append([piece.slot, piece.context.value])
        elif isinstance(piece, Mark):
            found.append({"open" if piece.opens else "close": piece.condition})
        else:
            found.append(piece)
    return found


def _read_pieces(data: Sequence[Any]) -> tuple[Piece, ...]:
    found: list[Piece] = []
    for piece in data:
        if isinstance(piece, list):
            found.append(Hole(piece[0], Context(piece[1])))
        elif isinstance(piece, dict):
            ((which, condition),) = piece.items()
            found.append(Mark(condition, opens=which == "open"))
        else:
            found.append(piece)
    return tuple(found)


def _where(where: Where | None) -> list[Any] | None:
    return [where.file, where.line, where.column, where.end_column, where.source] if where else None


def _read_where(data: Sequence[Any] | None) -> Where | None:
    return Where(data[0], data[1], data[2], data[3], data[4]) if data else None
