"""The life of a container through docker-py. Prints what it saw as one line of JSON."""

import io
import json
import tarfile

import docker

client = docker.from_env()
seen = {}

seen["run"] = client.containers.run("busybox", ["sh", "-c", "echo $KEY"], environment={"KEY": "value"}, remove=True).decode()
try:
    client.containers.run("busybox", ["sh", "-c", "echo problem >&2; exit 3"], remove=True)
except docker.errors.ContainerError as error:
    seen["error"] = [error.exit_status, error.stderr.decode()]

web = client.containers.run(
    "busybox",
    ["httpd", "-f", "-h", "/var/www"],
    detach=True,
    ports={"80/tcp": None},
    mem_limit="64m",
    labels={"purpose": "conformance"},
)
web.reload()
seen["published"] = int(web.ports["80/tcp"][0]["HostPort"]) > 0
code, output = web.exec_run(["sh", "-c", "echo out; echo err >&2; exit 5"], demux=True)
seen["exec"] = [code, *(part.decode() for part in output)]
socket = web.exec_run(["cat"], stdin=True, socket=True).output
socket._sock.sendall(b"typed in")
seen["socket"] = socket.read(8 + len("typed in"))[8:].decode()
socket.close()

archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w") as tar:
    entry = tarfile.TarInfo("file")
    entry.size = len(b"through an archive")
    tar.addfile(entry, io.BytesIO(b"through an archive"))
web.put_archive("/tmp", archive.getvalue())
chunks, status = web.get_archive("/tmp/file")
with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
    seen["archive"] = [status["name"], tar.extractfile("file").read().decode()]

seen["stats"] = web.stats(stream=False)["memory_stats"]["limit"]
seen["list"] = [each.id for each in client.containers.list(filters={"label": "purpose=conformance"})] == [web.id]
volume = client.volumes.create("conformance-volume")
client.containers.run("busybox", "touch /v/kept", volumes={"conformance-volume": {"bind": "/v", "mode": "rw"}}, remove=True)
seen["volume"] = client.containers.run("busybox", "ls /v", volumes={"conformance-volume": {"bind": "/v", "mode": "ro"}}, remove=True).decode()
volume.remove()
saved = b"".join(client.images.get("busybox").save(named=True))
seen["load"] = client.images.load(saved)[0].tags
web.stop(timeout=1)
seen["stopped"] = web.wait()["StatusCode"] in (137, 143)
web.remove()
try:
    client.containers.get(web.id)
except docker.errors.NotFound as error:
    seen["gone"] = error.explanation == f"No such container: {web.id}"
print(json.dumps(seen))
