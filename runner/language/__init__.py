"""The case language: what a YAML case can say, and how it is read.

Bottom layer: nothing here knows pytest, a connection or a verdict.
"""
