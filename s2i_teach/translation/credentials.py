"""Content Credentials: a signed record inside a picture of how it was made, after the C2PA's open standard.

The package ``c2pa-python`` is needed, and is asked for only here: nothing else in the course needs it.
"""

import contextlib
import datetime
import io
import json
from dataclasses import dataclass
from pathlib import Path

from s2i_teach.errors import InputError
from s2i_teach.files import as_path, reading, shown, write_whole
from s2i_teach.images import read_picture
from s2i_teach.translation.result import Result, check_png_path

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""Before the IPTC's words for where a picture comes from; ``compositeWithTrainedAlgorithmicMedia`` has a person's part."""
LABEL = "org.s2i-teach.settings"
"""Of our own statement, which other programs may show and need not understand."""
STATES = {
    "Trusted": "signed by somebody on the reader's list",
    "Valid": "signed, and not changed since; the reader does not know the signer",
    "Invalid": "changed since it was signed",
}


@dataclass(frozen=True)
class Credentials:
    """What a picture's Content Credentials say.

    Attributes:
        state: ``"Trusted"``, ``"Valid"`` or ``"Invalid"``.
        meaning: the same in words.
        signer: who signed, by the certificate.
        source: the IPTC's word for where the picture comes from.
        settings: how it was made, where our own program signed.
        problems: the standard's codes of what is wrong or unknown.
    """

    state: str
    meaning: str
    signer: str
    source: str
    settings: dict
    problems: tuple[str, ...]


def manifest(result: Result) -> dict:
    """What is to be signed: the program, the kind of source and the settings, as the C2PA's JSON has them.

    The sketch itself is not in it, nor any name. A picture that a sketch led, or started, is *composite with trained
    algorithmic media*: a part was drawn by a person, and a part was made by a trained model.

    Raises:
        InputError: it is no result of ``translate``.
    """
    if not isinstance(result, Result):
        raise InputError(f"A manifest is made of a result of translate, and this is none ({type(result).__name__}).")
    made = {
        "action": "c2pa.created",
        "digitalSourceType": f"{SOURCE}compositeWithTrainedAlgorithmicMedia",
        "softwareAgent": {"name": result.model},
    }
    record = result.record()
    names = ("model", "precision", "settings", "sketch_sha256", "style_sha256")
    told = {name: record[name] for name in names if name in record}
    return {
        "claim_generator_info": [{"name": "s2i_teach"}],
        "title": "picture.png",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [made]}},
            {"label": LABEL, "data": told},
        ],
    }


def sign(result: Result, path: str | Path, signer: str = "somebody") -> Path:
    """Save a picture as :meth:`Result.save` does, with signed Content Credentials. Returns the path.

    The certificate is made here and now, for teaching: no list of trusted signers has it, and ``signer`` is what was
    typed. So it shows that a picture was not changed since, and not who made it.

    Args:
        result: what ``translate`` gave.
        path: of the PNG.
        signer: the name in the certificate.

    Raises:
        InputError: c2pa-python is not there; no result; the name is none, or the place cannot be written.
    """
    c2pa = _package()
    definition, path = manifest(result), check_png_path(path)
    if not isinstance(signer, str) or not 1 <= len(signer.strip()) <= 60:
        raise InputError("A signer has a name of 1 to 60 letters: give one, or anything that stands for you.")
    key, chain = _certificate(signer.strip())
    signed = io.BytesIO()
    try:
        with _signer(c2pa, key, chain) as by, c2pa.Builder(definition) as builder:
            builder.sign(by, "image/png", io.BytesIO(result.png()), signed)
    except c2pa.C2paError as error:
        raise InputError(f"c2pa-python could not sign the picture ({shown(error)}): save it without.") from error
    return write_whole(path, lambda file: file.write(signed.getvalue()))


def read_credentials(path: str | Path) -> Credentials | None:
    """The Content Credentials of a picture, and whether it was changed since; None if it has none.

    None says nothing about where a picture comes from: whoever saves a picture anew leaves them out.

    Raises:
        InputError: c2pa-python is not there, or it is no PNG or JPEG that can be read.
    """
    c2pa = _package()
    read_picture(path)  # says what is wrong with a file that is no picture
    path = as_path(path)
    with reading(path):
        data = path.read_bytes()
    kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    try:
        with c2pa.Reader(kind, io.BytesIO(data)) as reader:
            table = json.loads(reader.json())
            state = reader.get_validation_state() or "Invalid"
    except c2pa.C2paError as error:
        if "ManifestNotFound" in str(error):
            return None
        raise InputError(f"The credentials of {shown(path)} cannot be read ({shown(error)}).") from error
    told = table["manifests"][table["active_manifest"]]
    data_of = {row["label"]: row["data"] for row in told.get("assertions", ()) if isinstance(row.get("data"), dict)}
    actions: list = next(
        (data.get("actions", []) for label, data in data_of.items() if label.startswith("c2pa.actions")), []
    )
    source = next((action["digitalSourceType"] for action in actions if "digitalSourceType" in action), "")
    return Credentials(
        state=state,
        meaning=STATES.get(state, state),
        signer=told.get("signature_info", {}).get("common_name", ""),
        source=source.removeprefix(SOURCE),
        settings=data_of.get(LABEL, {}),
        problems=tuple(row["code"] for row in table.get("validation_status", ())),
    )


def has_package() -> bool:
    """Whether ``c2pa-python`` is installed and can be loaded."""
    with contextlib.suppress(InputError):
        _package()
        return True
    return False


def _package():
    try:
        import c2pa
    except (ImportError, OSError) as error:  # OSError: the package is there and its compiled library is not
        raise InputError(
            "Content Credentials need a package more: pip install c2pa-python, then run it again."
        ) from error
    return c2pa


def _signer(c2pa, key, chain: bytes):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    return c2pa.Signer.from_callback(
        lambda data: key.sign(data, ec.ECDSA(hashes.SHA256())), c2pa.C2paSigningAlg.ES256, chain.decode("ascii"), None
    )


def _certificate(signer: str):
    """A key and a chain of two certificates in PEM, valid for a month: the C2PA refuses one that signs itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)

    def name(text: str):
        organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "s2i_teach, for teaching only")
        return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certified(subject: str, public, issuer_key, *, is_root: bool):
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        ) | {"encipher_only": False, "decipher_only": False}
        made = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("a root that nobody knows"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + 30 * day)
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=not is_root, key_cert_sign=is_root, crl_sign=is_root, **usage),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        if not is_root:
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])  # one that the C2PA allows
            made = made.add_extension(purpose, critical=False)
        return made.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    root, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    chain = certified(signer, own.public_key(), root, is_root=False)
    return own, chain + certified("a root that nobody knows", root.public_key(), root, is_root=True)
