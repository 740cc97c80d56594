"""The bytes: addresses, signed tokens, building the message, reading what comes in."""
