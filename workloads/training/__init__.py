"""What every training shares: batches, the whole state, the loop, weights, the model card."""
