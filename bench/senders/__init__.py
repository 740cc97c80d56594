"""The senders that bench/send races: ours and the others, each in a process of its own."""
