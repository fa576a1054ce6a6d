"""Runs one case on a target: setup, steps, guard, end states, verdict, cleanup."""
