"""The programs inside the jobs; reached by process only, they import nothing else of idleq."""
