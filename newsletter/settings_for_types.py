"""Settings for the type checker only: mypy's Django plugin imports them, nothing else does."""

from newsletter.config import load
from newsletter.files import PACKAGE
from newsletter.settings import values

globals().update(values(load(PACKAGE.parent), "types"))
