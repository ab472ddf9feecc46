"""iqbench's weights as the checkpoint files that the peers look for in torch's cache.

The peers then build their networks by their own public constructors, as their users do, and no
network is reached. Convolutions are iqbench's; the classifiers, which nobody here uses but every
peer reads, are zeros of the right size.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_checkpoints", "write_fid_checkpoint"]

FID_INCEPTION = "pt_inception-2015-12-05-6726825d.pth"  # the name in pytorch-fid's own URL
PIQ_LPIPS, PIQ_DISTS = "lpips_weights.pt", "dists_weights.pt"  # the names in piq's own URLs


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
    torch.save(load("dists").tensors, folder / PIQ_DISTS)


def write_fid_checkpoint(torch_home: Path) -> None:
    """Write Inception's checkpoint as pytorch-fid looks for it; its classifier is zeros."""
    import torch
    from torchvision.models import inception_v3
    from torchvision.models.inception import BasicConv2d

    from iqbench.networks.weights import load
    from iqbench.networks.weights.catalogue import inception_convolutions

    with torch.device("meta"):
        empty = inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
    state = {key: torch.zeros(value.shape) for key, value in empty.state_dict().items()}
    tensors = load("inception").tensors
    theirs = [name for name, part in empty.named_modules() if isinstance(part, BasicConv2d)]
    ours = [name for name, _ in inception_convolutions()]
    for their, our in zip(theirs, ours, strict=True):  # both in the order of the pass
        state[f"{their}.conv.weight"] = tensors[f"{our}.weight"]
        state[f"{their}.bn.weight"] = torch.ones_like(tensors[f"{our}.beta"])
        state[f"{their}.bn.bias"] = tensors[f"{our}.beta"]
        state[f"{their}.bn.running_mean"] = tensors[f"{our}.mean"]
        state[f"{their}.bn.running_var"] = tensors[f"{our}.var"]
    folder = torch_home / "hub" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / FID_INCEPTION)
