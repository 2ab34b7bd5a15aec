"""The golden model: the numeric contract in plain numpy integers, batched; no arithmetic shared with any other implementation."""

from npde.golden.contract import Field, rescale, saturate
from npde.golden.run import Answer, run, trace
from npde.golden.steps import accumulate, pool, react, windows

__all__ = ["Answer", "Field", "accumulate", "pool", "react", "rescale", "run", "saturate", "trace", "windows"]
