"""`make science`: the trainings and their judging as jobs of idleq, and the page that shows their figures."""
