"""The package of each module that iqbench imports, and the error message if it is missing.

``iqbench-tables`` installs the packages for reading tables, ``iqbench`` also those for scoring
images, and each extra those for one purpose. Each table below names the modules of one of them.
"""

from __future__ import annotations

from importlib.util import find_spec

from iqbench.errors import IqbenchError

__all__ = ["MissingPackageError", "missing_package", "missing_packages"]

TABLES = {
    "click": "click",
    "fsspec": "fsspec",
    "jinja2": "jinja2",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "PIL": "pillow",
    "packaging": "packaging",
    "pandas": "pandas",
    "plotly": "plotly",
    "pyarrow": "pyarrow",
    "pydantic": "pydantic",
    "rich": "rich",
    "scipy": "scipy",
    "yaml": "PyYAML",
}
"""Module to package: what reads and shows tables needs."""

SCORING = {
    "cv2": "opencv-python-headless",
    "imagecodecs": "imagecodecs",
    "lpips": "lpips",
    "pooch": "pooch",
    "pywt": "PyWavelets",
    "safetensors": "safetensors",
    "simplejpeg": "simplejpeg",
    "skimage": "scikit-image",
    "torch": "torch",
    "torchvision": "torchvision",
    "tqdm": "tqdm",
}
"""Module to package: what scores images needs, beside `TABLES`."""

EXTRAS = {
    "gcsfs": ("gcsfs", "gcs"),
    "huggingface_hub": ("huggingface-hub", "hf"),
    "lightning": ("lightning", "lightning"),
    "openpyxl": ("openpyxl", "xlsx"),
    "ray": ("ray", "ray"),
    "s3fs": ("s3fs", "s3"),
    "tensorboard": ("tensorboard", "tensorboard"),
    "torchmetrics": ("torchmetrics", "torchmetrics"),
    "wandb": ("wandb", "wandb"),
}
"""Module to package and to the extra of iqbench that installs it."""


class MissingPackageError(IqbenchError, ImportError):
    """A package is not installed; the hint is the command that installs it."""


def missing_package(error: ModuleNotFoundError) -> ImportError:
    """Return the error to raise where an import failed.

    Parameters
    ----------
    error
        What the import raised.

    Returns
    -------
    ImportError
        A `MissingPackageError` with the command of pip; the error itself where the missing module
        is of no package that iqbench uses.
    """
    module = (error.name or "").partition(".")[0]
    if module in EXTRAS:
        package, extra = EXTRAS[module]
        command = f"pip install 'iqbench[{extra}]'"
    elif module in TABLES or module in SCORING:
        package = (TABLES | SCORING)[module]
        command = "pip install iqbench"
    else:
        return error
    return MissingPackageError(f"the package {package} is not installed", hint=command)


def missing_packages(*modules: str) -> list[str]:
    """Name the packages of those modules that are not installed; nothing is imported."""
    known = TABLES | SCORING
    return [known[module] for module in modules if find_spec(module) is None]
