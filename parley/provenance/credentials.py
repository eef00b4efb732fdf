"""The key that signs answers, and its certificate: made here on first use, known to nobody else.

A root signs the certificate once and its key is thrown away: nobody can issue another under it. Others see
that one and the same installation made a file, not who runs it; for that, put a certificate of a public
authority and its key in the folder (docs/provenance.md).
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from parley.errors import ConfigError

KEY: Final = "key.pem"
CHAIN: Final = "chain.pem"
ROOT: Final = "root.pem"
VALID_DAYS: Final = 730

_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Credentials:
    """What signing needs.

    Attributes:
        key: Private key, PEM (PKCS 8).
        chain: Certificates from the signer's up, PEM.
        root: The certificate that this installation trusts, PEM.
        expires: When the signer's certificate ends.
    """

    key: bytes
    chain: bytes
    root: bytes
    expires: datetime

    @property
    def certificate(self) -> x509.Certificate:
        """The signer's."""
        return x509.load_pem_x509_certificates(self.chain)[0]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the signer's public key, hexadecimal."""
        public = self.certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        digest = hashes.Hash(hashes.SHA256())
        digest.update(public)
        return digest.finalize().hex()

    @property
    def mark(self) -> int:
        """The 16 bits that this installation's watermark carries: the fingerprint's first."""
        return int(self.fingerprint[:4], 16)


def ensure(folder: Path) -> Credentials:
    """The folder's credentials; made now if there are none.

    Raises:
        ConfigError: They cannot be made, read or used.
    """
    if not (folder / KEY).exists():
        create(folder)
    return load(folder)


def load(folder: Path) -> Credentials:
    """Reads what `create` wrote, or what a public authority issued.

    Raises:
        ConfigError: A file is missing or malformed, others can read the key, or the certificate has expired.
    """
    try:
        key, chain = (folder / KEY).read_bytes(), (folder / CHAIN).read_bytes()
        root = (folder / ROOT).read_bytes()
        mode = (folder / KEY).stat().st_mode
        certificate, *_ = x509.load_pem_x509_certificates(chain)
        private = serialization.load_pem_private_key(key, None)
        matches = private.public_key() == certificate.public_key()
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"The signing credentials in {folder} cannot be read: {error}",
            fix="Run `parley provenance init --again`.",
        ) from error
    if mode & 0o077:
        raise ConfigError(f"Others can read {folder / KEY}.", fix=f"chmod 600 {folder / KEY}")
    if not matches:
        raise ConfigError(f"{folder / KEY} is not the key of {folder / CHAIN}.", fix="Put its own key there.")
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise ConfigError(
            f"The certificate in {folder} ended on {certificate.not_valid_after_utc:%Y-%m-%d}.",
            fix="Run `parley provenance init --again`.",
        )
    return Credentials(key, chain, root, certificate.not_valid_after_utc)


def create(folder: Path, *, again: bool = False) -> None:
    """Makes a key and its certificate.

    Args:
        folder: Where to; made if it is missing, for its owner only.
        again: Replace what is there; files signed so far stay valid, but are no longer known as one's own.

    Raises:
        ConfigError: The folder cannot be written.
    """
    key, root_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate(root_key, root_key)
    signer = _certificate(key, root_key)
    secret = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = {KEY: secret, CHAIN: signer + root, ROOT: root}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".provenance-"))  # mode 700
        try:
            for name, content in files.items():
                with open(os.open(made / name, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                    file.write(content)
            _put(made, folder, again=again)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise ConfigError(
            f"The signing key cannot be kept in {folder}: {error}",
            fix="Set PARLEY_PROVENANCE_FOLDER to a new folder that can be written, "
            "or PARLEY_PROVENANCE_SIGN=false.",
        ) from error


def _put(made: Path, folder: Path, *, again: bool) -> None:
    """Moves what was made to its place, wholly: of two processes that are the first, one wins."""
    if again and folder.exists():
        for name in (ROOT, CHAIN, KEY):
            os.replace(made / name, folder / name)
        return
    try:
        os.rename(made, folder)
    except OSError:
        if not (folder / KEY).exists():
            raise


def _certificate(subject: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey) -> bytes:
    """An X.509 certificate, PEM, with the extensions that C2PA 2.2 (14.5) asks of a signer and its root."""
    is_root = subject is issuer
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        (
            "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
            "key_cert_sign crl_sign encipher_only decipher_only"
        ).split(),
        False,
    )
    usage |= {"key_cert_sign": True, "crl_sign": True} if is_root else {"digital_signature": True}
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name("root" if is_root else "signer"))
        .issuer_name(_name("root"))
        .public_key(subject.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # clocks differ
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False
        )
    )
    if not is_root:
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purposes, critical=False)
    return builder.sign(issuer, hashes.SHA256()).public_bytes(_PEM)


def _name(role: str) -> x509.Name:
    """Names no person and no machine."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Parley (local)"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Parley {role}"),
        ]
    )
