"""The database under test: its DSN, its profile, sessions on it, and what they are answered.

Nothing here knows what a case is or what conforms.
"""
