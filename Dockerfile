# One image per service: docker build --build-arg SERVICE=gateway .
# The classic builder and BuildKit build the same. What all services share comes first, code comes last, so that an
# image is a few megabytes beside its sisters, and a change of code is built in seconds.
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE}

ENV PATH=/opt/ekiden/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY deploy/docker requirements.lock /opt/
COPY shared/pyproject.toml shared/
RUN python3 -m venv /opt/ekiden && python /opt/install.py shared/pyproject.toml

ARG SERVICE
COPY services/${SERVICE}/pyproject.toml services/${SERVICE}/
RUN python /opt/install.py services/${SERVICE}/pyproject.toml

# As in the repository: the gateway finds the packaged workflows from where it stands itself.
COPY shared/src shared/src
COPY services/${SERVICE}/src services/${SERVICE}/src
COPY workflows workflows
RUN python -m compileall -q shared services \
 && printf '#!/bin/sh\nexec python -m ekiden_%s\n' "$(echo "${SERVICE}" | tr - _)" > /opt/ekiden/bin/start \
 && install -m 755 /opt/ready /opt/ekiden/bin/ready && chmod 755 /opt/ekiden/bin/start

ENV PYTHONPATH=/app/shared/src:/app/services/${SERVICE}/src
USER 10001:10001
CMD ["start"]
