"""Who receives: subscribers, lists, consent and suppression."""
