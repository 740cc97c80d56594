"""The client of bench/pages counts every request that was wanted, and takes no wrong answer for a right one."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.pages_load import Measured, as_fast_as_it_answers, at_rate, request

GET = itertools.repeat(request("GET", "/", ""))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bodies: list[bytes] = []

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def do_POST(self) -> None:
        Handler.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever hangs up in the middle is no news."""


@pytest.fixture
def port() -> Iterator[int]:
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_as_many_are_asked_as_may_be(port: int) -> None:
    assert len(as_fast_as_it_answers(port, GET, 200, 50, 30).times) == 50


def test_at_a_rate_every_request_is_asked_whether_or_not_the_last_was_answered(port: int) -> None:
    measured = at_rate(port, GET, 200, 1000, 0.2)
    assert len(measured.times) == 200 and all(one > 0 for one in measured.times)


def test_each_form_is_sent_once(port: int) -> None:
    Handler.bodies.clear()
    forms = iter([request("POST", "/", f"number={number}") for number in range(20)])
    as_fast_as_it_answers(port, forms, 200, 20, 30)
    assert sorted(Handler.bodies) == sorted(f"number={number}".encode() for number in range(20))


def test_a_wrong_answer_ends_it(port: int) -> None:
    with pytest.raises(RuntimeError, match="answered 200"):
        as_fast_as_it_answers(port, GET, 404, 50, 30)


def test_the_slow_twentieth_is_in_milliseconds() -> None:
    assert Measured([0.001] * 90 + [0.1] * 10, 1.0).slow == pytest.approx(100)
