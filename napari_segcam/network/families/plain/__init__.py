"""U-Nets and similar networks of well-known repositories, rebuilt from the names and shapes of their weights."""
