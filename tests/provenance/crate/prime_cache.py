"""Put a JSON-LD context into the validator's cache: prime_cache.py URL FILE CACHE.

For machines without a network; runs in the validator's own environment.
"""

import io
import sys
from pathlib import Path

import requests
from requests_cache import CachedSession
from urllib3 import HTTPResponse


class OneFile(requests.adapters.HTTPAdapter):
    def __init__(self, content):
        super().__init__()
        self.content = content

    def send(self, request, **options):
        headers = {"Content-Type": "application/ld+json"}
        raw = HTTPResponse(
            body=io.BytesIO(self.content), status=200, headers=headers, preload_content=False
        )
        return self.build_response(request, raw)


url, file, cache = sys.argv[1:]
session = CachedSession(
    cache_name=cache, expire_after=-1, backend="sqlite", allowable_methods=("GET",)
)
session.mount("https://", OneFile(Path(file).read_bytes()))
session.get(url, headers={"Accept": "application/ld+json, application/json"}).raise_for_status()
