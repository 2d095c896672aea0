#!/opt/tidegauge/bin/python
"""Exit 0 when a part of Airflow is healthy, else 1 with what is known of it: for health checks.

    healthy metadatabase | scheduler | dag_processor | triggerer

The api-server is asked, for it knows everybody's last heartbeat: 0.1 s of a core each time, where
``airflow jobs check`` takes 5 s.
"""

import json
import sys
from http.client import HTTPConnection

if __name__ == "__main__":
    api_server = HTTPConnection("api-server", 8080, timeout=5)
    api_server.request("GET", "/api/v2/monitor/health")
    part = json.load(api_server.getresponse())[sys.argv[1]]
    sys.exit(None if part["status"] == "healthy" else f"{sys.argv[1]}: {part}")
