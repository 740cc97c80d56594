"""The public pages for another WSGI server: `gunicorn newsletter.web.wsgi:application` in the workspace's folder."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.handlers.wsgi import WSGIHandler

from newsletter import config
from newsletter.audience import database

database.ready(config.load(config.find(Path.cwd()), os.environ))
application = WSGIHandler()
