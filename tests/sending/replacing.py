"""A relay shaped like Amazon SES: it takes our mail, writes its own Message-ID and Date, and hands it on."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.smtpd import Smtpd


@dataclass
class Replacing:
    """`mails`: recipient and what reached the mailbox. The 250 is `Ok 0102…`, and `<0102…@email.amazonses.com>` the
    Message-ID that people see and answer to."""

    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)

    def __enter__(self) -> Replacing:
        self._controller = Smtpd(self, hostname="127.0.0.1", port=0, server_hostname="ses.example")
        self._controller.start()
        self.port = self._controller.port
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._controller.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)  # type: ignore[arg-type]
        remote = f"0102019abc{len(self.mails):06x}-1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901-000000"
        del mail["Message-ID"], mail["Date"]
        mail["Message-ID"] = f"<{remote}@email.amazonses.com>"
        mail["Date"] = "Tue, 24 Nov 2026 10:15:01 +0000"
        mail["X-Envelope-From"] = envelope.mail_from
        self.mails.append((envelope.rcpt_tos[0], mail))
        return f"250 Ok {remote}"
