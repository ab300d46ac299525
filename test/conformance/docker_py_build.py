"""Images built with docker-py, as its users do it; what was seen goes out as JSON."""

import io
import json
import os

import docker

client = docker.from_env()
seen = {}

os.makedirs("py-context", exist_ok=True)
with open("py-context/Dockerfile", "w") as file:
    file.write('FROM busybox\nARG WORD\nLABEL from=file\nCOPY input /input\nRUN echo $WORD > /word\nCMD ["cat", "/input", "/word"]\n')
with open("py-context/input", "w") as file:
    file.write("input\n")

image, logs = client.images.build(
    path="py-context", tag="py-built", buildargs={"WORD": "word"}, labels={"more": "yes"}, rm=True
)
seen["tags"] = image.tags
seen["labels"] = image.labels
seen["steps"] = sum(line.get("stream", "").startswith("Step ") for line in logs)
seen["run"] = client.containers.run("py-built", remove=True).decode()
again, _ = client.images.build(path="py-context", buildargs={"WORD": "word"}, labels={"more": "yes"})
seen["same"] = again.id == image.id
simple, _ = client.images.build(fileobj=io.BytesIO(b"FROM busybox\nENV ONLY=dockerfile\n"))
seen["simple"] = "ONLY=dockerfile" in simple.attrs["Config"]["Env"]
try:
    client.images.build(fileobj=io.BytesIO(b"FROM busybox\nRUN echo said; exit 9\n"))
except docker.errors.BuildError as error:
    seen["failed"] = [error.msg, any("said" in line.get("stream", "") for line in error.build_log)]
seen["pruned"] = "SpaceReclaimed" in client.api.prune_builds()
print(json.dumps(seen))
