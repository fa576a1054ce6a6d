"""Runs YAML conformance cases against a database server, and judges its replies."""
