"""Prepared accounts: users for servers where the suite may not create users itself (``--accounts``)."""
