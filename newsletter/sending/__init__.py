"""Carrying it: mailings, the ledger of deliveries, and the transports."""
