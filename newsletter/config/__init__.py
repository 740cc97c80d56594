"""What `newsletter.toml` and the environment say, checked, frozen, each value with where it came from."""

from newsletter.config.reading import find, from_environment, load
from newsletter.config.shape import (
    BUILT_IN_FIELDS,
    FILE,
    PREFIX,
    SECTIONS,
    TABLES,
    Catch,
    Config,
    Database,
    FieldConfig,
    Images,
    ListConfig,
    Mail,
    Relay,
    Sender,
    Site,
    Web,
)

__all__ = [
    "BUILT_IN_FIELDS",
    "FILE",
    "PREFIX",
    "SECTIONS",
    "TABLES",
    "Catch",
    "Config",
    "Database",
    "FieldConfig",
    "Images",
    "ListConfig",
    "Mail",
    "Relay",
    "Sender",
    "Site",
    "Web",
    "find",
    "from_environment",
    "load",
]
