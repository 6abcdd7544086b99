"""HTTP in, HTTP out."""

from handlers import health, index, reference, todos, v0

ROUTES = (*index.ROUTES, *v0.ROUTES, *todos.ROUTES, *health.ROUTES, *reference.ROUTES)
"""Every address the service has."""

CREATIONS = (v0.CREATION, todos.CREATION)
"""Every POST that stores a new todo."""
