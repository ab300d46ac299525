/** Images with a client: import, archives, names, commit, removal; hostile and broken archives. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { makeBusyboxTar } from "../../../tools/base-images/busybox.ts";
import { ClientSuite } from "../../support/client-suite.ts";
import { mustRun } from "../../support/commands.ts";
import { tarOf } from "../../support/tar-builder.ts";

const suite = ClientSuite.use();
const { folder } = suite;
const ROOT = join(folder, "root.tar");

beforeAll(() => {
	writeFileSync(ROOT, makeBusyboxTar());
});

const idOf = (name: string) => suite.must(["inspect", "-f", "{{.Id}}", name]);
const namesOf = async (...filters: string[]) => {
	const options = filters.flatMap((filter) => ["--filter", filter]);
	return (await suite.must(["images", "--format", "{{.Repository}}:{{.Tag}}", ...options])).split("\n").sort();
};

/** What a failed import or load must not change. */
async function contents(): Promise<readonly string[]> {
	const images = await suite.must(["images", "-aq", "--no-trunc"]);
	const { dataRoot } = suite.daemon;
	const blobs = readdirSync(join(dataRoot, "content"), { recursive: true }).map(String).sort();
	return [images, ...blobs, ...readdirSync(join(dataRoot, "snapshots/layers")).sort()];
}

describe("import", () => {
	test("takes a file, standard input and a URL, plain, gzip and zstd, all to the same layer", async () => {
		writeFileSync(join(folder, "root.tgz"), gzipSync(readFileSync(ROOT), { level: 1 }));
		const zstd = zstdCompressSync(readFileSync(ROOT));
		const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(Bun.file(ROOT)) });
		try {
			await suite.must(["import", join(folder, "root.tgz"), "in:file"]);
			await suite.must(["import", "-", "in:stdin"], { stdin: zstd });
			await suite.must(["import", `http://127.0.0.1:${server.port}/root.tar`, "in:url"]);
		} finally {
			await server.stop(true);
		}
		const layers = ["in:file", "in:stdin", "in:url", "busybox"].map((name) =>
			suite.must(["inspect", "-f", "{{.RootFS.Layers}}", name]),
		);
		expect(new Set(await Promise.all(layers)).size).toBe(1);
		expect(await suite.must(["run", "--rm", "in:url", "/bin/sh", "-c", "echo runs"])).toBe("runs");
		await suite.must(["rmi", "in:file", "in:stdin", "in:url"]);
	});

	test("applies changes and the message", async () => {
		const changes = [
			...['CMD echo "a b" $X', 'ENTRYPOINT ["/bin/sh", "-c"]', 'ENV A=1 B="2 3"', "EXPOSE 80 90/udp", "LABEL l.x=y"],
			...["USER 1:2", "VOLUME /v", "WORKDIR /a/b", "STOPSIGNAL SIGINT", "HEALTHCHECK --interval=3s CMD true"],
		];
		const options = ["-m", "my message", ...changes.flatMap((change) => ["-c", change])];
		await suite.must(["import", ...options, ROOT, "full:v1"]);
		const [image] = JSON.parse(await suite.must(["inspect", "full:v1"]));
		expect(image).toMatchObject({ Comment: "my message", RepoTags: ["full:v1"], Architecture: "amd64", Os: "linux" });
		expect(image.Config).toMatchObject({
			Cmd: ["/bin/sh", "-c", 'echo "a b" $X'],
			Env: ["A=1", "B=2 3"],
			ExposedPorts: { "80/tcp": {}, "90/udp": {} },
			Labels: { "l.x": "y" },
			Volumes: { "/v": {} },
			Healthcheck: { Test: ["CMD-SHELL", "true"], Interval: 3e9 },
		});
		const history = await suite.must(["history", "--format", "{{.Comment}}|{{.Size}}", "full:v1"]);
		expect(history).toStartWith("my message|");
		expect(await namesOf("label=l.x=y")).toEqual(["full:v1"]);
		expect(await namesOf("label=l.x=z")).toEqual([""]);
		await suite.must(["rmi", "full:v1"]);
	});

	test("that cannot be is refused and leaves nothing", async () => {
		const before = await contents();
		const root = readFileSync(ROOT);
		const cases: [readonly string[], Uint8Array | string, string][] = [
			[["import", "-", "x"], "garbage", "unexpected EOF"],
			[["import", "-", "x"], root.subarray(0, 700_000), "unexpected EOF"],
			[["import", "-", "x"], gzipSync(root).subarray(0, 100_000), ""],
			[["import", "-", "Bad:Name"], root, "must be lowercase"],
			[["import", "-c", "FOO bar", "-", "x"], root, "FOO is not a valid change command"],
			[["import", "-c", "EXPOSE abc", "-", "x"], root, "containerPort: abc"],
			[["import", "--platform", "a/b/c/d", "-", "x"], root, "cannot parse platform specifier"],
			[["import", "http://127.0.0.1:1/x", "x"], "", "dial tcp 127.0.0.1:1: connect: connection refused"],
			[["import", "/none", "x"], "", "no such file or directory"],
		];
		for (const [args, stdin, message] of cases) expect(await suite.refusal(args, { stdin })).toContain(message);
		expect(await contents()).toEqual(before);
	});
});

