"""Accounts as owners: their place in the database and the keys that their records are sealed under."""
