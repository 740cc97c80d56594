"""Everybody who runs in bench/send: each name sends its mails once when asked, into a sink, in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import measuring, servers
from bench.measuring import Failed, Measured, python
from bench.senders import dkim_signing

DELAY = 0.020  # seconds of the late sink's answers: a relay in another town
SESSIONS = 10
FULL = {
    "ours": 10_000,
    "mail": 10_000,
    "late": 2000,
    "material": 500,
    "people": 1_000_000,
    "rows": 200_000,
    "few": 1000,
}
QUICK = {"ours": 1500, "mail": 1500, "late": 800, "material": 200, "people": 50_000, "rows": 20_000, "few": 1000}
# A run can be made in pieces of a few minutes; whoever is compared is in one piece.
PARTS = {
    "mail": (
        *("smtp-source", "ours", "ours, power", "nodemailer", "django", "smtplib", "aiosmtplib", "listmonk"),
        *("ours, null", "nodemailer, null", "smtplib, null"),
        *("smtp-source, late", "ours, late", "ours, approve"),
    ),
    "dkim": ("dkim rates", "dkim 1, null", "dkim 2, null", "dkim 1, sink", "dkim 2, sink"),
    "ledger": ("ledger", "postgres"),
}
EVERYBODY = tuple(name for names in PARTS.values() for name in names)
HERE = Path(__file__).resolve().parent


@dataclass
class Race:
    """The prepared workspaces and the sinks that are up. `size` is the bytes of one mail of ours."""

    folder: Path
    count: dict[str, int]
    sink: servers.Sink
    null: servers.NullSink
    late: int
    size: int = 0
    npm: str = ""
    postgres: str = ""
    wanted: tuple[str, ...] = EVERYBODY
    why_not: dict[str, str] = field(default_factory=dict)  # contender → why it cannot run here

    def contenders(self) -> dict[str, Callable[[], Measured]]:
        """In the order of one round."""
        few = min(self.count["ours"] // 5, 1000)
        found = {
            "smtp-source": lambda: self.source(self.sink.port),
            "ours": self.into_the_sink,
            "ours, power": lambda: self.ours("power", self.sink.port),
            "nodemailer": lambda: self.peer("node", str(HERE / "senders/nodemailer.mjs"), few),
            "django": lambda: self.peer("bench.senders.django_mass", few // 3),
            "smtplib": lambda: self.peer("bench.senders.naive_smtplib", few // 4),
            "aiosmtplib": lambda: self.peer("bench.senders.aio_ten", few),
            "listmonk": self.listmonk,
            "ours, null": lambda: self.ours("kill", self.null.port),
            "nodemailer, null": lambda: self.peer("node", str(HERE / "senders/nodemailer.mjs"), few, null=True),
            "smtplib, null": lambda: self.peer("bench.senders.naive_smtplib", few // 4, null=True),
            "smtp-source, late": lambda: self.source(self.late, self.count["late"] // 5),
            "ours, late": lambda: self.ours("kill", self.late, "late"),
            "ours, approve": lambda: self.ours("kill", self.sink.port, "few", "--approve"),
            "dkim rates": lambda: self.without_mail("bench.senders.dkim_signing"),
            "dkim 1, null": lambda: self.sealed(1),
            "dkim 2, null": lambda: self.sealed(2),
            "dkim 1, sink": lambda: self.ours("kill", self.sink.port, signed=1),
            "dkim 2, sink": lambda: self.ours("kill", self.sink.port, signed=2),
            "ledger": self.ledger,
            "postgres": self.on_postgres,
        }
        return {name: found[name] for name in self.wanted if name not in self.why_not}

    def source(self, port: int, messages: int = 0) -> Measured:
        messages = messages or self.count["mail"]
        command = [servers.program("smtp-source"), "-4", "-d", "-s", str(SESSIONS), "-l", str(self.size)]
        return measuring.run([*command, "-m", str(messages), f"127.0.0.1:{port}"], messages)

    def ours(self, survives: str, port: int, which: str = "ours", *more: str, signed: int = 0) -> Measured:
        """A fresh copy of the approved workspace each time; somebody who already got it would not be sent to."""
        with self.fresh(which, survives, signed) as root:
            done = measuring.run(python("bench.senders.ours", root, port, *more), self.count[which])
        if done.messages != self.count[which]:
            raise Failed(f"{done.messages} of {self.count[which]} were accepted ({done.said.get('how')})")
        return done

    def into_the_sink(self) -> Measured:
        """With what the sink itself used: it is one process, and we come near to what it can take."""
        used = self.sink.cpu()
        done = self.ours("kill", self.sink.port)
        done.said["sink"] = self.sink.cpu() - used
        return done

    def sealed(self, workers: int) -> Measured:
        """Into the null sink, which looks whether the mails were signed at all."""
        before, used = self.null.mails()[1], self.null.cpu()
        done = self.ours("kill", self.null.port, signed=workers)
        if self.null.mails()[1] - before != done.messages:
            raise Failed("the mails went out without a seal, although [dkim] asks for one")
        done.said["sink"] = self.null.cpu() - used
        return done

    @contextmanager
    def fresh(self, which: str, survives: str = "kill", signed: int = 0) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=self.folder) as name:
            root = Path(name) / which
            shutil.copytree(self.folder / which, root, ignore=shutil.ignore_patterns("material", "people.csv"))
            with (root / "newsletter.toml").open("a", encoding="utf-8") as toml:
                toml.write(f'\n[sending]\nsurvives = "{survives}"\nprocesses = {signed or 1}\n')
            if signed:
                sign(root)
            yield root

    def peer(self, *command: str | int, null: bool = False) -> Measured:
        """Somebody else, with the material of our workspace."""
        *program, messages = command
        port = self.null.port if null else self.sink.port
        if program[0] == "node":
            started = [*map(str, program), str(self.folder / "ours"), str(port), str(messages)]
        else:
            started = python(str(program[0]), self.folder / "ours", port, messages)
        return measuring.run(started, int(messages), {"NODEMAILER": self.npm})

    def without_nodemailer(self, why: str) -> None:
        self.why_not |= dict.fromkeys(("nodemailer", "nodemailer, null"), why)

    def without_mail(self, module: str) -> Measured:
        return measuring.run(python(module, self.folder / "ours"), 1)

    def listmonk(self) -> Measured:
        """In a database of its own on our server, unless LISTMONK_db__… names another."""
        people, url = min(self.count["ours"] // 5, 1000), servers.another(self.postgres)
        return measuring.run(
            python("bench.senders.listmonk", self.folder / "ours", self.sink.port, url, people), people
        )

    def ledger(self) -> Measured:
        with self.fresh("people") as root:
            return measuring.run(python("bench.senders.ledger", root), self.count["people"])

    def on_postgres(self) -> Measured:
        """Every round in a database of its own."""
        with tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=self.folder) as name:
            url = servers.another(self.postgres)
            people = self.count["rows"]
            measuring.run(python("bench.senders.prepare", name, people, "--wait", "--url", url), people)
            return measuring.run(python("bench.senders.ledger", name), people)


def sign(root: Path) -> None:
    """Turn signing in our own process on, with a key of its own."""
    dkim_signing.key(root / "dkim.pem")
    with (root / "newsletter.toml").open("a", encoding="utf-8") as toml:
        toml.write(f'\n[dkim]\ndomain = "staffordshire.example"\nselector = "bench"\nkey_file = "{root}/dkim.pem"\n')


@contextmanager
def ready(quick: bool, say: Callable[[str], None], wanted: tuple[str, ...] = EVERYBODY) -> Iterator[Race]:
    """Make the workspaces, start the sinks, fetch nodemailer; all gone when the block ends. `wanted`: who runs."""
    count = QUICK if quick else FULL
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="newsletter-bench-")))
        sink, null = stack.enter_context(servers.smtp_sink()), stack.enter_context(servers.null_sink())
        late = stack.enter_context(servers.null_sink(delay=DELAY))
        race = Race(folder, count, sink, null, late.port, wanted=wanted)
        needed = {"late": "ours, late", "few": "ours, approve", "people": "ledger"}
        for which in ("ours", *(which for which, name in needed.items() if name in wanted)):
            say(f"{count[which]:,} made-up people are imported")
            more = ["--material", count["material"]] if which == "ours" else []
            more += ["--wait"] if which in ("few", "people") else []
            (folder / which).mkdir()
            made = measuring.run(python("bench.senders.prepare", folder / which, count[which], *more), count[which])
            race.size = int(made.said["size"])
        if {"nodemailer", "nodemailer, null"} & set(wanted):
            race.npm = nodemailer(race, folder)
        if not os.environ.get("LISTMONK_BIN"):
            race.why_not["listmonk"] = "LISTMONK_BIN names no listmonk"
        try:
            if {"postgres", "listmonk"} & set(race.contenders()):
                race.postgres = stack.enter_context(servers.postgres())
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            race.why_not["postgres"] = str(error)
            race.why_not.setdefault("listmonk", f"it needs PostgreSQL: {error}")
        yield race


def nodemailer(race: Race, folder: Path) -> str:
    """The folder that npm put nodemailer into."""
    if not shutil.which("node") or not shutil.which("npm"):
        race.without_nodemailer("there is no node here")
        return ""
    where = folder / "npm"
    where.mkdir()
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "nodemailer"]
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        race.without_nodemailer("npm did not install it: " + (done.stderr.strip().splitlines() or ["no words"])[-1])
    return str(where)
