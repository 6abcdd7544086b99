"""What the rest of the storage knows of Motor: the type of a collection."""

from typing import Any

from motor.core import AgnosticCollection

Document = dict[str, Any]
Collection = AgnosticCollection[Document]
