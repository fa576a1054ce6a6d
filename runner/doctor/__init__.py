"""Examines a target before a run: facts about it, what is missing, the affected cases, and the fixes."""
