"""Turns records of runs into what is published: pages, a summary in Markdown, badges."""
