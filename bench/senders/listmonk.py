"""listmonk with our list, our text and our sink, where LISTMONK_BIN names it. `… ROOT PORT POSTGRES-URL PEOPLE`.

Set up by its own installer and by SQL in a database of its own. Its limits of rate are lifted and it has ten
connections. LISTMONK_… variables of the caller go before what is set here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from bench import servers
from bench.senders import clock
from bench.senders.material import Material

PATIENCE = 150  # seconds


def main(root: Path, port: int, url: str, people: int) -> None:
    place, program = urlsplit(url), os.environ["LISTMONK_BIN"]
    environment = {
        "LISTMONK_app__address": f"127.0.0.1:{servers.free_port()}",
        "LISTMONK_db__host": place.hostname or "127.0.0.1",
        "LISTMONK_db__port": str(place.port),
        "LISTMONK_db__user": place.username or "",
        "LISTMONK_db__password": "unused",
        "LISTMONK_db__database": place.path.lstrip("/"),
        "LISTMONK_db__ssl_mode": "disable",
        **os.environ,
    }
    command = [program, "--config="]
    subprocess.run([*command, "--install", "--yes"], env=environment, check=True, capture_output=True, cwd=root)
    with psycopg.connect(url, autocommit=True) as database:
        set_up(database, Material(root), port, people)
        used = clock.cpu()
        process = subprocess.Popen(
            command, env=environment, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with servers.ended(process):
            seconds = finished(database)
    print(json.dumps({"messages": people, "seconds": seconds, "cpu": clock.cpu() - used}))


def set_up(database: psycopg.Connection, material: Material, port: int, people: int) -> None:
    """Its settings, our people on its first list, and its sample campaign with our text, ready to run."""
    mail = {"enabled": True, "host": "127.0.0.1", "port": port, "auth_protocol": "none", "username": "", "password": ""}
    more = {"max_conns": 10, "max_msg_retries": 2, "idle_timeout": "15s", "wait_timeout": "5s", "tls_type": "none"}
    rest = {"email_headers": [], "tls_skip_verify": True, "hello_hostname": "", "uuid": str(uuid.uuid4())}
    for key, value in {
        "smtp": [{**mail, **more, **rest}],
        "app.concurrency": 10,
        "app.batch_size": 1000,
        "app.message_rate": 1_000_000,
        "app.message_sliding_window": False,
    }.items():
        database.execute("UPDATE settings SET value = %s WHERE key = %s", [json.dumps(value), key])
    subject, _, html = material.templates
    person = material.person(0)
    for key in person:
        html = html.replace(f"{{{{ {key} }}}}", "{{ .Subscriber.Name }}" if key == "v1" else str(person[key]))
    database.execute("DELETE FROM subscribers")
    database.execute(
        "INSERT INTO subscribers (uuid, email, name, attribs, status) SELECT gen_random_uuid(),"
        " 'person' || n || '@town.example', 'Ann', '{}', 'enabled' FROM generate_series(1, %s) n",
        [people],
    )
    database.execute(
        "INSERT INTO subscriber_lists (subscriber_id, list_id, status) SELECT id, 1, 'confirmed' FROM subscribers"
    )
    database.execute("DELETE FROM campaign_lists WHERE list_id <> 1")
    database.execute(
        "UPDATE campaigns SET subject = %s, body = %s, content_type = 'html', status = 'running' WHERE id = 1",
        [subject.replace("{{", ""), html],
    )


def finished(database: psycopg.Connection) -> float:
    """Wait for the campaign's end; its own seconds from start to end."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        row = database.execute(
            "SELECT status, EXTRACT(EPOCH FROM updated_at - started_at) FROM campaigns WHERE id = 1"
        ).fetchone()
        if row and row[0] == "finished":
            return float(row[1])
        time.sleep(0.2)
    raise SystemExit("the campaign did not come to its end")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
