"""The processes of one machine: the service, nginx, MongoDB and Redis, under one supervisord."""
