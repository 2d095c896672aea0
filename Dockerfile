# Airflow and tidegauge in one image; docker-compose.yml starts every part of the stack from it.
# No `# syntax=` line: it would fetch an image. The secrets need BuildKit.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE} AS tidegauge

# A fixed uid, so that the owner of a folder mounted from the machine can be told; and the folders,
# because a named volume takes its owner from the image's folder on first use.
RUN groupadd --gid 50000 airflow \
    && useradd --uid 50000 --gid airflow --home-dir /opt/airflow --create-home airflow \
    && install -d -o airflow -g airflow /opt/airflow/logs /data/lake /data/geo /data/report \
    && install -d /data/raw /data/geoipupdate

# uv installs the lock in a fifth of pip's time, and compiles it: the image's user may not write
# beside the modules. Two optional secrets leave no trace: `ca`, the certificates of a network that
# has its own, and `pip_conf`, for an index that is not the public one.
COPY requirements-uv.lock requirements-airflow.lock /tmp/
RUN --mount=type=secret,id=ca,target=/run/secrets/ca.crt \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    if [ -s /run/secrets/ca.crt ]; then \
        export PIP_CERT=/run/secrets/ca.crt SSL_CERT_FILE=/run/secrets/ca.crt; fi \
    && python3 -m venv /opt/tidegauge && cd /opt/tidegauge/bin \
    && ./pip install --quiet --no-cache-dir --require-hashes -r /tmp/requirements-uv.lock \
    && index=$(./pip config get global.index-url 2>/dev/null || true) \
    && ./uv pip install --quiet --no-cache --python ./python ${index:+--default-index "$index"} \
        --compile-bytecode --no-deps --require-hashes -r /tmp/requirements-airflow.lock \
    && ./pip uninstall --quiet --yes uv

ENV PATH=/opt/tidegauge/bin:$PATH \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/app/dags
WORKDIR /app
COPY . .
RUN pip install --quiet --no-cache-dir --no-deps --no-build-isolation --editable . \
    && install docker/healthy.py /opt/tidegauge/bin/healthy \
    && install -D --mode=644 pipeline/orchestration/airflow_preload.py \
        /opt/airflow/config/airflow_local_settings.py \
    # Readable by the image's user, whatever the umask of the checkout.
    && chmod --recursive go=rX .
USER airflow
# The compiled loops, where the image's user may add those of another processor.
ENV NUMBA_CACHE_DIR=/opt/airflow/numba
RUN python -c "from pipeline.formats.compiled import warm; warm()"

# Profile `scale`: the same, with what Spark needs and an S3 server.
FROM tidegauge AS tidegauge-scale
USER root
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
        openjdk-17-jre-headless >/dev/null \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o airflow -g airflow /data/s3
RUN --mount=type=secret,id=ca,target=/run/secrets/ca.crt \
    --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    if [ -s /run/secrets/ca.crt ]; then export PIP_CERT=/run/secrets/ca.crt; fi \
    && DIST_EXTRA_CONFIG=/app/docker/spark/wheel.cfg pip install --quiet --no-cache-dir --no-deps \
        --no-build-isolation --require-hashes -r docker/scale.txt
ENV SPARK_CONF_DIR=/app/docker/spark
USER airflow
