"""The public address is asked for a sign of life that only we can give."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from newsletter.config import Config
from newsletter.mail.tokens import Keyring
from newsletter.problems import Exit, NewsletterError
from newsletter.sending import sitecheck
from tests.workspace import Workspace

Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def site(answer: object) -> Iterator[str]:
    """A web server on loopback; `answer(nonce)` gives status, headers and body."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, body = answer(parse_qs(urlsplit(self.path).query)["nonce"][0])  # type: ignore[operator]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def keyring(folder: Workspace) -> Keyring:
    return Keyring.load(folder.root / "var" / "secret.key")


def configured(folder: Workspace, url: str) -> Config:
    return replace(folder.config, site=replace(folder.config.site, url=url))


def proof(keyring: Keyring) -> object:
    def answer(nonce: str) -> Answer:
        said = {"newsletter": 1, "nonce": nonce, "proof": keyring.sign("well-known", nonce.encode())}
        return 200, {}, json.dumps(said).encode()

    return answer


def refusal(config: Config, keyring: Keyring) -> str:
    with pytest.raises(NewsletterError) as error:
        sitecheck.check(config, keyring, loopback_http=True)
    assert error.value.exit == Exit.REFUSED
    problem = error.value.problems[0]
    assert problem.code == "site-not-ours"
    assert "Unsubscribe, View in browser, Share and the pictures" in problem.message
    return problem.message


def test_our_own_site_is_known(folder: Workspace, keyring: Keyring) -> None:
    with site(proof(keyring)) as url:
        sitecheck.check(configured(folder, url), keyring, loopback_http=True)


def test_a_site_under_a_path_is_asked_there(folder: Workspace, keyring: Keyring) -> None:
    with site(proof(keyring)) as url:
        sitecheck.check(configured(folder, f"{url}/news/"), keyring, loopback_http=True)


def test_the_same_program_with_another_key_is_not_ours(folder: Workspace, keyring: Keyring) -> None:
    other = Keyring.create(folder.root / "var" / "other.key")
    with site(proof(other)) as url:
        assert "with another key" in refusal(configured(folder, url), keyring)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, {}, b"not here"), "(404) is not this newsletter"),
        ((200, {}, b"<html>a parked domain</html>"), "(200) is not this newsletter"),
        ((200, {}, b'{"newsletter": 1, "proof": 7}'), "another key"),
        ((200, {}, b"[]"), "(200) is not this newsletter"),
        ((200, {}, '{"newsletter": 1, "proof": "ü"}'.encode()), "another key"),
        ((301, {"Location": "http://127.0.0.1:1/"}, b""), "sends us on to another address"),
    ],
)
def test_anything_else_is_refused(folder: Workspace, keyring: Keyring, answer: Answer, words: str) -> None:
    with site(lambda nonce: answer) as url:
        assert words in refusal(configured(folder, url), keyring)


def test_no_answer_is_refused(folder: Workspace, keyring: Keyring) -> None:
    with site(proof(keyring)) as url:
        pass
    assert "does not answer" in refusal(configured(folder, url), keyring)


def test_plain_http_is_refused_outside_tests(folder: Workspace, keyring: Keyring) -> None:
    with site(proof(keyring)) as url, pytest.raises(NewsletterError):
        sitecheck.check(configured(folder, url), keyring)
