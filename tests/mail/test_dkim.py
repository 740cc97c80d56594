"""Our signatures hold before strangers' verifiers, dkimpy and OpenDKIM, and break when anything that counts changes."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import dkim as oracle
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.mail import dkim_keys as keys
from newsletter.mail.dkim import ED25519, RSA, SIGNED, Seal, Signer
from newsletter.mail.outgoing import compile
from tests.mail.examples import COMMON, person

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.eml"))
DOMAIN, NOW = "staffordshire.example", 1_795_514_400


@cache
def pair() -> tuple[keys.Key, keys.Key]:
    return rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()


@cache
def signer() -> Signer:
    one, two = pair()
    return Signer(DOMAIN, Seal(RSA, "n1", keys.signing(one)), Seal(ED25519, "n1e", keys.signing(two)))


def records() -> dict[str, str]:
    return {found.name: found.value for found in (keys.record(key, *of) for key, of in zip(pair(), NAMES, strict=True))}


NAMES = (("n1", DOMAIN), ("n1e", DOMAIN))


def dns(name: bytes, timeout: int = 5) -> bytes:
    return records()[name.decode().rstrip(".")].encode()


def verdicts(signed: bytes) -> list[bool]:
    """What dkimpy says of the RSA signature and of the Ed25519 one; one that cannot be read does not hold."""

    def one(index: int) -> bool:
        try:
            return bool(oracle.DKIM(signed).verify(idx=index, dnsfunc=dns))
        except oracle.DKIMException:
            return False

    return [one(0), one(1)]


def signed(mail: bytes) -> bytes:
    return signer().sign(mail, NOW) + mail


def bulk() -> bytes:
    html = ("<p>Dear ", 0, ",</p>\r\n<p>a  b</p>")
    return compile(COMMON, ("News",), ("Dear ", 0, ",\n\nhello"), html).build(("Ann",), person())


def mangled(mail: bytes, old: bytes, new: bytes) -> bytes:
    assert old in mail
    return mail.replace(old, new, 1)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_both_signatures_of_every_golden_mail_hold(path: Path) -> None:
    assert verdicts(signed(path.read_bytes())) == [True, True]


LINE = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=60)


@given(
    body=st.lists(LINE, max_size=8).map("\r\n".join), subject=st.text(min_size=1, max_size=80).filter(str.isprintable)
)
@example(body="", subject="x")
@example(body="\r\n\r\n\r\n", subject="x")
@example(body="no line end", subject="a   b")
@example(body="blanks  \t at the end  \r\n\r\n", subject="x")
def test_any_body_holds_whatever_blank_lines_it_ends_in(body: str, subject: str) -> None:
    head = compile(COMMON, (subject,), ("",)).build((), person()).partition(b"\r\n\r\n")[0]
    assert verdicts(signed(head + b"\r\n\r\n" + body.encode())) == [True, True]


def test_folded_and_oddly_spaced_headers_hold() -> None:
    mail = b"from:  Ann\t <a@b.example>\r\nSUBJECT: one\r\n two\r\n\t three \t\r\nTo:\r\n x@y.example\r\nCc: \r\n"
    mail += b"\r\nhi\r\n"
    assert verdicts(signed(mail)) == [True, True]


def test_a_header_that_is_there_twice_already_holds_as_well() -> None:
    mail = b"From: a@b.example\r\nTo: one@x.example\r\nTo: two@x.example\r\nSubject: x\r\n\r\nhi\r\n"
    assert verdicts(signed(mail)) == [True, True]


def test_a_recipient_beyond_ascii_holds() -> None:
    mail = compile(COMMON, ("x",), ("hi",)).build((), person("zoë@example.org"))
    assert verdicts(signed(mail)) == [True, True]


def test_a_server_on_the_way_may_fold_headers_anew() -> None:
    assert verdicts(mangled(signed(bulk()), b"\r\nSubject: News", b"\r\nsubject:\r\n  News ")) == [True, True]


def test_a_changed_body_breaks_both() -> None:
    for old, new in ((b"hello", b"hallo"), (b"a  b</p>", b"a b</p>"), (b"hello", b"hello\r\nmore")):
        assert verdicts(mangled(signed(bulk()), old, new)) == [False, False]


def test_text_added_at_the_end_breaks_both() -> None:
    assert verdicts(signed(bulk()) + b"more\r\n") == [False, False]


def present() -> list[str]:
    names = [name for name in SIGNED if re.search(rf"^{name}:".encode(), bulk(), re.MULTILINE)]
    assert len(names) == len(SIGNED) - 1, "all but Cc"
    return names


@pytest.mark.parametrize("name", present())
def test_a_changed_header_breaks_both(name: str) -> None:
    mail = signed(bulk())
    assert verdicts(mangled(mail, f"\r\n{name}: ".encode(), f"\r\n{name}: x".encode())) == [False, False]


@pytest.mark.parametrize("name", present())
def test_a_header_taken_out_breaks_both(name: str) -> None:
    mail = signed(bulk())
    assert verdicts(mangled(mail, f"\r\n{name}: ".encode(), f"\r\nX-{name}: ".encode())) == [False, False]


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_header_added_on_the_way_breaks_both(name: str, place: str) -> None:
    head, _, body = signed(bulk()).partition(b"\r\n\r\n")
    more = f"{name}: <https://evil.example/>".encode()
    changed = more + b"\r\n" + head if place == "first" else head + b"\r\n" + more
    assert verdicts(changed + b"\r\n\r\n" + body) == [False, False]


def test_what_relays_add_breaks_nothing() -> None:
    mail = signed(bulk())
    assert verdicts(b"Received: from here by there; Tue, 24 Nov 2026 10:00:00 +0000\r\n" + mail) == [True, True]


def test_every_header_is_named_once_more_than_it_occurs_and_no_length_is_said() -> None:
    for line in re.split(rb"(?<=\r\n)(?=DKIM)", signer().sign(bulk(), NOW)):
        flat = re.sub(rb"\s", b"", line).decode()
        names = re.search(r"h=([^;]+);", flat)[1].split(":")  # type: ignore[index]
        assert {name: names.count(name) for name in SIGNED} == {name: 1 + (name in present()) for name in SIGNED}
        assert f";t={NOW};" in flat
        assert not re.search(r";[lx]=", flat)


def test_no_line_is_longer_than_78_and_all_end_in_crlf() -> None:
    long = Signer(f"{'a' * 50}.example.org", *(Seal(s.algorithm, "s" * 40, s.make) for s in signer().seals))
    for one in (signer(), long):
        made = one.sign(bulk(), NOW)
        assert made.endswith(b"\r\n")
        assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\r\n\r\n", made)
        assert max(map(len, made.split(b"\r\n"))) <= 78


def test_the_same_mail_and_time_give_the_same_bytes() -> None:
    assert signer().sign(bulk(), NOW) == signer().sign(bulk(), NOW) != signer().sign(bulk(), NOW + 1)


@pytest.mark.integration
@pytest.mark.skipif(not shutil.which("opendkim"), reason="opendkim is not installed: `make system` installs it")
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name)
def test_opendkim_takes_ours_and_refuses_a_changed_copy(path: Path, tmp_path: Path) -> None:
    (tmp_path / "dns").write_text("".join(f"{name} {value}\n" for name, value in records().items()))
    (tmp_path / "conf").write_text(f"TestDNSData {tmp_path}/dns\nMode v\n")
    for index in (0, 1):  # each of the two signatures alone, since OpenDKIM is content with one that holds
        mail = path.read_bytes()
        lines = re.split(rb"(?<=\r\n)(?=DKIM)", signer().sign(mail, NOW))[index]
        assert opendkim(tmp_path, lines + mail) is True
        assert opendkim(tmp_path, lines + mangled(mail, b"\r\nSubject: ", b"\r\nSubject: x")) is False
        assert opendkim(tmp_path, lines + mail + b"more\r\n") is False


def opendkim(folder: Path, mail: bytes) -> bool:
    """What OpenDKIM says of a mail in a file: verified or not; anything else is no verdict and fails the test."""
    (folder / "mail").write_bytes(mail)
    command = ["opendkim", "-t", str(folder / "mail"), "-x", str(folder / "conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert re.search(r"verification \(s=|signature|verif", said), said
    return "succeeded" in said


def key_file(folder: Path, algorithm: str) -> Path:
    path = folder / f"{algorithm}.pem"
    keys.create(path, algorithm)
    return path


def code_of(make: Callable[[], object]) -> str:
    from newsletter.problems import NewsletterError

    with pytest.raises(NewsletterError) as caught:
        make()
    return caught.value.problems[0].code


def openssl(path: Path, *words: str) -> Path:
    subprocess.run(["openssl", words[0], "-out", str(path), *words[1:]], check=True, capture_output=True)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("algorithm", [RSA, ED25519])
def test_a_key_is_made_for_us_alone_and_never_over_another(algorithm: str, tmp_path: Path) -> None:
    path = key_file(tmp_path / "new", algorithm)
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert code_of(lambda: keys.create(path, algorithm)) == "dkim-key-exists"
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name], "nothing half-made is left behind"
    assert keys.kind(path) == algorithm


def test_what_cannot_be_a_key_is_said(tmp_path: Path) -> None:
    rsa_file, ed_file = key_file(tmp_path, RSA), key_file(tmp_path, ED25519)
    assert code_of(lambda: keys.load(tmp_path / "none", RSA)) == "dkim-key-missing"
    assert code_of(lambda: keys.load(tmp_path, RSA)) in ("dkim-key-bad", "dkim-key-open")
    assert code_of(lambda: keys.load(ed_file, RSA)) == "dkim-key-bad"
    assert code_of(lambda: keys.load(rsa_file, ED25519)) == "dkim-key-bad"
    (tmp_path / "text").write_text("no key")
    (tmp_path / "text").chmod(0o600)
    assert code_of(lambda: keys.load(tmp_path / "text", RSA)) == "dkim-key-bad"
    ed_file.chmod(0o604)
    assert code_of(lambda: keys.load(ed_file, ED25519)) == "dkim-key-open"
    ed_file.chmod(0o640)
    assert keys.load(ed_file, ED25519), "a group of the machine's own, such as opendkim, may read it"


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl command")
def test_a_key_that_openssl_made_will_do_unless_it_is_short_or_locked(tmp_path: Path) -> None:
    good = openssl(tmp_path / "good", "genrsa", "-traditional", "2048")
    assert keys.load(good, RSA)
    short = openssl(tmp_path / "short", "genrsa", "768")
    assert code_of(lambda: keys.load(short, RSA)) in ("dkim-key-short", "dkim-key-bad")
    locked = openssl(tmp_path / "locked", "genrsa", "-aes128", "-passout", "pass:x", "2048")
    assert code_of(lambda: keys.load(locked, RSA)) == "dkim-key-bad"


def test_a_record_comes_in_strings_of_at_most_255_letters() -> None:
    record = keys.record(pair()[0], "n1", DOMAIN)
    assert record.name == "n1._domainkey.staffordshire.example"
    assert "".join(record.strings) == record.value
    assert max(map(len, record.strings)) <= 255 < len(record.value)
    assert record.zone.count('"') == 2 * len(record.strings) == 4
