"""Python transforms: a product's code in a process of its own, Arrow tables in, an Arrow table out, never pickle."""

from hanse.engine.transforms.runner import (
    PythonNotTrusted,
    PythonTransform,
    TransformFailed,
    TransformLimit,
    TransformLimits,
    run,
)

__all__ = ["PythonNotTrusted", "PythonTransform", "TransformFailed", "TransformLimit", "TransformLimits", "run"]
