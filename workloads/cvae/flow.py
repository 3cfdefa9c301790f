"""The prior: what codes showers of a given size have, as a flow of affine couplings (Dinh et al., arXiv:1605.08803).

A plain normal prior would be drawn from where no shower lies: a shower's angle is a circle, and a circle has a hole.
"""

import torch
from torch import Tensor, nn

from idleq.workloads.cvae.model import CodePrior

LAYERS = 8
HIDDEN = 128

# The log of one layer's scale stays within this, so that no layer can blow a code up.
MAX_LOG_SCALE = 1.5


class Coupling(nn.Module):
    """Half of the code is scaled and moved by what the other half and the condition say."""

    def __init__(self, latent: int, condition: int, *, first: bool) -> None:
        super().__init__()
        kept = latent // 2 if first else latent - latent // 2
        self.first = first
        self.kept = kept
        last = nn.Linear(HIDDEN, 2 * (latent - kept))
        nn.init.zeros_(last.weight)  # at first every layer leaves the code as it is
        nn.init.zeros_(last.bias)
        self.net = nn.Sequential(
            nn.Linear(kept + condition, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU(), last
        )

    def forward(self, code: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Code (B, latent) -> (B, latent) nearer to the normal, and the log of the volume's growth (B,)."""
        kept, moved = self._split(code)
        log_scale, shift = self._terms(kept, condition)
        return self._join(kept, moved * log_scale.exp() + shift), log_scale.sum(dim=1)

    def inverse(self, code: Tensor, condition: Tensor) -> Tensor:
        """The inverse of `forward`."""
        kept, moved = self._split(code)
        log_scale, shift = self._terms(kept, condition)
        return self._join(kept, (moved - shift) * (-log_scale).exp())

    def _terms(self, kept: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.net(torch.cat([kept, condition], dim=1)).chunk(2, dim=1)
        return MAX_LOG_SCALE * torch.tanh(log_scale / MAX_LOG_SCALE), shift

    def _split(self, code: Tensor) -> tuple[Tensor, Tensor]:
        if self.first:
            return code[:, : self.kept], code[:, self.kept :]
        return code[:, -self.kept :], code[:, : -self.kept]

    def _join(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat([kept, moved] if self.first else [moved, kept], dim=1)


class Prior(CodePrior):
    """Codes of showers, given the condition."""

    def __init__(self, latent: int, condition: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Coupling(latent, condition, first=index % 2 == 0) for index in range(LAYERS))

    def log_density(self, code: Tensor, condition: Tensor) -> Tensor:
        """Log p(code | condition) (B,), but for the normal's constant."""
        grown = code.new_zeros(len(code))
        for layer in self.layers:
            code, growth = layer(code, condition)
            grown = grown + growth
        return grown - 0.5 * code.square().sum(dim=1)

    def draw(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Normal noise (B, latent) -> codes as showers have them."""
        code = noise
        for layer in reversed(self.layers):
            code = layer.inverse(code, condition)  # type: ignore[operator] # ModuleList forgets the class
        return code
