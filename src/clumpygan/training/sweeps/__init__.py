"""Many trainings: jobs, searches, and the table of their results."""
