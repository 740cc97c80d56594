"""The way to measure listmonk, gone with a stand-in for its program: same command line, same tables, same end."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench import measuring, servers

STAND_IN = f"""#!{sys.executable}
import json, os, signal, smtplib, sys
import psycopg
place = {{word: os.environ["LISTMONK_db__" + word] for word in ("host", "port", "user", "database")}}
assert os.environ["LISTMONK_db__ssl_mode"] == "disable" and sys.argv[1] == "--config="
database = psycopg.connect(
    host=place["host"], port=place["port"], user=place["user"], dbname=place["database"], autocommit=True
)
if "--install" in sys.argv:
    assert "--yes" in sys.argv
    for table in (
        "settings (key text, value jsonb)",
        "subscribers (id serial, uuid uuid, email text, name text, attribs jsonb, status text)",
        "subscriber_lists (subscriber_id int, list_id int, status text)",
        "campaign_lists (campaign_id int, list_id int)",
        "campaigns (id int, subject text, body text, content_type text, status text, started_at timestamptz,"
        " updated_at timestamptz)",
    ):
        database.execute("CREATE TABLE " + table)
    database.execute("INSERT INTO settings VALUES ('smtp', '[]')")
    database.execute("INSERT INTO campaigns VALUES (1, '', '', '', 'draft', null, null)")
    sys.exit()
server = database.execute("SELECT value -> 0 FROM settings WHERE key = 'smtp'").fetchone()[0]
subject, body, status = database.execute("SELECT subject, body, status FROM campaigns").fetchone()
assert status == "running" and server["max_conns"] == 10
database.execute("UPDATE campaigns SET started_at = clock_timestamp()")
with smtplib.SMTP(server["host"], server["port"]) as relay:
    for (to,) in database.execute("SELECT email FROM subscribers JOIN subscriber_lists ON subscriber_id = id"):
        relay.sendmail("news@town.example", to, f"Subject: {{subject}}\\n\\n{{body}}".encode())
database.execute("UPDATE campaigns SET status = 'finished', updated_at = clock_timestamp()")
signal.pause()
"""


def test_a_program_named_by_listmonk_bin_is_set_up_started_measured_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "listmonk"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    monkeypatch.setenv("LISTMONK_BIN", str(program))
    material = tmp_path / "material"
    material.mkdir()
    people = [{"to": "a@town.example", "from": "b@town.example", "v0": "x", "v1": "Ann"}]
    (material / "people.json").write_text(json.dumps({"people": people, "offsets": [0]}))
    for name, text in (("subject", "News"), ("text", "Hello {{ v1 }}"), ("html", "<p>{{ v1 }} {{ v0 }}</p>")):
        (material / f"{name}.txt").write_text(text)
    with ExitStack() as stack:
        try:
            url = stack.enter_context(servers.postgres())
        except FileNotFoundError as error:
            pytest.skip(str(error))
        sink = stack.enter_context(servers.null_sink())
        command = measuring.python("bench.senders.listmonk", tmp_path, sink.port, servers.another(url), 20)
        found = measuring.run(command, 20)
        assert (found.messages, sink.mails()[0]) == (20, 20)
        assert 0 < found.seconds < 60
