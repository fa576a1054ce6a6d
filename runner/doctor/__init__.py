"""Examines a target before a run: findings about it, what is missing, the affected cases, and the fixes."""
