"""Property tests are judged by what they find, not by how busy the machine is."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("newsletter", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "newsletter"))