describe("hostile archives", () => {
	const OUT = join(folder, "outside");
	const VICTIM = join(OUT, "victim");
	const deep = "../".repeat(20);

	beforeAll(() => {
		mkdirSync(OUT);
		writeFileSync(VICTIM, "untouched");
	});

	const ARCHIVES: [string, Buffer][] = [
		["climb with ..", tarOf({ name: `${deep}${OUT.slice(1)}/planted`, content: "x" })],
		["name the host absolutely", tarOf({ name: `${OUT}/planted`, content: "x" })],
		[
			"write through an absolute link",
			tarOf({ name: "l", type: "symlink", linkName: OUT }, { name: "l/planted", content: "x" }),
		],
		[
			"write through a climbing link",
			tarOf({ name: "l", type: "symlink", linkName: `${deep}${OUT.slice(1)}` }, { name: "l/planted", content: "x" }),
		],
		[
			"hard-link the host's files and write to them",
			tarOf(
				{ name: "h", type: "hard-link", linkName: `${deep}${VICTIM.slice(1)}` },
				{ name: "h", content: "overwritten" },
			),
		],
		[
			"delete through a link with a whiteout",
			tarOf({ name: "l", type: "symlink", linkName: OUT }, { name: "l/.wh.victim", content: "" }),
		],
	];

	test.each(ARCHIVES)("that %s stay inside", async (_what, archive) => {
		const { code } = await suite.run(["import", "-", "hostile"], { stdin: archive });
		expect([readdirSync(OUT), readFileSync(VICTIM, "utf8")]).toEqual([["victim"], "untouched"]);
		if (code === 0) await suite.must(["rmi", "hostile"]);
	});

	test("device nodes and long names are made as they are", async () => {
		const long = `${"d".repeat(100)}/`.repeat(10) + "n".repeat(200);
		const archive = tarOf(
			{ name: "dev/" },
			{ name: "dev/zero-too", type: "character-device", mode: 0o666, deviceMajor: 1, deviceMinor: 5 },
			{ name: "bin/" },
			{ name: "bin/busybox", mode: 0o755, content: readFileSync("/bin/busybox") },
			{ name: long, content: "long" },
		);
		await suite.must(["import", "-", "nodes"], { stdin: archive });
		const script = ["nodes", "/bin/busybox", "cat", `/${long}`];
		expect(await suite.must(["run", "--rm", ...script])).toBe("long");
		await suite.must(["rmi", "nodes"]);
	});
});

