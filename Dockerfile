# The service as an image; docs/containers.md says how to build and to run it.
# Linted and checked (tests/containers), its build commands run without Docker. Where it was written
# there is no Docker engine: the image itself has been neither built nor run there.

# The Python that the tests run with. A digest behind the version fixes the bytes as well.
FROM python:3.11.15-slim-bookworm AS base

FROM base AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY conf/constraints.txt conf/
COPY app app
COPY handlers handlers
# setuptools comes first and from the constraints: a build of its own would take the newest.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint conf/constraints.txt setuptools \
    && pip wheel --constraint conf/constraints.txt --no-build-isolation --wheel-dir /wheels .
# Without pip in it, and with nothing from outside: what runs is what was built above.
RUN python -m venv --without-pip /opt/todo \
    && pip --python /opt/todo/bin/python install --no-cache-dir --no-index /wheels/*.whl

FROM base AS service
# Nothing is installed any more, so what could install goes.
RUN pip uninstall --root-user-action ignore --yes pip setuptools wheel \
    && groupadd --gid 10001 todo \
    && useradd --uid 10001 --gid todo --no-log-init --no-create-home \
        --home-dir /nonexistent --shell /usr/sbin/nologin todo
# Root's: the service cannot change itself. It writes no file at all, so the root may be read-only.
COPY --from=build /opt/todo /opt/todo
ENV PATH=/opt/todo/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A container's own network: nobody reaches it until somebody publishes the port, or puts others
# beside it, and then nobody is served before TODO_ANONYMOUS=write says so. MongoDB and Redis have to be named when it is run (TODO_MONGO_URI, TODO_REDIS_URL).
ENV TODO_ALLOW_PUBLIC=true \
    TODO_HOST=0.0.0.0 \
    TODO_LOG_FORMAT=json \
    TODO_PORT=8000
EXPOSE 8000
# By number: Kubernetes' runAsNonRoot knows no names.
USER 10001:10001
WORKDIR /opt/todo
# Drains, for TODO_DRAIN_SECONDS at most: give `docker stop` more time than that.
STOPSIGNAL SIGTERM
# Without a proxy: one that the environment names would be asked for this container's 127.0.0.1.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --start-interval=1s --retries=3 \
    CMD ["python", "-I", "-S", "-c", "import os; from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:' + os.environ['TODO_PORT'] + '/livez', timeout=4)"]
ENTRYPOINT ["tornado-todo"]
CMD ["serve"]

# Last, since they change with every build and all that follows would be built anew.
ARG REVISION=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.description="A non-blocking todo service on Tornado, MongoDB and Redis" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.title="tornado-todo" \
    org.opencontainers.image.version="$VERSION"
