# CPU by default; for GPUs: docker build --build-arg BASE=nvidia/cuda:13.0.1-runtime-ubuntu24.04 .
# torch's own wheels bring the CUDA libraries, the base only the driver's interface.
#   docker build -t replicate . && docker run --rm replicate make replicate EXP=alexnet_parameters
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends make git python3 python3-venv \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home replicate
USER replicate
WORKDIR /home/replicate/suite
COPY --chown=replicate pyproject.toml constraints.txt Makefile README.md LICENSE ./
COPY --chown=replicate replicate replicate
COPY --chown=replicate benchmarks benchmarks
COPY --chown=replicate conf conf
RUN make dev
COPY --chown=replicate . .
CMD ["make", "help"]
