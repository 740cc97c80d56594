"""Conversations for a court or a complaint: the mail as it came, the files, the log, and a hash of everything."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils import timezone

from newsletter import __version__, settings
from newsletter.files import unwritable
from newsletter.problems import Exit, NewsletterError, Problem, Severity, Where
from newsletter.replies import desk, journal
from newsletter.replies.models import Attachment, Conversation, Kind, Message, Raw

SUMS = "SHA256SUMS"
README = """\
Replies kept as evidence by {site}
Made {made} by {by} with newsletter {version}

conversation-N/…-came.eml    a message exactly as it reached us, byte for byte
conversation-N/…-sent.eml    a message of ours exactly as it left
conversation-N/log.json      who wrote and who did what, and when (times are UTC); notes between colleagues
message-qN/came.eml          a message that could not be read or came too often, byte for byte; log.json how it came
files/HASH.…                 the files that came with the messages, unaltered, named by their SHA-256
manifest.json                every file with its SHA-256 and its size
SHA256SUMS                   the same for checking:

    sha256sum --check SHA256SUMS            (Linux)
    shasum -a 256 --check SHA256SUMS        (macOS)

Every line must end with OK. The SHA-256 of the file SHA256SUMS itself was shown when this was made, and stands in
the log of each conversation; whoever wrote it down then can prove that nothing was changed since.
"""


@dataclass
class Exported:
    """What was written. `seal` is the SHA-256 of SHA256SUMS; `problems` name what could not be taken along."""

    path: Path
    conversations: list[int]
    files: int = 0
    size: int = 0  # bytes
    seal: str = ""
    problems: list[Problem] = field(default_factory=list)


def export(numbers: Sequence[int], to: Path, by: str, aside: Sequence[int] = ()) -> Exported:
    """Write these conversations into the new folder `to`, or into one file where it ends with .zip.

    `aside` are messages that were set aside (12 for q12): what could not be read may be evidence, too. Nothing is
    overwritten, and nothing is there before it is whole. Merged conversations come along with the one that they were
    merged into. Raises NewsletterError: no-such-conversation, already-there, cannot-write.
    """
    found, unread = _conversations(numbers), _set_aside(aside)
    if to.exists() or to.is_symlink():
        hint = "Name a folder or a .zip that is not there yet; evidence is never written over."
        raise NewsletterError(
            Problem("already-there", f"{to} is there already", hint, Where(str(to))), exit=Exit.REFUSED
        )
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}.") as scratch:
            made = _write(Path(scratch) / "evidence", found, unread, to, by)
            if to.suffix.lower() == ".zip":
                _publish_zip(Path(scratch), to)
            else:
                to.mkdir(mode=0o700)  # fails where somebody was quicker; the rename then fills it in one step
                (Path(scratch) / "evidence").rename(to)
    except FileExistsError as error:
        hint = "Name a folder or a .zip that is not there yet; evidence is never written over."
        problem = Problem("already-there", f"{to} is there already", hint, Where(str(to)))
        raise NewsletterError(problem, exit=Exit.REFUSED) from error
    except OSError as error:
        raise unwritable(to, error) from error
    for conversation in found:
        journal.note(conversation, "exported", f"as evidence; SHA-256 of its sums: {made.seal}", by)
    return made


def _set_aside(numbers: Sequence[int]) -> list[Raw]:
    found = {row.pk: row for row in Raw.objects.filter(pk__in=numbers, kind=Kind.QUARANTINE).defer("data")}
    for number in numbers:
        if number not in found:
            hint = "`newsletter replies list` shows those that wait for a look."
            problem = Problem("no-such-conversation", f"No message q{number} waits for a look", hint)
            raise NewsletterError(problem, exit=Exit.USAGE)
    return [found[number] for number in dict.fromkeys(numbers)]


def _conversations(numbers: Sequence[int]) -> list[Conversation]:
    found = []
    for number in dict.fromkeys(numbers):
        root = desk.root(desk_number(number))
        for one in Conversation.objects.filter(pk=root):
            found += [one, *_merged(one)]
    return list({one.pk: one for one in found}.values())


def desk_number(number: int) -> int:
    """The number, if there is such a conversation. Raises NewsletterError(no-such-conversation)."""
    if not Conversation.objects.filter(pk=number).exists():
        hint = "`newsletter replies list --all` shows every number."
        problem = Problem("no-such-conversation", f"There is no conversation {number}", hint)
        raise NewsletterError(problem, exit=Exit.USAGE)
    return number


def _merged(into: Conversation) -> list[Conversation]:
    found = []
    for one in into.merged.order_by("pk"):
        found += [one, *_merged(one)]
    return found


def _write(folder: Path, found: Sequence[Conversation], unread: Sequence[Raw], to: Path, by: str) -> Exported:
    """Everything into `folder`: the conversations, then the manifest, then the sums over all of it."""
    folder.mkdir(mode=0o700)
    made = Exported(to, [one.pk for one in found])
    now = timezone.now()
    for conversation in found:
        _conversation(folder, conversation, made)
    for raw in unread:
        _message(folder, raw, made)
    facts = {"site": settings.current().site.name, "made": now.isoformat(timespec="seconds"), "by": by}
    _put(folder / "README.txt", README.format(version=__version__, **facts).encode())
    listed = [
        {"path": str(path.relative_to(folder)), "sha256": _hash(path), "size": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    missing = [problem.as_json() for problem in made.problems]
    manifest = {
        **facts,
        "version": __version__,
        "conversations": made.conversations,
        "files": listed,
        "missing": missing,
    }
    _put(folder / "manifest.json", _json(manifest))
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    sums = "".join(f"{_hash(path)}  {path.relative_to(folder)}\n" for path in paths).encode()
    _put(folder / SUMS, sums)
    made.files, made.seal = len(paths) + 1, hashlib.sha256(sums).hexdigest()
    made.size = sum(path.stat().st_size for path in [*paths, folder / SUMS])
    return made


def _conversation(folder: Path, conversation: Conversation, made: Exported) -> None:
    place = folder / f"conversation-{conversation.pk}"
    place.mkdir(mode=0o700)
    messages = []
    rows = conversation.messages.select_related("raw", "notice").order_by("at", "id")
    for number, message in enumerate(rows.iterator(chunk_size=1), 1):
        name = _mail(place, number, message, made)
        messages.append(
            {
                "at": message.at.isoformat(),
                "kind": message.kind,
                "by": message.by or message.from_address,
                "to": message.to_address,
                "message_id": message.message_id,
                "file": name,
                "sha256": _hash(place / name) if name else "",
                "note": message.new_words if message.kind == Message.Kind.NOTE else "",
                "attachments": [_attachment(folder, one, made) for one in message.attachments.order_by("id")],
            }
        )
    log = [
        {"at": one.at.isoformat(), "by": one.by, "what": one.what, "words": one.words}
        for one in conversation.log.order_by("id")
    ]
    facts = {name: getattr(conversation, name) for name in FACTS}
    issue = conversation.mailing.slug if conversation.mailing else ""
    tags = list(conversation.tags.order_by("word").values_list("word", flat=True))
    _put(place / "log.json", _json({**facts, "issue": issue, "tags": tags, "messages": messages, "log": log}))


def _message(folder: Path, raw: Raw, made: Exported) -> None:
    """A message that was set aside: its bytes, and what is known of how it came."""
    place = folder / f"message-q{raw.pk}"
    place.mkdir(mode=0o700)
    _put(place / "came.eml", _unaltered(raw, made))
    facts = {name: getattr(raw, name) for name in ("received", "channel", "sender", "recipient", "reason", "sha256")}
    _put(place / "log.json", _json({"id": f"q{raw.pk}", **facts, "size": raw.size, "erased": raw.erased}))


def _unaltered(raw: Raw, made: Exported) -> bytes:
    """The bytes, checked against the hash that was kept when they came."""
    data = bytes(raw.data)
    if hashlib.sha256(data).hexdigest() != raw.sha256:
        hint = "Keep the database as it is and put a copy of it beside this export; compare with your backups."
        made.problems.append(
            Problem("raw-altered", f"Message {raw.pk} is not what came: its SHA-256 has changed", hint)
        )
    return data


FACTS = (
    "id", "reference", "state", "subject", "from_name", "from_address", "verified", "identified", "someone_else",
    "team", "assignee", "language", "sensitive", "held", "look_first", "created", "waiting_since", "answered_at",
    "merged_into_id",
)  # fmt: skip


def _mail(place: Path, number: int, message: Message, made: Exported) -> str:
    """The bytes of one message, as they came or left; checked against the hash that was kept when they came."""
    if message.raw is not None:
        data, name = _unaltered(message.raw, made), f"{number:03}-came.eml"
    elif message.notice is not None:
        data, name = bytes(message.notice.data), f"{number:03}-sent.eml"
    else:
        return ""
    _put(place / name, data)
    return name


def _attachment(folder: Path, one: Attachment, made: Exported) -> dict[str, Any]:
    facts = {"name": one.name, "type": one.content_type, "size": one.size, "sha256": one.sha256, "refused": one.refused}
    if not one.sha256:
        return {**facts, "file": ""}
    ending = Path(one.name).suffix.lower() if Path(one.name).suffix[1:].isalnum() else ""
    target = folder / "files" / f"{one.sha256}{ending[:10]}"
    if not target.exists():
        source = settings.current().var / "attachments" / one.sha256[:2] / one.sha256
        data = source.read_bytes() if source.is_file() else b""
        if hashlib.sha256(data).hexdigest() != one.sha256:
            hint = "The .eml holds the same bytes; put var/attachments back from a backup to have the file by itself."
            text = f"A file of conversation {one.message.conversation_id} is missing or altered: {one.sha256}"
            made.problems.append(Problem("file-not-exported", text, hint, severity=Severity.WARNING))
            return {**facts, "file": ""}
        target.parent.mkdir(mode=0o700, exist_ok=True)
        _put(target, data)
    return {**facts, "file": str(target.relative_to(folder))}


def _publish_zip(scratch: Path, to: Path) -> None:
    """The folder as one file; a hard link gives it its name in one step, and fails where the name is taken."""
    archive, folder = scratch / "evidence.zip", scratch / "evidence"
    with archive.open("xb") as out:
        archive.chmod(0o600)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    packed.write(path, f"{to.stem}/{path.relative_to(folder)}")
        out.flush()
        os.fsync(out.fileno())
    os.link(archive, to)
    shutil.rmtree(folder)


def _put(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n").encode()
