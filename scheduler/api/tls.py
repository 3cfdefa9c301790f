"""The daemon's certificate: signed by itself, pinned by its clients."""

import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from idleq.ids import Millis
from idleq.scheduler.atomic import write_atomically
from idleq.scheduler.paths import ServerPaths

LIFETIME = dt.timedelta(days=825)
"""Clients read the certificate anew with every access file, so a short life costs nothing; some libraries refuse more."""

RENEW_BEFORE = dt.timedelta(days=30)
"""A daemon may run this long on the certificate that it started with."""


def ensure_certificate(paths: ServerPaths, hosts: tuple[str, ...], now: Millis) -> str:
    """Return a certificate (PEM) for *hosts* that is valid for a while yet, made anew with its key where there is none."""
    moment = dt.datetime.fromtimestamp(now / 1000, tz=dt.UTC)
    if not _is_usable(paths, hosts, moment):
        key = ec.generate_private_key(ec.SECP256R1())
        write_atomically(paths.key, _key_pem(key), mode=0o600)
        write_atomically(paths.certificate, _certificate(key, hosts, moment), mode=0o600)
    return paths.certificate.read_text(encoding="ascii")


def _is_usable(paths: ServerPaths, hosts: tuple[str, ...], moment: dt.datetime) -> bool:
    """Whether key and certificate are there, belong together, name *hosts* and last."""
    try:
        certificate = x509.load_pem_x509_certificate(paths.certificate.read_bytes())
        key = serialization.load_pem_private_key(paths.key.read_bytes(), password=None)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    return (
        key.public_key() == certificate.public_key()
        and set(names) == set(_names(hosts))
        and certificate.not_valid_before_utc <= moment < certificate.not_valid_after_utc - RENEW_BEFORE
        and paths.key.stat().st_mode & 0o077 == 0
    )


def _certificate(key: ec.EllipticCurvePrivateKey, hosts: tuple[str, ...], moment: dt.datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idleq daemon")])
    public = key.public_key()
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        # The clocks of the nodes may differ from ours.
        .not_valid_before(moment - dt.timedelta(days=1))
        .not_valid_after(moment + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(_names(hosts)), critical=False)
        # It can sign no other certificate, so trusting it is trusting this key alone.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _names(hosts: tuple[str, ...]) -> list[x509.GeneralName]:
    return [_name(host) for host in dict.fromkeys(("127.0.0.1", "localhost", *hosts))]


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
