"""Publishing to a bucket, from the command line to a real object store."""

import gzip
import json
import os
import socket

import pytest
from obstore.store import S3Store

from aggregator.config import parse_config
from aggregator.errors import ConfigError, PublishError, not_installed
from aggregator.model import Bucket
from aggregator.publish.s3 import OutputBucket
from tests.cli.test_commands import call
from tests.forkserver import REPOSITORY
from tests.harness import item, rss
from tests.objectstore import OWNER, READER, free_ports, object_store
from tests.origin import Answer, origin

CLIPPING = "• Kept\n    https://kept.example/p\n\n    A passage.\n\n    #Communs\n"
ATOM = "application/atom+xml; charset=utf-8"
HERE = '[[subscriptions]]\nurl = "https://a.example/"\n[publish]\n'


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    with object_store(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture
def bucket(store, request):
    """The name of a new bucket."""
    name = f"b-{abs(hash(request.node.name))}"
    store.make_bucket(name)
    return name


def environment(store, credentials=OWNER, **more):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    key, secret = credentials
    return clean | {
        "AWS_ENDPOINT_URL": store.endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        **more,
    }


@pytest.fixture
def published(installation, publisher, store, bucket):
    """An installation that has published in ``bucket``; ``env`` is how it did."""
    publisher["/feed"] = rss(
        item("Les communs"), item("La pluie", "https://feed.example/b", body="Il pleut")
    )
    configure(installation, publisher, bucket)
    env = environment(store)
    assert call(installation.root, "run", env=env) == ("", "")
    return env


def configure(installation, publisher, bucket, publish="", tags='[tags."Pluie"]\n'):
    address = f'[publish]\ndirectory = "s3://{bucket}/a/feeds"\n{publish}'
    installation.configure([publisher.url("/feed")], tags + address, CLIPPING)


def open_bucket(store, bucket, codings=(), **more):
    return OutputBucket(Bucket(bucket, "a/feeds", store.endpoint, None, OWNER, **more), codings)


def error_line(installation, command, env, code=3):
    """The only line of stderr. It must contain no secret."""
    out, err = call(installation.root, *command.split(), code=code, env=env)
    assert out == ""
    for key, secret in (OWNER, READER):
        assert key not in err
        assert secret not in err
    (line,) = err.splitlines()
    return line


def test_bucket_contains_the_same_files_as_a_folder(
    published, installation, publisher, store, bucket
):
    in_bucket = set(store.listed(bucket))
    installation.configure([publisher.url("/feed")], '[tags."Pluie"]\n', CLIPPING)
    call(installation.root, "run", "--all")
    assert in_bucket == {f"a/feeds/{name}" for name in installation.snapshot()}
    assert not installation.root.joinpath("s3:").exists()


def test_objects_have_headers_by_kind(published, store, bucket):
    for name, media_type in (
        ("communs.atom", ATOM),
        ("communs/2026-11.atom", ATOM),
        ("communs.json", "application/feed+json; charset=utf-8"),
        ("index.html", "text/html; charset=utf-8"),
        ("index.opml", "text/x-opml; charset=utf-8"),
    ):
        status, headers, body = store.get(f"/{bucket}/a/feeds/{name}")
        assert (status, headers["content-type"]) == (200, media_type)
        assert headers["cache-control"] == "public, max-age=300"
        assert "content-encoding" not in headers
        assert body.startswith((b"<", b"{"))


def test_unchanged_run_lists_the_bucket_once_and_writes_nothing(
    published, installation, store, bucket
):
    puts, lists, gets = (store.requests(bucket, method) for method in ("PUT", "LIST", "GET"))
    out, _ = call(installation.root, "run", "--all", "--json", env=published)
    assert json.loads(out)["written"] == []
    assert store.requests(bucket, "LIST") == lists + 1
    assert store.requests(bucket, "GET") == gets
    assert store.requests(bucket, "PUT") == puts == len(store.listed(bucket))


def test_changed_entry_writes_only_the_documents_that_contain_it(
    published, installation, publisher, store, bucket
):
    puts, before = store.requests(bucket, "PUT"), store.listed(bucket)
    publisher["/feed"] = rss(
        item("Les communs de demain"), item("La pluie", "https://feed.example/b", body="Il pleut")
    )
    out, _ = call(installation.root, "run", "--all", "--json", env=published)
    written = json.loads(out)["written"]
    after = store.listed(bucket)
    changed = {name for name, etag in after.items() if etag != before[name]}
    assert changed == {f"a/feeds/{name}" for name in written}
    assert store.requests(bucket, "PUT") == puts + len(written)
    assert "communs.atom" in written
    assert "pluie.atom" not in written
    assert b"de demain" in store.get(f"/{bucket}/a/feeds/communs.atom")[2]


def test_missing_objects_are_written_again(published, installation, store, bucket):
    before = store.listed(bucket)
    outputs = open_bucket(store, bucket)
    outputs.remove("communs")
    call(installation.root, "run", env=published)
    assert store.listed(bucket) == before


def test_prune_removes_discontinued_feeds(published, installation, publisher, store, bucket):
    configure(installation, publisher, bucket, tags="")
    call(installation.root, "run", env=published)
    before = store.listed(bucket)
    planned = json.loads(call(installation.root, "prune", "--dry-run", "--json", env=published)[0])
    assert planned["feeds"] == ["pluie"]
    assert "AccessDenied" in error_line(installation, "prune", environment(store, READER))
    assert store.listed(bucket) == before
    done = json.loads(call(installation.root, "prune", "--json", env=published)[0])
    assert planned == done | {"dry_run": True}
    gone = before.keys() - store.listed(bucket).keys()
    live = {f"a/feeds/pluie.{kind}" for kind in ("atom", "json", "html")}
    assert gone == live | {"a/feeds/pluie/2026-11.atom"}


def test_prune_removes_pages_of_former_sources(published, installation, publisher, store, bucket):
    publisher["/other"] = rss(item("La neige", "https://feed.example/n"))
    installation.configure(
        [publisher.url("/other")], f'[publish]\ndirectory = "s3://{bucket}/a/feeds"\n', CLIPPING
    )
    call(installation.root, "run", env=published)
    other = OutputBucket(Bucket(bucket, "a/feeds/deep", store.endpoint, None, OWNER))
    other.write("_source/of-another-site.html", b"<html>")
    other.sync()
    (page,) = json.loads(call(installation.root, "prune", "--json", env=published)[0])["pages"]
    assert page.startswith("_source/")
    left = [name for name in store.listed(bucket) if "/_source/" in name]
    assert len(left) == 2
    assert f"a/feeds/{page}" not in left


def test_retag_publishes_to_the_bucket(published, installation, publisher, store, bucket):
    configure(installation, publisher, bucket, tags='[tags."Pluie"]\n[tags."Demain"]\n')
    call(installation.root, "retag", env=published)
    assert "a/feeds/demain.atom" in store.listed(bucket)


def test_gzip_compresses_the_objects_themselves(published, installation, publisher, store, bucket):
    plain = store.listed(bucket)
    configure(installation, publisher, bucket, 'compress = ["gzip"]\n')
    publisher["/feed"] = rss(item("Les communs de demain"))
    call(installation.root, "run", "--all", env=published)
    _, headers, body = store.get(f"/{bucket}/a/feeds/communs.atom")
    assert (headers["content-encoding"], headers["content-type"]) == ("gzip", ATOM)
    assert b"de demain" in gzip.decompress(body)
    assert store.listed(bucket).keys() == plain.keys()
    puts = store.requests(bucket, "PUT")
    call(installation.root, "run", "--all", env=published)
    assert store.requests(bucket, "PUT") == puts


def test_endpoint_region_and_credentials_from_feeds_toml(installation, publisher, store, bucket):
    publisher["/feed"] = rss(item("Les communs"))
    key, secret = OWNER
    auth = f'endpoint = "{store.endpoint}/"\nregion = "eu-west-3"\nauth = "env:OURS"\n'
    configure(installation, publisher, bucket, auth)
    wrong = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_SESSION_TOKEN": "theirs"}
    call(
        installation.root, "run", env=environment(store, READER, OURS=f"{key}:{secret}\n", **wrong)
    )
    assert "a/feeds/communs.atom" in store.listed(bucket)


def test_next_run_writes_what_could_not_be_written(installation, publisher, store, bucket):
    publisher["/feed"] = rss(item("Les communs"))
    configure(installation, publisher, bucket)
    line = error_line(installation, "run", environment(store, READER))
    assert line.startswith(f"s3://{bucket}/a/feeds at {store.endpoint}: ")
    assert "refused, HTTP 403 Forbidden (AccessDenied): check that the credentials" in line
    assert store.listed(bucket) == {}
    assert call(installation.root, "run", env=environment(store)) == ("", "")
    assert "a/feeds/communs.atom" in store.listed(bucket)


@pytest.mark.parametrize("command", ["run", "retag", "prune", "prune --dry-run"])
def test_missing_bucket(installation, publisher, store, command):
    configure(installation, publisher, "nobodys")
    assert error_line(installation, command, environment(store)) == (
        f"s3://nobodys/a/feeds at {store.endpoint}: there is no such bucket: create it, or correct "
        "[publish] directory"
    )
    assert publisher.all_requests == []


@pytest.mark.parametrize(
    ("credentials", "code"),
    [((OWNER[0], READER[1]), "SignatureDoesNotMatch"), (("AKIDNOBODY", "x"), "InvalidAccessKeyId")],
)
def test_wrong_credentials(installation, publisher, store, bucket, credentials, code):
    configure(installation, publisher, bucket)
    line = error_line(installation, "run", environment(store, credentials))
    assert line.endswith(
        f"refused, HTTP 403 Forbidden ({code}): check that the credentials are right "
        "and allow listing, reading, writing and deleting"
    )
    assert "AKIDNOBODY" not in line


def test_server_that_is_down_or_unknown_or_without_tls(installation, publisher, store):
    configure(installation, publisher, "any")
    (port,) = free_ports(1)
    for endpoint, words in (
        (f"http://127.0.0.1:{port}", "connection refused: is the server up"),
        ("http://nowhere.invalid", "name not found: check [publish] endpoint"),
        (store.endpoint.replace("http", "https"), "no TLS there"),
    ):
        env = environment(store, AWS_ENDPOINT_URL=endpoint)
        line = error_line(installation, "run", env)
        assert line.startswith(f"s3://any/a/feeds at {endpoint}: {words}")


def test_overloaded_server_and_a_server_that_is_no_object_store():
    with origin() as server:
        asked = "/any?list-type=2&prefix=a%2Ffeeds%2F"
        for answer, words in (
            (Answer(b"<Error><Code>SlowDown</Code></Error>", 503), "HTTP 503 Service Unavailable (SlowDown); the next run tries again"),
            (b"Welcome", "Got invalid list response"),
        ):  # fmt: skip
            server[asked] = answer
            with pytest.raises(PublishError, match="s3://any/a/feeds at http://") as raised:
                OutputBucket(Bucket("any", "a/feeds", server.url(""), None, OWNER))
            assert words in str(raised.value)
            assert "\n" not in str(raised.value)


def test_server_that_never_answers(monkeypatch):
    monkeypatch.setattr("aggregator.publish.s3._TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(PublishError, match="no answer in time"):
            OutputBucket(Bucket("any", "", endpoint, None, OWNER))


def test_no_credentials(installation, publisher, store, bucket):
    configure(installation, publisher, bucket)
    with origin() as metadata:  # a machine without a role
        env = environment(store, ("", ""), AWS_METADATA_ENDPOINT=metadata.url(""))
        del env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]
        assert "no credentials: set AWS_ACCESS_KEY_ID" in error_line(installation, "run", env)


def test_missing_extra_is_explained(installation, publisher, store, tmp_path_factory):
    configure(installation, publisher, "any")
    hidden = tmp_path_factory.mktemp("hidden")
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['obstore'] = None\n")
    env = environment(store, PYTHONPATH=f"{hidden}:{REPOSITORY}")
    for command in ("run", "check"):
        line = error_line(installation, command, env, code=2)
        assert line.startswith("feeds.toml:")
        assert line.endswith(not_installed("obstore", "s3"))
    installation.configure([publisher.url("/none")])
    call(installation.root, "check", env=env)


def test_serve_refuses_a_bucket(published, installation, bucket):
    line = error_line(installation, "serve", published, code=2)
    assert line.startswith(f"nothing to serve: the outputs are in s3://{bucket}/a/feeds, ")


def test_content_is_compared_if_the_etag_is_not_an_md5(store, bucket):
    options = {"client_options": {"allow_http": True}, "endpoint": store.endpoint}
    key, secret = OWNER
    other = S3Store(bucket, access_key_id=key, secret_access_key=secret, **options)
    other.put("a/feeds/a.atom", b"<feed/>", use_multipart=True)
    assert store.listed(bucket)["a/feeds/a.atom"].endswith("-1")
    outputs = open_bucket(store, bucket)
    assert not outputs.differs("a.atom", b"<feed/>")
    assert not outputs.write("a.atom", b"<feed/>")
    assert outputs.differs("a.atom", b"<feed>!")  # as long
    assert outputs.differs("a.atom", b"<feed></feed>")
    other.delete("a/feeds/a.atom")
    assert outputs.write("a.atom", b"<feed/>")
    outputs.sync()
    assert outputs.written_bytes == 7
    assert store.get(f"/{bucket}/a/feeds/a.atom")[2] == b"<feed/>"


def test_many_uploads_in_parallel(store, bucket):
    outputs = open_bucket(store, bucket)
    for number in range(50):
        assert outputs.write(f"a/{number}.atom", b"%d" % number)
    outputs.sync()
    assert len(store.listed(bucket)) == 50
    again = open_bucket(store, bucket)
    assert not any(again.write(f"a/{number}.atom", b"%d" % number) for number in range(50))
    assert again.has_archive("a")
    assert again.remove_archive("a")
    assert not again.has_archive("a")
    assert store.listed(bucket) == {}


@pytest.mark.parametrize(
    ("publish", "message"),
    [
        ('directory = "s3://key:s3cret@pub/x"', '4: "publish.directory" is "s3://…@pub/x": expected a folder, or "s3://bucket/prefix" of plain letters'),
        ('directory = "s3://Pub"', '4: "publish.directory" is "s3://Pub": expected a folder, or'),
        ('directory = "s3://pub/a/../b"', 'expected a folder, or "s3://bucket/prefix"'),
        ('directory = "gs://pub"', 'expected a folder, or "s3://bucket/prefix"'),
        ('endpoint = "https://s3.example"', '4: "publish.endpoint" is for a "directory" that begins with "s3://"'),
        ('directory = "s3://pub"\nendpoint = "https://k:s3cret@s3.example"', '5: "publish.endpoint" is "https://…@s3.example": expected the address of a server'),
        ('directory = "s3://pub"\nregion = "here, there"', '"publish.region" is "here, there": expected a region such as "eu-west-3"'),
        ('directory = "s3://pub"\nauth = "k:s3cret"', 'expected "env:NAME"'),
        ('directory = "s3://pub"\nauth = "env:NONE"', '5: "publish.auth" names the environment variable NONE, which is not set'),
        ('directory = "s3://pub"\nauth = "env:HALF"', '5: "publish.auth": expected HALF to hold "KEY:SECRET"'),
        ('directory = "s3://pub"\ncompress = ["gzip", "br"]', '5: "publish.compress" can only be ["gzip"] in a bucket'),
        ('directory = "s3://pub"', "4: the environment variable AWS_REGION does not hold the bucket's region"),
    ],
)  # fmt: skip
def test_configuration_errors(publish, message):
    environment = {"HALF": "s3cret", "AWS_REGION": "eu west\n"}
    with pytest.raises(ConfigError) as raised:
        parse_config(HERE + publish, "feeds.toml", environment)
    assert message in str(raised.value)
    assert "k:s3cret@" not in str(raised.value)


def test_repr_hides_the_secret():
    publish = 'directory = "s3://pub/"\nauth = "env:OURS"\n'
    settings = parse_config(HERE + publish, "f", {"OURS": "k:s3cret:more"}).publish
    assert settings.bucket == Bucket("pub", credentials=("k", "s3cret:more"))
    assert "s3cret" not in repr(settings)
