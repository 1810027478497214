"""The report of a problem: what a bug report needs, without a name, a path or an image."""
