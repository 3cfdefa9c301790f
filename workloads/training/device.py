"""Where the arithmetic is done, and the settings under which it repeats bit for bit.

Random numbers are drawn on the CPU and moved to where they are used, whatever the device: one generator is then all that a
checkpoint has to hold, and a training on a GPU is given the very noise and order that it would be given on a CPU.
"""

import os
from typing import TYPE_CHECKING

import torch

from idleq.workloads.errors import MissingDevice
from idleq.workloads.messages import say
from idleq.workloads.training.options import Device

if TYPE_CHECKING:
    from torch import nn

CPU = torch.device("cpu")

# What CUDA's matrix products need to give the same bits twice; read when the first of them is made.
_WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def use_one_thread_pool(threads: int) -> None:
    """Use so many threads, and algorithms that give the same bits on every run."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True)
    # Nothing here reads memory before writing it, and filling all of it costs 7 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # set through the module's class


def find_device(wanted: Device) -> torch.device:
    """The device that is *wanted*, made ready and told on stderr; to be called before anything is on it.

    Raises:
        MissingDevice: it is not there.
    """
    there = torch.cuda.is_available()
    if wanted is Device.CUDA and not there:
        raise MissingDevice(f"--device cuda: torch finds no GPU: {_why_not()}; or give --device cpu")
    device = torch.device("cuda") if there and wanted is not Device.CPU else CPU
    if device.type == "cuda":
        _prepare_cuda()
    say(f"computing on {name_of(device)}")
    return device


def name_of(device: torch.device) -> str:
    """The device for people: of a GPU its model as well, since bits depend on it."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def device_of(model: "nn.Module") -> torch.device:
    """Where *model* is."""
    return next(model.parameters()).device


def _prepare_cuda() -> None:
    os.environ.setdefault(*_WORKSPACE)
    # float32 is to be float32: convolutions would round to ten bits otherwise, and bfloat16 can be asked for.
    torch.backends.cudnn.allow_tf32 = False
    # What has no such form on a GPU warns, since a training that repeats to the last bits only is better than none.
    torch.use_deterministic_algorithms(mode=True, warn_only=True)


def _why_not() -> str:
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built for CPUs alone; install a build with CUDA (pytorch.org/get-started)"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible == "":
        return "this job was given none (CUDA_VISIBLE_DEVICES is empty); ask for one with idleq submit --gpus 1"
    return "see whether nvidia-smi lists one, and whether its driver is new enough for CUDA " + torch.version.cuda
