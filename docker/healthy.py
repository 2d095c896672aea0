#!/opt/tidegauge/bin/python
"""Exit 0 when a part of Airflow is healthy, 1 with the reason when not: for the health checks.

    healthy metadatabase | scheduler | dag_processor | triggerer

The api-server is asked, since it knows the last heartbeat of each part: 0.1 s, where
``airflow jobs check`` takes 5 s of a core each time.
"""

import json
import sys
import urllib.request

API_SERVER = "http://api-server:8080"

if __name__ == "__main__":
    with urllib.request.urlopen(f"{API_SERVER}/api/v2/monitor/health", timeout=5) as answer:
        part = json.load(answer)[sys.argv[1]]
    sys.exit(None if part["status"] == "healthy" else f"{sys.argv[1]}: {part}")
