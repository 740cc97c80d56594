"""Measures the sorting of incoming mail on real bounces and on traps, beside flufl.bounce alone."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any

from bench import sorting_corpus

ROOT = Path(__file__).resolve().parents[1]
CORPORA = Path(os.environ.get("NEWSLETTER_CORPORA") or ROOT.parent / "shared" / "corpora")


@dataclass(frozen=True)
class _Recipient:
    address: str
    outcome: str


@dataclass(frozen=True)
class _Verdict:
    kind: str
    recipients: tuple[_Recipient, ...]


def run() -> list[dict[str, Any]]:
    folder = CORPORA / "bounces"
    if not folder.is_dir():
        why = "the corpora of real mail are not beside this checkout (NEWSLETTER_CORPORA names them)"
        return [{"what": why, "ours": "–", "other": "–", "ratio": "–", "aim": "skipped", "ok": True, "skipped": True}]
    from newsletter.mail import sorting

    ours = sorting_corpus.measure(folder, sorting.sort)
    other = sorting_corpus.measure(folder, flufl)
    return [
        _row(f"bounces found, of {ours.bounces}", ours.share_found, other.share_found, 0.98),
        _row("… with exactly their recipients", ours.share_exact, other.share_exact, 0.90),
        _row(f"living addresses called gone, of {ours.living}", ours.share_killed, other.share_killed, 0.03, most=True),
        _row(f"dead addresses known as gone, of {ours.gone}", _known(ours), _known(other), 0.70),
        _plain("exceptions on real bounces", ours.raised, other.raised, "0", ours.raised == 0),
        *_people_and_machines(),
        _speed(folder),
    ]


def flufl(raw: bytes) -> _Verdict:
    """flufl.bounce alone, the way a project that trusts it would: permanent is gone. It raises on ordinary mail."""
    from flufl.bounce import all_failures

    temporary, permanent = all_failures(message_from_bytes(raw))
    people = [_Recipient(one.decode("utf-8", "replace"), "gone") for one in permanent]
    people += [_Recipient(one.decode("utf-8", "replace"), "transient") for one in temporary - permanent]
    return _Verdict("bounce" if people else "person", tuple(people))


def _people_and_machines() -> list[dict[str, Any]]:
    """Automatic mail caught, and people taken for a machine: the corpus' cases and our own traps."""
    from newsletter.mail import sorting
    from tests.mail.traps import MACHINES, PEOPLE

    machines = [_mail(subject, body, headers) for subject, body, headers in MACHINES]
    people = [_mail(*trap) for trap in PEOPLE]
    for case in json.loads((CORPORA / "autoreply_cases.json").read_text(encoding="utf-8")):
        raw = f"{case['headers'].rstrip()}\n\n{case['body']}".encode()
        if case["expected"] in ("auto", "human"):
            (machines if case["expected"] == "auto" else people).append(raw)
    caught = sum(sorting.sort(raw).kind == "auto" for raw in machines) / len(machines)
    taken = sum(sorting.sort(raw).kind not in ("person", "ask") for raw in people)
    return [
        _row(f"automatic mail caught, of {len(machines)}", caught, None, 0.98),
        _plain(f"people taken for a machine, of {len(people)}", taken, None, "0", taken == 0),
    ]


def _speed(folder: Path) -> dict[str, Any]:
    from newsletter.mail import sorting

    raws = [path.read_bytes() for path in sorted(folder.glob("*.eml"))]
    times = []
    for sort in (sorting.sort, _forgiving):
        start = time.process_time()
        for raw in raws:
            sort(raw)
        times.append(len(raws) / (time.process_time() - start))
    ours, other = times
    return {
        "what": "mails sorted for each second of processor",
        "ours": f"{ours:,.0f}",
        "other": f"{other:,.0f}",
        "ratio": f"{ours / other:.1f} x",
        "aim": ">= 200",
        "ok": ours >= 200,
    }


def _forgiving(raw: bytes) -> None:
    try:
        flufl(raw)
    except Exception:
        return


def _mail(subject: str, body: str, headers: str = "") -> bytes:
    more = f"{headers}\n" if headers else ""
    head = f"From: Pat Lee <pat@example.org>\nTo: x@reply.example\nSubject: {subject}\n{more}"
    return f"{head}Content-Type: text/plain; charset=utf-8\n\n{body}\n".encode()


def _known(numbers: sorting_corpus.Numbers) -> float:
    return numbers.gone_known / max(1, numbers.gone)


def _row(what: str, ours: float, other: float | None, aim: float, *, most: bool = False) -> dict[str, Any]:
    sign = "<=" if most else ">="
    return {
        "what": what,
        "ours": f"{ours:.1%}",
        "other": "–" if other is None else f"{other:.1%}",
        "ratio": "–" if not other else f"{ours / other:.2f} x",
        "aim": f"{sign} {aim:.0%}",
        "ok": ours <= aim if most else ours >= aim,
    }


def _plain(what: str, ours: int, other: int | None, aim: str, ok: bool) -> dict[str, Any]:
    shown = "–" if other is None else str(other)
    return {"what": what, "ours": str(ours), "other": shown, "ratio": "–", "aim": aim, "ok": ok}
