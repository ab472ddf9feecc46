"""The demo's tasks, one file each."""

from __future__ import annotations

from iqbench.demo.task import Task
from iqbench.demo.tasks import deblurring, denoising, jpeg, super_resolution

__all__ = ["TASKS"]

TASKS: tuple[Task, ...] = (denoising.TASK, super_resolution.TASK, jpeg.TASK, deblurring.TASK)
