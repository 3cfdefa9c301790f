"""`make science`: the trainings and their judging as jobs of idleq, and the pages that show their figures."""
