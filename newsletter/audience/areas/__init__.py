"""Areas: the places of the map that people belong to, by the tree, by an outline, or by a circle.

What others call: known(), find(word), within(key), of_postcode(code), inside(shape), holders(shape), spelled(text).
"""

from newsletter.audience.areas.finding import Known, find, holders, inside, known, names, of_postcode, path, within
from newsletter.audience.postcodes import spelled

__all__ = ["Known", "find", "holders", "inside", "known", "names", "of_postcode", "path", "spelled", "within"]
