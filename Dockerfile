# docker build -t adaptbench --build-arg CPU_INDEX=ADDRESS .     for the CPU; ADDRESS is PyTorch's index of CPU wheels
# docker build -t adaptbench-cuda --build-arg COMPUTE=cuda .    for NVIDIA GPUs, run with --gpus all
# docker run --rm -v "$PWD/results:/work/results" adaptbench --task cfa
#
# The image needs no network once it is built. It runs as the user `adaptbench` (uid 1000), so the mounted folder must be
# writable for that user. `serve` listens inside the container only, unless it is called with --host 0.0.0.0.

FROM python:3.11-slim AS build
ARG COMPUTE=cpu
# The address of PyTorch's index of CPU wheels: torch without CUDA is not on the public index. Empty if pip's own sources
# (a mirror, say) have it.
ARG CPU_INDEX=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/adaptbench
ENV PATH=/opt/adaptbench/bin:$PATH
WORKDIR /src
COPY requirements.lock requirements-cuda.lock ./
RUN case "$COMPUTE" in \
      cpu) pip install --require-hashes ${CPU_INDEX:+--extra-index-url "$CPU_INDEX"} -r requirements.lock \
        || { echo "is torch without CUDA among pip's sources? See CPU_INDEX in the Dockerfile" >&2; exit 2; } ;; \
      cuda) pip install --require-hashes -r requirements-cuda.lock ;; \
      *) echo "COMPUTE is '$COMPUTE', but must be cpu or cuda" >&2; exit 2 ;; \
    esac
COPY pyproject.toml README.md LICENSE ./
COPY harness harness
COPY tasks tasks
RUN pip install --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --create-home --uid 1000 adaptbench && install -d -o adaptbench -g adaptbench /work/results
COPY --from=build /opt/adaptbench /opt/adaptbench
ENV PATH=/opt/adaptbench/bin:$PATH PYTHONUNBUFFERED=1
USER 1000
WORKDIR /work
ENTRYPOINT ["adaptbench"]
CMD ["--help"]
