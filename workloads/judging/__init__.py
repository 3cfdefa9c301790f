"""Generated images beside held-out truth, under the same judge."""
