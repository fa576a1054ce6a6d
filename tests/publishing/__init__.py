"""Tests of the report, over records of real runs, in a real browser."""
