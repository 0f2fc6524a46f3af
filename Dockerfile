# Two stages: the first installs into a virtual environment, the second holds only that and Python.
FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/footfall
# the dependencies first: they change less often than the code, and the layer is kept
COPY requirements/run.txt requirements/run.txt
RUN /opt/footfall/bin/pip install --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY server server
RUN /opt/footfall/bin/pip install --no-deps --no-build-isolation .

FROM python:3.13-slim
# a fixed number, so that a volume's owner is the same on every host
RUN useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin footfall \
    && install -d -o footfall -g footfall -m 0700 /data
COPY --from=build /opt/footfall /opt/footfall
ENV PATH=/opt/footfall/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FOOTFALL_HOST=0.0.0.0 \
    FOOTFALL_PORT=8000 \
    FOOTFALL_DATA_DIR=/data
USER footfall
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ['FOOTFALL_PORT']}/health/ready\", timeout=2)"]
# SIGTERM drains the queue into the store before the process ends
STOPSIGNAL SIGTERM
ENTRYPOINT ["footfall"]
CMD ["serve"]
