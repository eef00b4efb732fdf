"""Generates the gRPC code beside its source of truth; `--check` fails if it is not up to date."""

import filecmp
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "proto").rglob("*.proto"))


def generate(out: Path) -> None:
    """Writes `_pb2.py`, `_pb2.pyi` and `_pb2_grpc.py` of every proto file below `out`."""
    arguments = ["protoc", f"-I{ROOT}", f"--python_out={out}", f"--pyi_out={out}", f"--grpc_python_out={out}"]
    if protoc.main([*arguments, *PROTOS]):
        sys.exit("protoc failed")


def main() -> None:
    """Generates, or compares with what is committed."""
    if "--check" not in sys.argv:
        generate(ROOT)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = sorted(Path(folder).rglob("*_pb2*"))
        old = [p for p in fresh if not same(p, ROOT / p.relative_to(folder))]
    if old:
        sys.exit(f"Generated code is stale: {', '.join(p.name for p in old)}. Run `make proto`.")


def same(fresh: Path, committed: Path) -> bool:
    """Whether two files hold the same bytes."""
    return committed.is_file() and filecmp.cmp(fresh, committed, shallow=False)


if __name__ == "__main__":
    main()
