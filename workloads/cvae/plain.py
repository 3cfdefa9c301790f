"""The variant `plain`: what arXiv:2211.12553 describes, as far as it is known, to stand beside the other.

Convolutions on the camera's map, and a decoder that gives the recorded image itself: a shape that sums to one times the
size, below cleaning's level nothing. Codes are normal, whatever the size. Pixels are taken on the networks' scale, where
they are off by a normal error that is the same for all and is learnt: so the divergence needs no weight that one would
have to choose (Rybkin et al., arXiv:2006.13202).
"""

import torch
from torch import Tensor, nn

from idleq.workloads.cvae.data import Batch
from idleq.workloads.cvae.model import CodePrior, Model, ModelSize
from idleq.workloads.iact.camera import PIXELS, SIDE, Camera
from idleq.workloads.iact.response import Response
from idleq.workloads.iact.scaling import as_cleaned, to_network
from idleq.workloads.iact.sizing import condition_of

DARK = -1.0
"""No light, on the networks' scale."""

FIRST_LOG_ERROR = -2.0
"""About how far images are from their mean: with more, nothing that a code says would be worth its price at first."""


class Encoder(nn.Module):
    """Images (B, 609) on the networks' scale and conditions (B, 1) -> mean and log variance of the code (B, latent)."""

    def __init__(self, size: ModelSize, camera: Camera) -> None:
        super().__init__()
        width = size.width
        self.register_buffer("cells", _cells(camera), persistent=False)
        self.shrink = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1), nn.SiLU(),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), nn.SiLU(),
            nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1), nn.SiLU(), nn.Flatten(),
        )  # fmt: skip
        self.merge = nn.Sequential(
            nn.Linear(4 * width * 4 * 4 + 1, 8 * width), nn.SiLU(), nn.Linear(8 * width, 2 * size.latent)
        )

    def forward(self, images: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        maps = torch.full((len(images), SIDE * SIDE), DARK, device=images.device)
        maps[:, self.get_buffer("cells")] = images
        features = self.shrink(maps.reshape(-1, 1, SIDE, SIDE))
        mean, log_variance = self.merge(torch.cat([features, condition], dim=1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 4)


class Decoder(nn.Module):
    """Codes (B, latent) and sizes (B,) -> light (B, 609) that sums to the size."""

    def __init__(self, size: ModelSize, camera: Camera) -> None:
        super().__init__()
        width = size.width
        self.register_buffer("cells", _cells(camera), persistent=False)
        self.grow = nn.Sequential(
            nn.Linear(size.latent + 1, 4 * width * 4 * 4), nn.SiLU(), nn.Unflatten(1, (4 * width, 4, 4)),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1), nn.SiLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1), nn.SiLU(),
            # The last doubling by rearranging four maps into one, as the GAN's: at full size it would cost most of the step.
            nn.Conv2d(width, 4, 3, padding=1), nn.PixelShuffle(2), nn.Flatten(),
        )  # fmt: skip

    def forward(self, code: Tensor, sizes: Tensor) -> Tensor:
        drawn = self.grow(torch.cat([code, condition_of(sizes)], dim=1))  # (B, 1024)
        return torch.softmax(drawn[:, self.get_buffer("cells")], dim=1) * sizes[:, None]


class Normal(CodePrior):
    """Codes that are normal whatever the condition."""

    def log_density(self, code: Tensor, condition: Tensor) -> Tensor:  # noqa: ARG002 - as every prior's
        """Log p(code) (B,), but for the normal's constant."""
        return -0.5 * code.square().sum(dim=1)

    def draw(self, noise: Tensor, condition: Tensor) -> Tensor:  # noqa: ARG002 - as every prior's
        """The noise (B, latent) itself."""
        return noise


class PlainModel(Model):
    """All three, with a normal error of each pixel on the networks' scale; an image is the light itself."""

    def __init__(self, size: ModelSize, log_quantiles: Tensor) -> None:
        camera = Camera.load()
        super().__init__(Encoder(size, camera), Decoder(size, camera), Normal(), size.latent, log_quantiles)
        self.log_error = nn.Parameter(torch.tensor(FIRST_LOG_ERROR))

    def misfit(self, light: Tensor, batch: Batch) -> Tensor:
        off = (to_network(light) - batch.images) * torch.exp(-self.log_error)
        return 0.5 * off.square().sum(dim=1) + PIXELS * self.log_error

    def record(self, light: Tensor, response: Response, random: torch.Generator) -> Tensor:  # noqa: ARG002 - nothing is drawn
        return as_cleaned(light[:, None, None])[:, 0, 0]


def _cells(camera: Camera) -> Tensor:
    """Where each pixel lies on the flattened map (609,)."""
    return torch.from_numpy(camera.row * SIDE + camera.column).long()
