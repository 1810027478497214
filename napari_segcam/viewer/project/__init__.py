"""The open review project of a session: its cases one after the other, and what its reader does, kept in the log."""
