"""The async twins of the Python side: `mesh = await hanse.aio.connect()`."""

from hanse.client.aio import Answer, Mesh, Product, connect

__all__ = ["Answer", "Mesh", "Product", "connect"]
