"""Asks a gRPC server whether it serves: `python -m parley.rpc.healthcheck 50051 [name]`; exit code 0 or 1.

Made for container health checks. The port may be "host:port". `name` is a health service, for example
"chain".
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


def check(address: str, name: str = "", *, timeout_s: float = 2.0) -> str:
    """Asks once.

    Args:
        address: "host:port".
        name: Health service; empty: the server as a whole.
        timeout_s: How long to wait for the answer.

    Returns:
        "SERVING", or why not, in words.
    """
    with grpc.insecure_channel(address) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=name), timeout=timeout_s
            )
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def main(argv: list[str]) -> int:
    """Runs the check that the arguments ask for; prints the answer."""
    if not 1 <= len(argv) <= 2:
        print("usage: python -m parley.rpc.healthcheck PORT|HOST:PORT [NAME]", file=sys.stderr)
        return 2
    address = argv[0] if ":" in argv[0] else f"127.0.0.1:{argv[0]}"
    answer = check(address, *argv[1:])
    print(answer)
    return 0 if answer == "SERVING" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
