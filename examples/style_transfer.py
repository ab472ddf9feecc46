"""Paint one photograph in the manner of another (Gatys et al. 2016): perceptual loss and TV.

The content is held by PerceptualLoss, the style by how the channels of the same network correlate,
and TVLoss keeps the picture from filling up with specks.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from pictures import as_markdown, photograph, score, write_strip
from torch import Tensor

from iqbench.losses import PerceptualLoss, TVLoss

STYLE_LAYERS = ("relu1_2", "relu2_2", "relu3_3")
CONTENT_WEIGHT = 0.005
VARIATION_WEIGHTS = {"style": 0.0, "style+tv": 0.2}


class StyleLoss(torch.nn.Module):
    """How far the channels' correlations are from those of a style image, averaged over layers."""

    def __init__(self, content: PerceptualLoss, style: Tensor) -> None:
        super().__init__()
        self.backbone = content.backbone  # one network serves both losses
        with torch.no_grad():
            self.wanted = self.correlations(style)

    def correlations(self, image: Tensor) -> list[Tensor]:
        """Return the Gram matrix of each layer's channels, (N, C, C), averaged over positions."""
        features = self.backbone(self.backbone.see(image, normalise=True), STYLE_LAYERS)
        flat = [features[layer].flatten(2) for layer in STYLE_LAYERS]
        return [values @ values.mT / values.shape[2] for values in flat]

    def forward(self, image: Tensor) -> Tensor:
        """Return the relative squared distance: 0 in the style's manner, about 1 far from it."""
        pairs = zip(self.correlations(image), self.wanted, strict=True)
        distances = [(own - want).square().sum() / want.square().sum() for own, want in pairs]
        return torch.stack(distances).mean()


def paint(
    content: Tensor, keep: PerceptualLoss, imitate: StyleLoss, variation: float, iterations: int
) -> tuple[Tensor, list[float]]:
    """Minimise style, content and total variation, beginning at the content.

    Returns the image, and the values of the sum.
    """
    smooth = TVLoss("iso")
    image = content.clone().requires_grad_()
    optimiser = torch.optim.Adam([image], lr=0.03)
    losses = []
    for _ in range(iterations):
        loss = imitate(image) + CONTENT_WEIGHT * keep(image, content) + variation * smooth(image)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            image.clamp_(0, 1)
        losses.append(loss.item())
    return image.detach(), losses


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=Path("results/style-transfer"))
@click.option("--iterations", type=click.IntRange(min=1), default=60, show_default=True)
@click.option("--size", type=click.IntRange(min=64, max=200), default=128, show_default=True)
def main(output: Path, iterations: int, size: int) -> None:
    """Paint the astronaut in the colours and shapes of a cup of coffee, with and without TVLoss."""
    content = photograph("astronaut", 0, 90, size, zoom=2)
    style = photograph("coffee", 0, 150, size, zoom=2)
    keep = PerceptualLoss("vgg16", ("relu3_3",), distance="l2")
    imitate = StyleLoss(keep, style)
    images = {"reference": content, "content": content}
    for method, variation in VARIATION_WEIGHTS.items():
        images[method], _ = paint(content, keep, imitate, variation, iterations)
    table = score(output, ["astronaut"], images)
    with torch.no_grad():
        table["style ↓"] = [imitate(images[method]).item() for method in table.index]
    write_strip(output / "strip.jpg", [content, style, *(images[m] for m in VARIATION_WEIGHTS)])
    click.echo(as_markdown(table))
    click.echo(
        f"\nFrom left to right in {output / 'strip.jpg'}: content, what gives the style, "
        f"{', '.join(VARIATION_WEIGHTS)}"
    )


if __name__ == "__main__":
    main()
