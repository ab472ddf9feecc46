"""iqbench's weights as the checkpoint files that the peers look for in torch's cache.

The peers then build their networks by their own public constructors, as their users do, and no
network is reached. Convolutions are iqbench's; the classifiers, which nobody here uses but every
peer reads, are zeros of the right size.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_checkpoints"]

PIQ_LPIPS = "lpips_weights.pt"  # the name in piq's own URL


def write_checkpoints(torch_home: Path) -> None:
    """Write ``hub/checkpoints`` under what the peers are told is ``TORCH_HOME``."""
    import torch
    from torchvision import models

    from iqbench.networks.weights import load, lpips_linear

    folder = torch_home / "hub" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    for name, known in (
        ("vgg16", models.VGG16_Weights.DEFAULT),
        ("alexnet", models.AlexNet_Weights.DEFAULT),
    ):
        with torch.device("meta"):
            empty = models.get_model(name).state_dict()
        state = {key: torch.zeros(value.shape) for key, value in empty.items()}
        state.update(load(name).tensors)
        assert state.keys() == empty.keys(), name
        torch.save(state, folder / Path(known.url).name)
    linear = lpips_linear("vgg").tensors
    torch.save([linear[f"lin{index}"] for index in range(5)], folder / PIQ_LPIPS)
