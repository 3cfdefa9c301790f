"""Journals: in SQLite or PostgreSQL (`journal`), or in memory (`memory`)."""
