"""Stories told aloud: deterministic, they decide and the activities act."""
