"""What the methods share that run a network many times: cost, progress, cancelling, running from a stage on."""
