"""Where the arithmetic is done, and the settings under which it repeats bit for bit."""

import torch


def use_one_thread_pool(threads: int) -> None:
    """Use so many threads, and algorithms that give the same bits on every run."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True)
    # Nothing here reads memory before writing it, and filling all of it costs 7 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # set through the module's class
