"""The main queue alone, compiled: the same starts as the policies of `queueing`, and nothing else."""
