"""MongoDB: the only code that knows documents, indexes and the driver."""
