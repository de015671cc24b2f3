"""The JSON GitHub answers and delivers, made from what the double keeps."""

from devhost.github.shapes.base import Json
from devhost.github.shapes.webhooks import Shapes

__all__ = ["Json", "Shapes"]
