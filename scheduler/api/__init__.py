"""The daemon's HTTPS API: its server side (FastAPI), and a client that imports none of that."""
