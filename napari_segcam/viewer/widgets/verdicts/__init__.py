"""The Verdict widget and its parts."""
