"""What goes wrong while training."""

from __future__ import annotations

from npde.errors import NpdeError


class TrainingError(NpdeError, ValueError):
    """A training run that diverged, a recipe that cannot be, or a checkpoint that is not this run's."""

    exit_code = 7
