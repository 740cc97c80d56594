"""The public pages for any WSGI server, such as `gunicorn -w 2 --threads 4 newsletter.web.wsgi`.

The workspace is the folder that the server is started in, or NEWSLETTER_ROOT. Raises NewsletterError where the
configuration or the database is not in order: the server then ends and shows it, instead of answering with errors.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from django.core.handlers.wsgi import WSGIHandler
from django.db import connections

from newsletter.audience import database
from newsletter.config import from_environment
from newsletter.web import kept

database.ready(from_environment(Path(os.environ.get("NEWSLETTER_ROOT") or Path.cwd())))
connections.close_all()  # with --preload this process is forked, and no connection may go along
kept.keep_open()
# Django would log the addresses of faulty requests, and an address here holds a person's token.
logging.getLogger("django.request").setLevel(logging.CRITICAL)
application = WSGIHandler()
