/** Where the result of a build goes: trees, archives, registries; one layer. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { BuildSuite } from "../../support/build-suite.ts";
import { mustRun } from "../../support/commands.ts";

const suite = new BuildSuite({ registry: true });

/** Read here alone. */
// biome-ignore lint/suspicious/noExplicitAny: documents of several kinds, looked into at once
type Json = any;

const { mustBuild } = suite;

/** A file of a tar archive. */
const member = (archive: string, name: string) => mustRun(["tar", "-xOf", archive, name]);

const TREE = [
	"FROM busybox AS made",
	"RUN mkdir -p /out/d && echo made > /out/d/f && ln -s d/f /out/l",
	"FROM scratch",
	"COPY --from=made /out /",
];

describe("a result goes", () => {
	test("into a directory and a tar", async () => {
		await mustBuild(TREE, "-o", suite.context.path("tree"));
		expect(readFileSync(suite.context.path("tree/d/f"), "utf8")).toBe("made\n");
		expect(readFileSync(suite.context.path("tree/l"), "utf8")).toBe("made\n");
		expect(existsSync(suite.context.path("tree/etc"))).toBe(false);
		await mustBuild(TREE, "-o", `type=tar,dest=${suite.context.path("tree.tar")}`);
		expect((await mustRun(["tar", "-tf", suite.context.path("tree.tar")])).split("\n")).toEqual(["d/", "d/f", "l"]);
	});

	test("into archives, and nothing into the store", async () => {
		const images = await suite.daemon.mustDocker(["images", "-aq"]);
		for (const type of ["oci", "docker"]) {
			const archive = suite.context.path(`${type}.tar`);
			await mustBuild([...TREE, "LABEL archived=yes"], "-t", "archived:1", "-o", `type=${type},dest=${archive}`);
			expect(await suite.daemon.mustDocker(["images", "-aq"])).toBe(images);
			const index = JSON.parse(await member(archive, "index.json"));
			expect(index.manifests[0].annotations["io.containerd.image.name"]).toBe("docker.io/library/archived:1");
		}
		expect(await suite.daemon.mustDocker(["load", "-i", suite.context.path("docker.tar")])).toContain(
			"Loaded image: archived:1",
		);
		expect(await suite.daemon.mustDocker(["image", "inspect", "-f", "{{.Config.Labels.archived}}", "archived:1"])).toBe(
			"yes",
		);
	});

	test("to a registry", async () => {
		const name = `${suite.registry.host}/built:1`;
		await mustBuild(TREE, "-t", name, "--push", "--metadata-file", suite.context.path("metadata"));
		const metadata = JSON.parse(readFileSync(suite.context.path("metadata"), "utf8"));
		const manifest = await fetch(`http://${suite.registry.host}/v2/built/manifests/1`, { headers: { Accept: "*/*" } });
		expect(manifest.headers.get("docker-content-digest")).toBe(metadata["containerimage.digest"]);
		await suite.daemon.mustDocker(["rmi", name]);
		await suite.daemon.mustDocker(["pull", "-q", name]);
	});
});

test("a cache goes with the image, to a machine that never built it", async () => {
	const dockerfile = ["FROM busybox", "WORKDIR /w", "COPY input .", "RUN cat /proc/sys/kernel/random/uuid > /uuid"];
	suite.context.write({ input: "same" });
	const name = `${suite.registry.host}/cached:1`;
	await mustBuild(dockerfile, "-t", name, "--cache-to", "type=inline", "--push");
	const uuid = await suite.daemon.mustDocker(["run", "--rm", name, "cat", "/uuid"]);
	await suite.daemon.mustDocker(["rmi", name]);
	await suite.daemon.api("POST", "/v1.43/build/prune?all=1");
	const output = await mustBuild(dockerfile, "-t", "again", "--cache-from", name);
	expect(output.match(/CACHED/g)?.length).toBeGreaterThanOrEqual(3);
	expect(await suite.daemon.mustDocker(["run", "--rm", "again", "cat", "/uuid"])).toBe(uuid);
	// Beside the image, under a name of its own.
	const cacheName = `${suite.registry.host}/cache:main`;
	const images = await suite.daemon.mustDocker(["images", "-aq"]);
	await mustBuild(dockerfile, "-t", "again", "--cache-to", `type=registry,ref=${cacheName}`);
	expect(await suite.daemon.mustDocker(["images", "-aq"])).toBe(images);
	await suite.daemon.mustDocker(["rmi", "again"]);
	await suite.daemon.api("POST", "/v1.43/build/prune?all=1");
	await mustBuild(dockerfile, "-t", "again", "--cache-from", `type=registry,ref=${cacheName}`);
	expect(await suite.daemon.mustDocker(["run", "--rm", "again", "cat", "/uuid"])).toBe(uuid);
	// One that is not there is no reason to fail.
	await mustBuild(dockerfile, "--cache-from", `${suite.registry.host}/nothing:1`);
});

