"""Effects, one file each, named by a verb. Each is safe to run twice."""
