"""Decides whether a build fails: known deviations, differences between two runs, output for GitHub Actions."""
