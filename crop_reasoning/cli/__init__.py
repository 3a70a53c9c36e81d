"""The command line: one file a room, nothing heavy imported before a verb runs."""
