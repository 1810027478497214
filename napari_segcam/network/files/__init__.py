"""What a file holds, read as data: nothing in it runs."""
