"""Slurm: what it says, in our words, and what we say to it. Text in and out is pure; only `commands` and `rest` reach the world."""
