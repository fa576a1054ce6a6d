"""Renders records of runs as a report: pages, a summary in Markdown, badges."""
