"""Write a newsletter as files, send it with an exact ledger, and hear the people who answer."""

__version__ = "0.1.0"