test("annotations and provenance go out with the image, and not into the store", async () => {
	const name = `${suite.registry.host}/stated:1`;
	const accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
	const get = async (path: string) =>
		(await (
			await fetch(`http://${suite.registry.host}/v2/stated/${path}`, { headers: { Accept: accept } })
		).json()) as Json;
	await mustBuild(TREE, "-t", name, "--annotation", "a=b", "--push");
	expect((await get("manifests/1")).annotations).toEqual({ a: "b" });
	await mustBuild(TREE, "-t", name, "--annotation", "index:c=d", "--provenance", "mode=max", "--push");
	const index = await get("manifests/1");
	expect(index.annotations).toEqual({ c: "d" });
	const [image, attestation] = index.manifests;
	expect(attestation.annotations).toEqual({
		"vnd.docker.reference.digest": image.digest,
		"vnd.docker.reference.type": "attestation-manifest",
	});
	const { layers } = await get(`manifests/${attestation.digest}`);
	const statement = await get(`blobs/${layers[0].digest}`);
	expect(statement.predicateType).toBe("https://slsa.dev/provenance/v0.2");
	expect(`sha256:${statement.subject[0].digest.sha256}`).toBe(image.digest);
	expect(statement.predicate.materials[0].uri).toContain("pkg:docker/busybox@latest");
	await suite.daemon.mustDocker(["rmi", "-f", name]);
	await suite.daemon.mustDocker(["pull", "-q", name]);
	const archive = suite.context.path("stated.tar");
	await mustBuild(TREE, "-o", `type=oci,dest=${archive}`, "--provenance", "true");
	const top = JSON.parse(await member(archive, "index.json")).manifests[0];
	expect(JSON.parse(await member(archive, `blobs/sha256/${top.digest.slice(7)}`)).manifests.length).toBe(2);
	await expect(mustBuild(TREE, "--annotation", "a=b")).rejects.toThrow("keeps neither annotations");
});

describe("squashing", () => {
	test("makes one layer of all, without what was removed again", async () => {
		suite.context.write({
			Dockerfile: [
				"FROM busybox",
				"RUN echo secret > /secret && echo kept > /kept",
				"RUN rm /secret && rm /bin/vi || true",
				"ENV A=1",
			],
		});
		await suite.daemon
			.mustDocker(["build", "--squash", "-t", "squashed", suite.context.directory], { env: { DOCKER_BUILDKIT: "0" } })
			.catch(async () => {
				// The client allows it with experimental daemons only.
				const tar = await mustRun([
					"tar",
					"-C",
					suite.context.directory,
					"-cf",
					suite.context.path("c.tar"),
					"Dockerfile",
				]).then(() => readFileSync(suite.context.path("c.tar")));
				const response = await suite.daemon.api("POST", "/v1.43/build?squash=1&t=squashed", tar);
				expect(await response.text()).toContain("Successfully tagged");
			});
		const layers = JSON.parse(
			await suite.daemon.mustDocker(["image", "inspect", "-f", "{{json .RootFS.Layers}}", "squashed"]),
		);
		const base = JSON.parse(
			await suite.daemon.mustDocker(["image", "inspect", "-f", "{{json .RootFS.Layers}}", "busybox"]),
		);
		expect([layers.length, layers.slice(0, base.length)]).toEqual([base.length + 1, base]);
		expect(
			await suite.daemon.mustDocker(["run", "--rm", "squashed", "sh", "-c", "cat /kept; ls /secret 2>&1; echo $A"]),
		).toContain("kept\nls: /secret: No such file or directory\n1");
		const archive = suite.context.path("squashed.tar");
		await suite.daemon.mustDocker(["save", "-o", archive, "squashed"]);
		const saved = JSON.parse(await member(archive, "manifest.json"));
		const listed = await mustRun(["sh", "-c", 'tar -xOf "$0" "$1" | tar -t', archive, saved[0].Layers.at(-1)]);
		expect(listed.split("\n").filter((name) => /secret|kept|\.dockerenv/.test(name))).toEqual(["kept"]);
	});
});

