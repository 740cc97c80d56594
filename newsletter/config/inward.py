"""The settings of the way back: where answers come in, who answers them, and in what time."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.config.describing import described, secret_of


@dataclass(frozen=True)
class Replies:
    name: str = described("The name that answers come from; empty = the site's name.")
    address: str = described("The address in From of answers; empty = that of the sender of the issue.")
    mode: str = described(
        "Addresses of answers: one for each copy (token), or one shared mailbox for all (shared).",
        "token",
        ("token", "shared"),
    )
    mailbox: str = described(
        "Address of the mailbox for answers: all go to it (shared), or to its plus addresses (token)."
    )
    hours: int = described("Hours in which an answer is promised.", 72)
    calendar: str = described('Working hours that count, such as "Mon-Fri 09:00-17:00"; empty = every hour counts.')
    holidays: tuple[str, ...] = described("Days that do not count (2026-12-25).", ())
    acknowledge: bool = described("Acknowledge what people write, at once and by itself.", False)
    keep_months: int = described("Months after which closed conversations may be erased.", 12)
    tidy: bool = described("The worker erases, every day, what is older than keep_months.", False)
    duty: str = described("Address that is told when nobody else claims what should be looked at first.")
    look_first: bool = described("Use the built-in English words (danger, self-harm, abuse, children).", False)
    scanner: str = described(
        "Command that looks at each file, whose path is added at its end; exit 0 = clean, 1 = refused; empty = none."
    )
    checked_by: str = described(
        "Name of your own mail server in Authentication-Results; what it says of senders is shown. Empty = it is not."
    )
    canary: bool = described("Send a mail to ourselves through every intake, every 15 minutes.", False)


@dataclass(frozen=True)
class Mailbox:
    kind: str = described("How mail comes in.", "imap", ("imap", "maildir", "lmtp"))
    host: str = described("imap: host name of the server.")
    port: int = described("imap: port of the server.", 993)
    tls: str = described(
        "imap: TLS; a failure never falls back to clear text.", "implicit", ("none", "starttls", "implicit")
    )
    user: str = described("imap: user name.")
    password: str = described("imap: the password; only from the environment.", secret=True)
    password_file: str = described("imap: file that holds the password, or the token for xoauth2.")
    auth: str = described("imap: how to log in.", "password", ("password", "xoauth2"))
    folders: tuple[str, ...] = described("imap: the folders that are read.", ("INBOX", "Junk"))
    done: str = described("imap: folder that taken mail is moved to; empty = it stays where it is.")
    address: str = described("The mailbox's own address, where it is not the reply domain's; canaries go there.")
    path: str = described("maildir: the folder that holds new, cur and tmp.")
    listen: str = described("lmtp: where we listen: host:port, or a path for a unix socket.", "127.0.0.1:8024")

    def secret(self) -> str:
        """The password, from the environment or from `password_file`; see describing.secret_of."""
        return secret_of(self.password, self.password_file, "mailboxes")


@dataclass(frozen=True)
class Team:
    title: str = described("The team's name, as staff see it.", required=True)
    address: str = described("Where the team is told of new conversations.")
    areas: tuple[str, ...] = described("Areas whose conversations come to this team.", ())
    lists: tuple[str, ...] = described("Lists whose answers come to this team.", ())


@dataclass(frozen=True)
class Staff:
    name: str = described("The colleague's name.", required=True)
    address: str = described("The colleague's address, for notices.", required=True)
    teams: tuple[str, ...] = described("Keys of the teams they work in.", ())


@dataclass(frozen=True)
class Rule:
    title: str = described("What staff call it.", required=True)
    words: tuple[str, ...] = described("Words or phrases in the new words; * stands for an ending.", ())
    language: str = described("Only for messages in this language; empty = any.")
    areas: tuple[str, ...] = described("Only for people in these areas.", ())
    attachments: bool = described("Only for messages with files.", False)
    team: str = described("Team that gets the conversation.")
    look_first: bool = described("Look at it first: an immediate notice that climbs until somebody claims it.", False)
    tag: str = described("Tag that is put on the conversation.")


@dataclass(frozen=True)
class Emergency:
    text: str = described("What to do in an emergency; stands above every box and in every thanks.", required=True)
    language: str = described("Its language; empty = the site's.")
    sender: str = described("Only for messages of this sender (a key of [senders]); empty = for all.")


@dataclass(frozen=True)
class SavedAnswer:
    title: str = described("What staff call it.", required=True)
    text: str = described("The answer; {name}, {reference}, {issue} and {team} are filled in.", required=True)
    language: str = described("Its language; empty = the site's.")


@dataclass(frozen=True)
class Hook:
    provider: str = described(
        "The service that calls us; its web address here is /hooks/KEY/.",
        required=True,
        choices=("amazon-ses", "postmark", "mailgun", "sendgrid"),
    )
    secret: str = described("What proves its calls; only from the environment.", secret=True)
    secret_file: str = described(
        "File with what proves its calls: mailgun the signing key, the others user:password for the address."
    )
    public_key: str = described("sendgrid: the verification key of its signed event webhook.")
    topics: tuple[str, ...] = described("amazon-ses: the SNS topics (ARN) that may call; others are refused.", ())

    def proof(self) -> str:
        """The secret, from the environment or from `secret_file`; see describing.secret_of."""
        return secret_of(self.secret, self.secret_file, "hooks")
