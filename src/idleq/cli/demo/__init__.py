"""`idleq demo`: a real training job in the idle gaps of a small busy cluster, on this machine."""
