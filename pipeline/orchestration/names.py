"""What the DAGs are called in Airflow, and the pool that is made for them where we set it up."""

NIGHTLY = "tidegauge_nightly"
REFRESH_GEO = "tidegauge_refresh_geo"
BUILD_POOL = "tidegauge_builds"
