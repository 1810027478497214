"""What the evidence of many frames adds up to: which stages take part, which maps hold up, which masks are doubtful."""
