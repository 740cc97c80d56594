def missing_words() -> list[str]:
    return []
