# The workloads in a container: `make image`, or `docker build -t idleq-workloads .`; docker and podman build the same.
# Behind a proxy, or with a mirror: --build-arg BASE=... --build-arg TORCH_INDEX=... (any index that has CPU wheels). A folder `wheels`
# beside this file is looked into first. Where there is no registry: scripts/base-image makes the base under the very name below.

ARG BASE=python:3.11-slim-bookworm

# --- wanted: what training needs, so that the layers below are made anew only when that changes
FROM ${BASE} AS wanted
COPY pyproject.toml /
RUN python3 -c "import tomllib; print(*tomllib.load(open('/pyproject.toml', 'rb'))['project']['optional-dependencies']['train'], sep='\n')" >/train.txt

# --- build: everything is installed into one folder, which is all that the second stage takes
FROM ${BASE} AS build

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH_VERSION=2.13.0

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PIP_FIND_LINKS=/source/wheels

RUN python3 -m venv /opt/idleq
ENV PATH=/opt/idleq/bin:${PATH}

# The second name of COPY may match nothing; the first always does.
WORKDIR /source
COPY LICENSE wheel[s] wheels/

# torch first and alone: it is by far the largest layer and changes least. Where the index cannot be reached, whatever
# the ordinary one offers for this version is taken.
RUN pip install --no-deps --no-index "torch==${TORCH_VERSION}" \
    || pip install --retries 1 --timeout 15 "torch==${TORCH_VERSION}" --index-url "${TORCH_INDEX}" \
    || pip install "torch==${TORCH_VERSION}"

# Without the daemon's own packages, and before any code of ours, which changes every day.
COPY constraints.txt ./
COPY --from=wanted /train.txt ./
RUN pip install --constraint constraints.txt --requirement train.txt

# The workloads import nothing else of idleq.
COPY src/idleq/__init__.py /opt/idleq/package/idleq/
COPY workloads/ /opt/idleq/package/idleq/workloads/
RUN echo /opt/idleq/package >"$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/idleq.pth" \
    && printf '#!/opt/idleq/bin/python3\nimport sys\n\nfrom idleq.workloads.cli import main\n\nsys.exit(main())\n' >/opt/idleq/bin/idleq-workload \
    && chmod 755 /opt/idleq/bin/idleq-workload \
    && chmod -R go+rX /opt/idleq/package

# Fails here, not at run time, when a library or a table did not make it into the image.
RUN cd / && idleq-workload count --steps 1 --step-seconds 0 --output /tmp/check \
    && python3 -c "import torch, safetensors, idleq.workloads.iact.rendering as r; r.Renderer.for_camera(r.Camera.load())"

# --- run
FROM ${BASE}

LABEL org.opencontainers.image.title="idleq-workloads" \
      org.opencontainers.image.description="The named jobs of idleq: training and generation of TAIGA-IACT images" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /opt/idleq /opt/idleq

# One thread: with more, sums are taken in another order and two runs no longer agree bit for bit.
ENV PATH=/opt/idleq/bin:${PATH} \
    OMP_NUM_THREADS=1 \
    MKL_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    NUMBA_NUM_THREADS=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTHONDONTWRITEBYTECODE=1

RUN useradd --create-home --uid 10001 idleq
USER idleq
WORKDIR /home/idleq

ENTRYPOINT ["idleq-workload"]
CMD ["--help"]
