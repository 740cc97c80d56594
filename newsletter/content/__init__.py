"""What is written: `issue.md` becomes an Issue, each Problem with its line and column."""