describe("archives of images", () => {
	const ALL = join(folder, "all.tar");
	let ids: string[] = [];

	beforeAll(async () => {
		await suite.must([
			"run",
			"--name",
			"one",
			"busybox",
			"sh",
			"-c",
			"rm -rf /var/www; echo new > /new; ln /new /new2",
		]);
		await suite.must(["commit", "-c", "CMD cat /new2", "-c", "LABEL one=1", "one", "saved:1"]);
		await suite.must(["commit", "-m", "second", "-a", "me", "one", "saved:2"]);
		await suite.must(["rm", "one"]);
		ids = [await idOf("saved:1"), await idOf("saved:2")];
		await suite.must(["save", "-o", ALL, "saved:1", "saved:2"]);
	});

	afterAll(async () => {
		await suite.run(["rmi", "saved:1", "saved:2"]);
	});

	/** The archive unpacked, changed and packed again. */
	async function changed(script: string, name = "changed"): Promise<string> {
		const directory = join(folder, name);
		mkdirSync(directory);
		await mustRun(["tar", "-xf", ALL, "-C", directory]);
		await mustRun(["sh", "-c", script], { cwd: directory });
		await mustRun(["tar", "-cf", `${directory}.tar`, "-C", directory, "."]);
		return `${directory}.tar`;
	}

	test("hold several images, and give them back with the same IDs, whatever they are packed with", async () => {
		const plain = readFileSync(ALL);
		for (const archive of [plain, gzipSync(plain, { level: 1 }), zstdCompressSync(plain)]) {
			await suite.must(["rmi", "saved:1", "saved:2"]);
			const loaded = await suite.must(["load"], { stdin: archive });
			expect(loaded.split("\n").sort()).toEqual(["Loaded image: saved:1", "Loaded image: saved:2"]);
			expect([await idOf("saved:1"), await idOf("saved:2")]).toEqual(ids);
		}
		expect(await suite.must(["run", "--rm", "saved:1"])).toBe("new");
		expect(await suite.must(["run", "--rm", "saved:2", "ls", "/var"])).not.toContain("www");
		const again = join(folder, "again.tar");
		await suite.must(["save", "-o", again, "saved:1", "saved:2"]);
		expect(readFileSync(again).equals(plain)).toBe(true);
	});

	test("are Docker's and OCI layouts at once: either half is enough", async () => {
		for (const half of ["manifest.json repositories", "index.json oci-layout"]) {
			const archive = await changed(`rm ${half}`, half.slice(0, 5));
			await suite.must(["rmi", "saved:1", "saved:2"]);
			await suite.must(["load", "-i", archive]);
			expect([await idOf("saved:1"), await idOf("saved:2")]).toEqual(ids);
		}
	});

	test("saved by ID carry no name", async () => {
		const archive = join(folder, "by-id.tar");
		await suite.must(["save", "-o", archive, ids[0] ?? ""]);
		await suite.must(["rmi", "saved:1"]);
		expect(await suite.must(["load", "-i", archive])).toBe(`Loaded image ID: ${ids[0]}`);
		await suite.must(["tag", ids[0] ?? "", "saved:1"]);
	});

	test("are saved and loaded for a platform, or refused", async () => {
		expect(await suite.must(["load", "-i", ALL, "--platform", "linux/amd64"])).toContain("Loaded image: saved:1");
		expect(await suite.refusal(["load", "-i", ALL, "--platform", "linux/arm64"])).toContain("linux/arm64");
		expect(
			await suite.refusal(["save", "-o", join(folder, "none.tar"), "--platform", "linux/arm64", "saved:1"]),
		).toContain("no suitable export target found for platform linux/arm64");
	});

	test("that are broken say so, and leave nothing", async () => {
		const before = await contents();
		const cases: [string, string, string][] = [
			["digest", "for blob in blobs/sha256/*; do echo x >> $blob; done", "is damaged"],
			["outside", "sed -i 's#sha256/#sha256/../../../../etc/#g' manifest.json", "outside"],
			["missing", "rm blobs/sha256/*", "missing"],
			["json", "echo '{' > manifest.json", "not JSON"],
			["item", `echo '[{"Config":"x"}]' > manifest.json`, "x is missing"],
			["name", "sed -i 's/saved:1/BAD NAME/' manifest.json", "invalid reference format"],
		];
		for (const [name, script, message] of cases)
			expect(await suite.refusal(["load", "-i", await changed(script, `broken-${name}`)])).toContain(message);
		for (const stdin of ["garbage", "", readFileSync(ALL).subarray(0, 1_000_000), readFileSync(ROOT)])
			await suite.refusal(["load"], { stdin });
		await suite.refusal(["save", "-o", join(folder, "none.tar"), "saved:1", "none"]);
		expect(await contents()).toEqual(before);
	});
});

describe("names", () => {
	test("are given and taken; lists filter by them", async () => {
		await suite.must(["tag", "busybox", "names:1"]);
		await suite.must(["tag", "busybox", "localhost:5000/a/b/c:x"]);
		expect(await namesOf("reference=names")).toEqual(["names:1"]);
		expect(await namesOf("reference=localhost:5000/*/*/*")).toEqual(["localhost:5000/a/b/c:x"]);
		expect(await namesOf("dangling=true")).toEqual([""]);
		expect(await suite.must(["images", "--digests", "--format", "{{.Digest}}", "names"])).toBe("<none>");
		expect(await suite.must(["rmi", "names:1", "localhost:5000/a/b/c:x"])).toBe(
			"Untagged: names:1\nUntagged: localhost:5000/a/b/c:x",
		);
	});

	test("that are none are refused in Docker's words", async () => {
		const none = "Error response from daemon: No such image: none:latest";
		for (const args of [
			["tag", "none", "x"],
			["image", "inspect", "none"],
			["history", "none"],
			["rmi", "none"],
		])
			expect(await suite.refusal(args)).toContain(none);
		expect(await suite.refusal(["tag", "busybox", "BAD"])).toContain("must be lowercase");
		expect(await suite.refusal(["images", "--filter", "foo=1"])).toContain("invalid filter 'foo'");
		expect(await suite.refusal(["images", "--filter", "before=none"])).toContain("No such image: none:latest");
		expect(await suite.refusal(["images", "--filter", "dangling=maybe"])).toContain(
			"invalid filter 'dangling=[maybe]'",
		);
	});
});

