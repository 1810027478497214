"""The commands ``pacs``: search, fetch and send, and the servers."""
