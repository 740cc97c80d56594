"""Segments: named choices of people as data, checked before they are kept, and turned into SQL of ours alone.

What others call: read(data, known) → Segment; stored(), get(key), save(…), remove(key); Compiler for selecting.
"""

from newsletter.audience.segments.known import Known
from newsletter.audience.segments.model import Condition, Segment
from newsletter.audience.segments.reading import read
from newsletter.audience.segments.storing import get, remove, save, stored

__all__ = ["Condition", "Known", "Segment", "get", "read", "remove", "save", "stored"]