describe("commit and removal", () => {
	test("an image in use is refused by name and by ID, and by force loses its name", async () => {
		await suite.must(["import", "-c", "LABEL in=use", ROOT, "used:1"]);
		const id = await idOf("used:1");
		const short = id.slice(7, 19);
		await suite.must(["create", "--name", "user", "used:1", "/bin/sleep", "100"]);
		expect(await suite.refusal(["rmi", "used:1"])).toContain(
			'conflict: unable to remove repository reference "used:1" (must force) - container',
		);
		expect(await suite.refusal(["rmi", short])).toContain(`conflict: unable to delete ${short} (must be forced)`);
		await suite.must(["tag", "used:1", "used:2"]);
		expect(await suite.refusal(["rmi", short])).toContain("image is referenced in multiple repositories");
		expect(await suite.must(["rmi", "used:2"])).toBe("Untagged: used:2");
		await suite.must(["start", "user"]);
		expect(await suite.refusal(["rmi", "-f", short])).toContain("(cannot be forced) - image is being used by running");
		expect(await suite.must(["rmi", "-f", "used:1"])).toBe("Untagged: used:1");
		expect(await suite.must(["exec", "user", "/bin/echo", "lives"])).toBe("lives");
		await suite.must(["rm", "-f", "user"]);
		expect(await suite.must(["image", "prune", "-f"])).toContain(`deleted: ${id}`);
	});

	test("a parent loses its name and goes with its last child", async () => {
		await suite.must(["import", "-c", "CMD sh", ROOT, "parent"]);
		const parent = await idOf("parent");
		await suite.must(["create", "--name", "maker", "parent"]);
		const commit = ["commit", "-a", "me", "-m", "msg", "-c", "ENV A=7", "-c", 'CMD ["x"]', "maker", "child:1"];
		const since = String(Date.now() / 1000);
		await suite.must(commit);
		const range = ["--since", since, "--until", String(Date.now() / 1000 + 0.1)];
		const attributes = "{{.Actor.Attributes.comment}} {{.Actor.Attributes.imageRef}}";
		expect(await suite.must(["events", ...range, "--filter", "event=commit", "--format", attributes])).toBe(
			"msg child:1",
		);
		await suite.must(["rm", "maker"]);
		const template = "{{.Parent}} {{.Author}} {{.Comment}} {{.Config.Env}} {{.Config.Cmd}}";
		expect(await suite.must(["inspect", "-f", template, "child:1"])).toBe(`${parent} me msg [A=7] [x]`);
		expect(await suite.must(["rmi", "parent"])).toBe("Untagged: parent:latest");
		expect(await suite.must(["rmi", "child:1"])).toContain(`Deleted: ${parent}`);
	});

	test("commit of a container that ends meanwhile", async () => {
		const problems: string[] = [];
		for (let round = 0; round < 8; round++) {
			const body = { Image: "busybox", Cmd: ["touch", "/made"] };
			const created = await suite.daemon.api("POST", "/containers/create?name=ender", body);
			const { Id } = (await created.json()) as { Id: string };
			await suite.daemon.api("POST", `/containers/${Id}/start`);
			const commit = await suite.daemon.api("POST", `/commit?container=${Id}&pause=1&repo=ender`);
			if (commit.status !== 201) problems.push(await commit.text());
			await suite.must(["wait", "ender"]);
			expect(await suite.must(["inspect", "-f", "{{.State.Status}}", "ender"])).toBe("exited");
			await suite.must(["rm", "ender"]);
			await suite.must(["rmi", "ender"]);
		}
		expect(problems).toEqual([]);
	});

	test("commit without a name, with a bad one, of nothing", async () => {
		await suite.must(["create", "--name", "maker", "busybox"]);
		const id = await suite.must(["commit", "maker"]);
		expect(await suite.must(["images", "-q", "--no-trunc", "--filter", "dangling=true"])).toBe(id);
		expect(await suite.refusal(["commit", "maker", "BAD"])).toContain("must be lowercase");
		expect(await suite.refusal(["commit", "-c", "RUN x", "maker"])).toContain("RUN is not a valid change command");
		expect(await suite.refusal(["commit", "none"])).toContain("No such container: none");
		await suite.must(["rm", "maker"]);
		expect(await suite.must(["image", "prune", "-f"])).toContain(id);
		expect(await suite.refusal(["image", "prune", "-f", "--filter", "foo=1"])).toContain("invalid filter 'foo'");
	});
});

test("nothing is left of images that were removed", async () => {
	expect(await namesOf()).toEqual(["busybox:latest"]);
	expect(readdirSync(join(suite.daemon.dataRoot, "snapshots/layers")).length).toBe(1);
	expect(existsSync(join(suite.daemon.dataRoot, "content/ingest"))).toBe(true);
	expect(readdirSync(join(suite.daemon.dataRoot, "content/ingest"))).toEqual([]);
});
