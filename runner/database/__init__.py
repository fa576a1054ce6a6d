"""The database under test: its DSN, its profile, sessions on it, and their replies.

Nothing here depends on cases or on conformance.
"""
