# The workloads in a container: `docker build -t idleq-workloads .`
# Behind a proxy, or with a mirror: --build-arg BASE=... --build-arg TORCH_INDEX=... (any index that has CPU wheels).

ARG BASE=python:3.11-slim-bookworm

# --- build: everything is installed into one virtual environment, which is all that the second stage takes
FROM ${BASE} AS build

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH_VERSION=2.13.0

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

RUN python3 -m venv /opt/idleq
ENV PATH=/opt/idleq/bin:${PATH}

# torch first and alone: it is by far the largest layer and changes least. Where the index cannot be reached, whatever
# the ordinary one offers for this version is taken.
RUN pip install "torch==${TORCH_VERSION}" --index-url "${TORCH_INDEX}" || pip install "torch==${TORCH_VERSION}"

WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src/ src/
COPY scheduler/ scheduler/
COPY migration/ migration/
COPY simulator/ simulator/
COPY workloads/ workloads/

# src/idleq/* are links to the four folders. A copy that loses them would silently build a package of almost nothing.
RUN for name in scheduler migration simulator workloads; do \
        test -d "src/idleq/${name}/" || { echo "src/idleq/${name} is not a directory: clone with symbolic links" >&2; exit 1; }; \
    done

RUN pip install --constraint constraints.txt ".[train]"

# Fails here, not at run time, when a library or a table did not make it into the package.
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