test("a directory takes the place of an image", async () => {
	suite.context.write({ "base/made/here": "here", "other/file": "copied" });
	const dockerfile = ["FROM base", "COPY --from=other /file /copied", "FROM scratch", "COPY --from=0 / /all"];
	const contexts = [
		"--build-context",
		`base=${suite.context.path("base")}`,
		"--build-context",
		`other=${suite.context.path("other")}`,
	];
	await mustBuild(dockerfile, ...contexts, "-o", suite.context.path("out"));
	expect(readFileSync(suite.context.path("out/all/made/here"), "utf8")).toBe("here");
	expect(readFileSync(suite.context.path("out/all/copied"), "utf8")).toBe("copied");
});

test("an OCI layout of the client takes the place of an image", async () => {
	const layout = suite.context.path("layout");
	await mustBuild(
		["FROM busybox", "RUN echo laid > /out && ln -s out /link", "ENV FROM_LAYOUT=yes", "WORKDIR /w"],
		"-t",
		"laid:7",
		"--provenance",
		"true",
		"-o",
		`type=oci,tar=false,dest=${layout}`,
	);
	await suite.daemon.api("POST", "/v1.43/build/prune?all=1");
	suite.context.write({ ".dockerignore": "layout" });
	const images = await suite.daemon.mustDocker(["images", "-aq"]);
	const dockerfile = [
		"FROM base",
		"RUN echo $FROM_LAYOUT $PWD > /env",
		"FROM scratch",
		"COPY --from=0 /env /out /all/",
		"COPY --from=base /link /all/",
	];
	for (const named of ["", ":7"]) {
		await mustBuild(
			dockerfile,
			"--no-cache",
			"--build-context",
			`base=oci-layout://${layout}${named}`,
			"-o",
			suite.context.path("out"),
		);
		expect(readFileSync(suite.context.path("out/all/env"), "utf8")).toBe("yes /w\n");
		expect(readFileSync(suite.context.path("out/all/link"), "utf8")).toBe("laid\n");
	}
	expect(await suite.daemon.mustDocker(["images", "-aq"])).toBe(images);
	const archive = suite.context.path("stated.tar");
	const base = ["--build-context", `base=oci-layout://${layout}`];
	await mustBuild(dockerfile, ...base, "--provenance", "true", "-o", `type=oci,dest=${archive}`);
	await expect(mustBuild(dockerfile, "--build-context", `base=oci-layout://${layout}:8`)).rejects.toThrow(
		"the OCI layout has no image 8 for linux/",
	);
	await expect(
		mustBuild(dockerfile, "--build-context", `base=oci-layout://${suite.context.path("other")}`),
	).rejects.toThrow("not found");
});

test("SOURCE_DATE_EPOCH makes the same image whenever it is built", async () => {
	const dockerfile = ["FROM busybox", "WORKDIR /w", "RUN mkdir d && echo x > d/f && ln -s d/f l", "ENV A=1"];
	suite.context.write({ Dockerfile: dockerfile });
	const build = async () => {
		const args = ["build", "-q", "--no-cache", suite.context.directory];
		return (await suite.daemon.gantry(args, { env: { SOURCE_DATE_EPOCH: "1577836800" } })).stdout.trim();
	};
	const first = await build();
	expect(first).toMatch(/^sha256:/);
	await Bun.sleep(1100);
	expect(await build()).toBe(first);
	expect(await suite.daemon.mustDocker(["image", "inspect", "-f", "{{.Created}}", first])).toBe("2020-01-01T00:00:00Z");
});

test("a step may not leave its sandbox unless that is allowed", async () => {
	const dockerfile = ["FROM busybox", "RUN --network=host ip -o link | wc -l"];
	await expect(mustBuild(dockerfile)).rejects.toThrow("network.host is not allowed");
	await mustBuild(dockerfile, "--allow", "network.host");
	await expect(mustBuild(["FROM busybox", "RUN --security=insecure true"])).rejects.toThrow("security.insecure");
	const insecure = [
		"FROM busybox",
		"RUN --security=insecure mount -t tmpfs x /mnt 2>/dev/null || mkdir /mnt && mount -t tmpfs x /mnt",
	];
	await mustBuild(insecure, "--allow", "security.insecure");
});
