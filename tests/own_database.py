"""A database for a test, or a file of tests, on the MongoDB that all share."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from pymongo import MongoClient


@contextmanager
def own_database(mongo_uri: str) -> Iterator[str]:
    """Give the address of a database of one's own beside a server's, and drop it afterwards."""
    name = f"test_{uuid4().hex}"
    uri = mongo_uri.replace("/todo?", f"/{name}?")
    yield uri
    with MongoClient(uri) as client:
        # One by one: mongod thinks for a tenth of a second about a database with something in it.
        for collection in client[name].list_collection_names():
            client[name].drop_collection(collection)
        client.drop_database(name)
