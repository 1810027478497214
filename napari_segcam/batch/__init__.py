"""Many images: what is wanted of each, and runs over all of them that can be resumed and spread over machines."""
