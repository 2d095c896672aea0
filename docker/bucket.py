"""Makes the bucket of the S3 server in the profile `scale`, as soon as that answers.

Its name is the argument; address and keys are of the environment.
"""

import sys
import time
from contextlib import suppress

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

if __name__ == "__main__":
    client = botocore.session.get_session().create_client("s3")
    while True:
        with suppress(BotoCoreError, ClientError):
            if sys.argv[1] in {one["Name"] for one in client.list_buckets()["Buckets"]}:
                break
            client.create_bucket(Bucket=sys.argv[1])
        time.sleep(1)
