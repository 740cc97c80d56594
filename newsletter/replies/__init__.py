"""The answer: what comes back, kept raw first, then sorted into conversations."""
