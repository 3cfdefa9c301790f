"""How generated time-ordered data compare with held-out truth, in watts and for each number of hits."""
