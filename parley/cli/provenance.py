"""`parley provenance …`: the signing key, and what a file says of its origin."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from parley.errors import ConfigError, MediaError
from parley.media.clock import SAMPLE_RATE_HZ
from parley.media.files import read_audio
from parley.provenance import credentials, manifest, watermark
from parley.provenance.settings import ProvenanceSettings

app = typer.Typer(no_args_is_help=True)

_STATES = {
    "ours": "Unchanged since it was signed, by a certificate that this installation trusts.",
    "other": "Unchanged since it was signed, by someone whom this installation does not know.",
    "broken": "CHANGED: the file, its manifest or its signature is not what was signed.",
    "none": "There is no manifest: it was never signed, or was lost when the file was converted.",
}


@app.command()
def init(
    again: Annotated[bool, typer.Option(help="Replace the key and the certificate that are there.")] = False,
) -> None:
    """Make the signing key and its certificate, and say what they are; else the first answer makes them."""
    folder = ProvenanceSettings().folder
    if again or not (folder / credentials.KEY).exists():
        credentials.create(folder, again=again)
    made = credentials.load(folder)
    Console().print(
        f"Key and certificates: {folder}\nFingerprint: {made.fingerprint}\n"
        f"Watermark: {made.mark} ({made.mark:04x})\nEnds: {made.expires:%Y-%m-%d}\n"
        "Made on this machine: shows that files come from one installation, not who runs it.",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="Any video or sound file.")],
    root: Annotated[Path | None, typer.Option(help="Certificates to trust, PEM; default: our own.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """What a file says of its origin, and whether signature, hashes and watermark hold.

    Ends with 0 if there is a manifest and it holds, else with 1.
    """
    report = manifest.verify(file, _trusted(root))
    found = _heard(file)
    if as_json:
        print(orjson.dumps({**asdict(report), "watermark": found and asdict(found)}).decode())
    else:
        _show(report, found, Console())
    raise typer.Exit(0 if report.holds else 1)


def _trusted(root: Path | None) -> bytes:
    """The certificates to trust; none if this installation has never signed."""
    path = root or ProvenanceSettings().folder / credentials.ROOT
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        if root is None:
            return b""
        raise ConfigError(f"{root} does not exist.") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def _heard(file: Path) -> watermark.Detection | None:
    """The watermark in the file's sound; None if it has no sound."""
    try:
        audio = read_audio(file, SAMPLE_RATE_HZ)
    except MediaError:
        return None
    return watermark.detect(audio, ProvenanceSettings().pattern)


def _show(report: manifest.Report, found: watermark.Detection | None, console: Console) -> None:
    lines = [_STATES[report.state]]
    if report.signer:
        lines.append(f"Signed by: {', '.join(value for value in report.signer.values() if value)}")
    lines += [f"{key.replace('_', ' ').capitalize()}: {_flat(value)}" for key, value in report.claims.items()]
    lines += [f"Problem: {problem}" for problem in report.problems]
    if found is None:
        lines.append("Watermark: the file has no sound.")
    elif found.payload is None:
        lines.append(f"Watermark: none found (score {found.score:.1f} of {watermark.threshold():.1f}).")
    else:
        lines.append(
            f"Watermark: {found.payload:04x} (score {found.score:.1f} of {watermark.threshold():.1f}, "
            f"chance without one < {found.bound:.0e})."
        )
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


def _flat(value: Any) -> str:
    return ", ".join(f"{k} {_flat(v)}" for k, v in value.items()) if isinstance(value, dict) else str(value)
