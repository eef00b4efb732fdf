# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""One process or many (`torchrun`): the same training, gradients averaged."""

import os
from collections.abc import Iterable

import torch
from torch import distributed, nn


def start() -> tuple[int, int, torch.device]:
    """Joins the other processes, if torchrun started any; returns rank, their number, device."""
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return int(os.environ.get("RANK", "0")), count, device


def average(parameters: Iterable[nn.Parameter]) -> None:
    """Averages gradients over all processes; nothing to do for one."""
    if not distributed.is_initialized():
        return
    for parameter in parameters:
        if parameter.grad is not None:
            distributed.all_reduce(parameter.grad)
            parameter.grad /= distributed.get_world_size()


def agree(flag: bool, device: torch.device) -> bool:
    """Whether any process says so: so that all stop at the same step."""
    if not distributed.is_initialized():
        return flag
    told = torch.tensor(int(flag), device=device)
    distributed.all_reduce(told)
    return bool(told.item())
