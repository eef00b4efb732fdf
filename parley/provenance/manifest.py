"""C2PA manifests: signed statements inside a file about how it was made (C2PA specification 2.2)."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from parley.errors import EngineUnavailable, MediaError
from parley.provenance.credentials import Credentials
from parley.version import version

# IPTC's word for media made by trained models.
SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
ANSWER: Final = "org.parley.answer"
WATERMARK: Final = "org.parley.bands.1"
_BINDING: Final = "c2pa.soft-binding"
_UNTRUSTED: Final = "signingCredential.untrusted"


@dataclass(frozen=True, slots=True)
class Claims:
    """What is said of an answer. Nothing of what was asked or said is in it.

    Attributes:
        avatar: Who answers.
        engines: By stage, as the gateway tells them.
        badge: Words on the picture; empty: none.
        watermark: 16 bits that the speech carries; None: it is not marked.
    """

    avatar: str
    engines: dict[str, str] = field(default_factory=dict)
    badge: str = ""
    watermark: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a file's manifest says, and whether it can be believed.

    Attributes:
        state: "ours": whole, and signed by a certificate that this installation trusts; "other": whole,
            signed by someone else; "broken": the file, the manifest or the signature was changed; "none":
            there is no manifest.
        signer: Issuer, name and serial number of the signer's certificate.
        claims: Generator, title, source type, and Parley's own claims.
        problems: What does not hold, in the words of the C2PA library.
    """

    state: str
    signer: dict[str, str] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Signature and hashes are those of an unchanged file."""
        return self.state in ("ours", "other")


def sign(source: Path, out: Path, claims: Claims, credentials: Credentials, *, title: str) -> None:
    """Copies the mp4 `source` to `out` with a signed manifest in it.

    Raises:
        EngineUnavailable: c2pa-python is not installed.
        MediaError: The file cannot be signed.
    """
    c2pa = _library()
    info = c2pa.C2paSignerInfo(b"es256", credentials.chain, credentials.key, None)
    try:
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder.from_json(_statement(claims, title)) as made:
            made.sign_file(source, out, signer)
    except (c2pa.C2paError, OSError) as error:
        raise MediaError(f"{out} cannot be signed: {error}") from error


def verify(path: Path, root: bytes = b"") -> Report:
    """Reads a file's manifest and checks signature and hashes; asks nobody on the network.

    Args:
        path: Of any type; some can hold no manifest.
        root: Certificates to trust, PEM.

    Raises:
        EngineUnavailable: c2pa-python is not installed.
        MediaError: The file is missing, or no media file.
    """
    c2pa = _library()
    trust = {"trust": {"trust_anchors": root.decode()}} if root else {}
    alone = {"verify_trust": True, "ocsp_fetch": False, "remote_manifest_fetch": False}
    try:
        with (
            c2pa.Settings.from_dict({"verify": alone, **trust}) as chosen,
            c2pa.Context(chosen) as context,
            c2pa.Reader(path, context=context) as reader,
        ):
            found, state = json.loads(reader.json()), str(reader.get_validation_state())
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported):  # or a type that can hold none
        return Report("none")
    except (c2pa.C2paError, OSError) as error:
        raise MediaError(f"{path} cannot be read: {error}") from error
    return _report(found, state)


def _report(found: dict[str, Any], state: str) -> Report:
    active = found["manifests"][found["active_manifest"]]
    info = active.get("signature_info", {})
    signer = {key: str(info.get(key, "")) for key in ("issuer", "common_name", "cert_serial_number")}
    data = {each["label"]: each.get("data", {}) for each in active.get("assertions", [])}
    actions = data.get("c2pa.actions.v2", data.get("c2pa.actions", {})).get("actions", [])
    generator = (active.get("claim_generator_info") or [{}])[0]
    claims = {
        "generator": " ".join(str(generator[key]) for key in ("name", "version") if key in generator),
        "title": active.get("title", ""),
        "source_type": next((a["digitalSourceType"] for a in actions if "digitalSourceType" in a), ""),
        "answer": data.get(ANSWER, {}),
    }
    problems = [
        f"{each['code']}: {each.get('explanation', '')}"
        for each in found.get("validation_status", [])
        if each["code"] != _UNTRUSTED
    ]
    names = {"Trusted": "ours", "Valid": "other"}
    return Report(names.get(state, "broken"), signer, claims, problems)


def _statement(claims: Claims, title: str) -> dict[str, Any]:
    """The manifest, as the library takes it."""
    generator = {"name": "Parley", "version": version()}
    created = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE, "softwareAgent": generator}
    answer = {"avatar": claims.avatar, "engines": claims.engines, "badge": claims.badge}
    assertions = [
        {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
        {"label": ANSWER, "data": answer},
    ]
    if claims.watermark is not None:
        value = f"{claims.watermark:04x}"
        block = {"scope": {}, "value": value}
        assertions.append({"label": _BINDING, "data": {"alg": WATERMARK, "blocks": [block]}})
        answer["watermark"] = value
    return {
        "claim_generator_info": [generator],
        "title": title,
        "format": "video/mp4",
        "assertions": assertions,
    }


def _library() -> Any:
    """c2pa-python, which is some megabytes: loaded when a file is signed or looked at."""
    try:
        import c2pa
    except ModuleNotFoundError as error:
        raise EngineUnavailable(
            "Signing needs the package c2pa-python.",
            fix="Run `make setup`, or set PARLEY_PROVENANCE_SIGN=false.",
        ) from error
    return c2pa
