"""Pages: the public addresses that a mail points to."""
