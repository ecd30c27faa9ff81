"""A real object store on loopback, which checks signatures: SeaweedFS in a separate process."""

import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

OWNER = "AKIDOWNER", "s3cret/Of+the0wner"
READER = "AKIDREADER", "s3cret/Of+aReader"
_IDENTITIES = {
    "identities": [
        {"name": "anonymous", "actions": ["Read", "List"]},
        {
            "name": "owner",
            "credentials": [{"accessKey": OWNER[0], "secretKey": OWNER[1]}],
            "actions": ["Read", "Write", "List"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": READER[0], "secretKey": READER[1]}],
            "actions": ["Read", "List"],
        },
    ]
}


class ObjectStore:
    """Its buckets are public, as those of a web site."""

    def __init__(self, s3: int, filer: int, metrics: int) -> None:
        self.port = s3
        self.endpoint = f"http://127.0.0.1:{s3}"
        self._filer = filer
        self._metrics = metrics

    def make_bucket(self, name: str) -> None:
        """Create a bucket as an administrator, without the S3 protocol."""
        _request(self._filer, f"/buckets/{name}/", "POST")

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """The answer to an anonymous reader or a proxy: status, headers, body."""
        return _request(self.port, path)

    def listed(self, bucket: str) -> dict[str, str]:
        """The ETag of each object in a bucket."""
        _, _, body = self.get(f"/{bucket}?list-type=2&max-keys=1000")
        objects = re.findall(r"<Key>([^<]*)</Key>.*?<ETag>(.*?)</ETag>", body.decode())
        return {key: etag.strip('"&#34;') for key, etag in objects}

    def requests(self, bucket: str, method: str) -> int:
        """The number of successful requests in the store's metrics, which lag a moment behind."""
        _, _, body = _request(self._metrics, "/metrics")
        counts = re.findall(
            rf'^SeaweedFS_s3_request_total{{bucket="{bucket}",code="2\d\d",type="{method}"}} (\d+)',
            body.decode(),
            re.MULTILINE,
        )
        return sum(map(int, counts))


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """An object store that answers until the block ends."""
    (folder / "identities.json").write_text(json.dumps(_IDENTITIES))
    names = ("master", "volume", "filer", "s3")
    *ports, metrics = free_ports(2 * len(names) + 1)
    port_by_name = dict(zip(names, ports[::2], strict=True))
    listening = [f"-{name}.port={port}" for name, port in port_by_name.items()]
    listening += [f"-{n}.port.grpc={port}" for n, port in zip(names, ports[1::2], strict=True)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("weed")), "-logtostderr", "server",
                f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *listening,
                "-master.volumeSizeLimitMB=32", "-master.electionTimeout=1s", "-volume.max=1000",
                "-filer", "-s3", f"-s3.config={folder}/identities.json", "-s3.iam=false",
                "-s3.port.iceberg=0", "-s3.port.lance=0",
                "-metricsIp=127.0.0.1", f"-metricsPort={metrics}",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        for port, path in (
            (port_by_name["s3"], "/status"),
            (port_by_name["filer"], "/"),
            (metrics, "/metrics"),
        ):
            _wait(process, port, path)
        yield ObjectStore(port_by_name["s3"], port_by_name["filer"], metrics)
    finally:
        process.kill()  # a regular shutdown takes 15 s
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int, path: str) -> None:
    for _ in range(600):
        try:
            _request(port, path)
            return
        except OSError:
            assert process.poll() is None, "the object store has ended"
            time.sleep(0.1)
    raise AssertionError("the object store does not answer")


def _request(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, body=b"" if method == "POST" else None)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def free_ports(number: int) -> list[int]:
    """Different free ports: all are open at the same time before they are released."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]
