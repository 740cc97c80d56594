"""Tokens: nobody else can make one, none stands in for another, and old ones stay good."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.tokens import ID_LENGTH, LETTERS, Keyring, Purpose, address, in_address, new_id
from newsletter.problems import NewsletterError, Severity

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
STORED = b"123456789"


def counted(size: int, numbers: itertools.count[int] = itertools.count(1)) -> bytes:  # noqa: B008
    """Bytes that look random enough and are the same in every run."""
    return bytes((next(numbers) * 37) % 256 for _ in range(size))


def keyring(path: Path) -> Keyring:
    return Keyring.create(path / "secret.key", random=counted)


KEYS = Keyring({1: b"k" * 32, 2: b"l" * 32})
ids = st.binary(min_size=ID_LENGTH, max_size=ID_LENGTH)


@given(ids, st.sampled_from(Purpose))
def test_a_token_comes_back_as_it_went_out_in_any_letter_case(stored: bytes, purpose: Purpose) -> None:
    token = KEYS.make(purpose, stored)
    assert len(token) == LETTERS and set(token) <= set(ALPHABET)
    assert KEYS.read(token) == KEYS.read(token.upper()) == (purpose, stored)


@given(st.lists(st.tuples(st.sampled_from(Purpose), ids), min_size=1, max_size=7))
def test_tokens_made_together_are_those_made_one_by_one(wanted: list[tuple[Purpose, bytes]]) -> None:
    mint = KEYS.minter(*(purpose for purpose, _ in wanted))
    one_by_one = [KEYS.make(purpose, stored).encode() for purpose, stored in wanted]
    assert mint([stored for _, stored in wanted]) == one_by_one


def test_no_token_is_made_of_an_id_that_is_missing_or_cut() -> None:
    mint = KEYS.minter(Purpose.REPLY, Purpose.VIEW)
    for stored in ([STORED, b""], [STORED, STORED[:-1]], [STORED]):
        with pytest.raises(ValueError):
            mint(stored)


@given(ids, st.sampled_from(Purpose), st.integers(0, LETTERS - 1), st.sampled_from(ALPHABET))
def test_no_letter_can_be_changed(stored: bytes, purpose: Purpose, at: int, letter: str) -> None:
    token = KEYS.make(purpose, stored)
    forged = token[:at] + letter + token[at + 1 :]
    assert (KEYS.read(forged) is None) == (forged != token)


@given(st.text(max_size=40))
def test_any_other_text_is_no_token(text: str) -> None:
    assert KEYS.read(text) is None


def test_the_same_stored_id_gives_unrelated_tokens_for_each_purpose() -> None:
    tokens = {KEYS.make(purpose, STORED)[16:] for purpose in Purpose}
    assert len(tokens) == len(Purpose)


def test_the_format_never_changes() -> None:
    """A golden value: tokens in mail already sent must be read by every later version."""
    assert Keyring({1: bytes(range(32))}).make(Purpose.REPLY, STORED) == "eeytemzugu3doobzpvuussxuka6bdpka"


def test_another_installations_tokens_are_worth_nothing() -> None:
    assert KEYS.read(Keyring({2: b"z" * 32}).make(Purpose.UNSUBSCRIBE, STORED)) is None


def test_after_a_rotation_the_new_key_signs_and_the_old_tokens_stay_good(tmp_path: Path) -> None:
    old = keyring(tmp_path)
    sent = old.make(Purpose.REPLY, STORED)
    new = old.rotated(tmp_path / "secret.key", random=counted)
    assert new.make(Purpose.REPLY, STORED) != sent
    assert Keyring.load(tmp_path / "secret.key").read(sent) == (Purpose.REPLY, STORED)
    assert old.read(new.make(Purpose.REPLY, STORED)) is None


def test_keys_run_out_with_words_and_not_with_a_wrong_token(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    keys = keyring(tmp_path)
    for _ in range(30):
        keys = keys.rotated(path, random=counted)
    with pytest.raises(NewsletterError, match="room for no more"):
        keys.rotated(path, random=counted)
    assert len(Keyring.load(path).keys) == 31


def test_the_key_file_is_closed_to_others_and_survives_a_round_trip(tmp_path: Path) -> None:
    made = keyring(tmp_path)
    path = tmp_path / "secret.key"
    assert path.stat().st_mode & 0o777 == 0o600
    loaded = Keyring.load(path)
    assert (loaded.keys, loaded.problems) == (made.keys, ())


def test_a_kept_key_is_read_again_when_another_file_lies_there(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    made = keyring(tmp_path)
    assert Keyring.kept(path) == made and Keyring.kept(path) is Keyring.kept(path)
    other = Keyring.create(tmp_path / "backup.key", lambda size: bytes([7]) * size)
    (tmp_path / "backup.key").replace(path)
    assert Keyring.kept(path) == other
    path.unlink()
    with pytest.raises(NewsletterError):
        Keyring.kept(path)


def test_a_key_that_others_can_read_is_used_with_a_warning(tmp_path: Path) -> None:
    keyring(tmp_path)
    path = tmp_path / "secret.key"
    path.chmod(0o644)
    (problem,) = Keyring.load(path).problems
    assert (problem.code, problem.severity) == ("key-readable-by-others", Severity.WARNING)
    assert "chmod 600" in problem.hint


def test_a_lost_key_says_what_is_lost(tmp_path: Path) -> None:
    with pytest.raises(NewsletterError) as caught:
        Keyring.load(tmp_path / "secret.key")
    assert caught.value.problems[0].code == "lost-key"
    assert "backup" in caught.value.problems[0].hint


@pytest.mark.parametrize("text", ["", "# nothing\n", "1 abc\n", "0 " + "a" * 64, "32 " + "a" * 64, "1 " + "g" * 64])
def test_a_damaged_key_file_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret.key"
    path.write_text(text)
    with pytest.raises(NewsletterError) as caught:
        Keyring.load(path)
    assert caught.value.problems[0].code == "bad-key"


def test_a_binary_key_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(b"\xff\x00\xfe")
    with pytest.raises(NewsletterError, match="not a text file"):
        Keyring.load(path)


def test_an_existing_key_is_never_replaced(tmp_path: Path) -> None:
    keyring(tmp_path)
    with pytest.raises(NewsletterError) as caught:
        keyring(tmp_path)
    assert caught.value.problems[0].code == "key-exists"


def test_keys_are_not_printed() -> None:
    assert "6b6b" not in repr(KEYS) and "kkkk" not in repr(KEYS)


def test_what_is_signed_for_one_use_is_no_proof_for_another() -> None:
    assert KEYS.sign("site", b"nonce") != KEYS.sign("canary", b"nonce")
    assert len(KEYS.sign("site", b"nonce")) == 64


def test_a_stored_id_has_nine_random_bytes() -> None:
    assert len(new_id()) == ID_LENGTH
    assert new_id() != new_id()
    with pytest.raises(ValueError, match="9 bytes"):
        KEYS.make(Purpose.REPLY, b"short")


@pytest.mark.parametrize("separator", ["+", "-", "=", ""])
def test_an_address_of_ours_gives_its_token_back(separator: str) -> None:
    token = KEYS.make(Purpose.REPLY, STORED)
    sent = address("reply", token, "reply.example", separator)
    assert len(sent.split("@")[0]) <= 64 - len("prvs=0123456789=")
    for seen in (sent, sent.upper(), f"prvs=0123456789={sent}", f"SRS0=HHH=TT=reply.example={sent[:-14]}@fwd.example"):
        assert in_address(seen, "Reply.Example", separator) == token
    # The setting may have changed since: what was sent must still be understood.
    assert in_address(sent, "reply.example", "+") == token


@pytest.mark.parametrize(
    "other",
    ["ann@reply.example", "reply+@reply.example", "reply+short@reply.example", "reply", "", "@reply.example"],
)
def test_any_other_address_has_no_token(other: str) -> None:
    assert in_address(other, "reply.example") is None


def test_a_token_at_another_domain_is_not_ours() -> None:
    sent = address("reply", KEYS.make(Purpose.REPLY, STORED), "reply.example")
    assert in_address(sent, "bounce.example") is None
    assert in_address(sent + ".", "reply.example") is not None  # a domain may be written with its final dot


def test_a_token_glued_to_other_letters_is_not_one() -> None:
    token = KEYS.make(Purpose.REPLY, STORED)
    assert in_address(f"replyx{token}@reply.example", "reply.example") is None


def test_signatures_are_those_of_every_key_the_newest_first(tmp_path: Path) -> None:
    first = Keyring.create(tmp_path / "secret.key")
    second = first.rotated(tmp_path / "secret.key")
    signatures = second.signatures("erased address")
    for data in (b"", b"sam@example.org", b"x" * 1000):
        assert signatures(data) == (second.sign("erased address", data), first.sign("erased address", data))
