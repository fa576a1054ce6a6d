"""Examines a target before a run: findings about it, missing prerequisites, the affected cases, and the fixes."""
