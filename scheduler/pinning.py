"""How clients and agents know the daemon: by its certificate, and nothing else."""

import ssl


def pinned(certificate: str) -> ssl.SSLContext:
    """Return a context that trusts *certificate* (PEM) and no other, whoever signed it, under the names that it bears."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=certificate)
    return context
