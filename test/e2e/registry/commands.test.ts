/** The commands about registries: gantry says what the official client says, and leaves in the registry what it leaves. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { ClientSuite } from "../../support/client-suite.ts";
import { dockerClient } from "../../support/daemon.ts";
import { RegistryContent } from "../../support/registry-content.ts";
import { digestOf, type RegistryProcess, startRegistry } from "../../support/registry-server.ts";

const suite = ClientSuite.use();
if (dockerClient === undefined) console.log("skipped: comparisons, because there is no official client");
const compared = test.skipIf(dockerClient === undefined);

let registry: RegistryProcess;
let app = "";

beforeAll(async () => {
	registry = await startRegistry();
	app = `${registry.host}/team/app`;
	const content = new RegistryContent(registry.url, "team/app");
	const platform = (architecture: string) => ({ os: "linux", architecture });
	for (const architecture of ["amd64", "arm64"])
		await content.image(
			{ form: "docker", platform: platform(architecture), layers: [{ files: { architecture } }] },
			architecture,
		);
	await content.image({ form: "oci", layers: [{ files: { form: "oci" } }] }, "oci");
	for (const name of ["library/app", "library/apple", "deep/er/app"])
		await new RegistryContent(registry.url, name).image({ layers: [{ files: { name } }] }, "1");
});
afterAll(() => registry[Symbol.asyncDispose]());

interface Said {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

/** What both say to the same words, each from the state that `before` makes. */
async function both(args: readonly string[], before: () => Promise<unknown> = async () => undefined) {
	const said: Said[] = [];
	for (const client of ["docker", "gantry"] as const) {
		await before();
		const env = { DOCKER_CONFIG: join(suite.folder, client) };
		const { code, stdout, stderr } = await suite.daemon[client](args, { env });
		said.push({ code, stdout, stderr });
	}
	return said as [Said, Said];
}

const expectSame = async (args: readonly string[], before?: () => Promise<unknown>): Promise<Said> => {
	const [docker, gantry] = await both(args, before);
	expect({ args, ...gantry }).toEqual({ args, ...docker });
	return docker;
};

const forget = async () => {
	const ids = await suite.must(["images", "-q", "--no-trunc", app]);
	if (ids !== "") await suite.must(["rmi", "-f", ...new Set(ids.split("\n"))]);
};

describe("pull", () => {
	for (const args of [["amd64"], ["-q", "amd64"], ["--platform", "linux/arm64", "amd64"]])
		compared(args.join(" "), async () => {
			const words = ["pull", ...args.slice(0, -1), `${app}:${args.at(-1)}`];
			expect((await expectSame(words, forget)).code).toBe(0);
			expect((await expectSame(words)).code).toBe(0);
		});

	compared("all tags, digests, names that are none", async () => {
		const digest = digestOf(await (await fetch(`${registry.url}/v2/team/app/manifests/amd64`)).text());
		expect((await expectSame(["pull", "-a", app], forget)).stdout).toContain("oci: Pulling from team/app");
		for (const words of [
			["pull", `${app}@${digest}`],
			["pull", `${app}:any@${digest}`],
			["pull", "-a", `${app}:amd64`],
			["pull", `${app}:missing`],
			["pull", app],
			["pull", `${registry.host}/nothing:1`],
			["pull", "-a", `${registry.host}/nothing`],
			["pull", `${app}@sha256:${"0".repeat(64)}`],
			["pull", "--platform", "a/b/c/d", `${app}:amd64`],
			["pull", "Upper/Case"],
			["pull", "scratch"],
		])
			await expectSame(words);
	});
});

test("who asks for signatures is told that they are not checked", async () => {
	const env = { DOCKER_CONTENT_TRUST: "1" };
	for (const words of [
		["pull", `${app}:oci`],
		["run", "--pull", "always", `${app}:oci`],
		["push", `${app}:oci`],
	])
		expect((await suite.daemon.gantry(words, { env })).stderr).toContain("content trust is not supported");
	expect((await suite.daemon.gantry(["pull", "-q", "--disable-content-trust", `${app}:oci`], { env })).code).toBe(0);
});

describe("push", () => {
	compared("one tag, all tags, quietly, by platform, and what cannot be pushed", async () => {
		await suite.must(["pull", "-q", `${app}:amd64`]);
		await suite.must(["tag", `${app}:amd64`, `${app}:latest`]);
		for (const words of [
			["push", `${app}:amd64`],
			["push", app],
			["push", "-q", app],
			["push", "-a", app],
			["push", "-a", "-q", app],
			["push", "-a", `${app}:amd64`],
			["push", `${app}@sha256:${"0".repeat(64)}`],
			["push", `${registry.host}/nothing`],
			["push", `${app}:missing`],
			["push", "--platform", "linux/s390x", "-q", `${app}:amd64`],
		]) {
			const [docker, gantry] = await both(words);
			// The official client begins with an explanation of its option.
			const plain = docker.stdout.replace(/^\n Info ->[\s\S]*?\n *\n/, "");
			expect({ words, ...gantry }).toEqual({ words, ...docker, stdout: plain });
		}
	});
});

describe("search", () => {
	for (const [options, count] of [
		[[], 4],
		[["--limit", "2"], 2],
		[["--filter", "is-official=true"], 2],
		[["--filter", "stars=1"], 0],
		[["--no-trunc", "--format", "{{.Name}} {{.IsOfficial}}"], 4],
		[["--format", "json"], 4],
		[["--format", "table {{.Name}}\t{{.StarCount}}"], 4],
	] as const)
		compared(options.join(" ") || "plainly", async () => {
			const { stdout, code } = await expectSame(["search", ...options, `${registry.host}/app`]);
			expect([code, stdout.split("\n").filter((line) => line.includes("app")).length]).toEqual([0, count]);
		});

	compared("wrongly", async () => {
		for (const options of [
			["--filter", "color=red"],
			["--filter", "is-official=perhaps"],
			["--filter", "stars=many"],
			["--limit", "101"],
		])
			expect((await expectSame(["search", ...options, `${registry.host}/app`])).code).toBe(1);
		expect((await expectSame(["search", "http://127.0.0.1/app"])).code).toBe(1);
	});
});

describe("manifest", () => {
	compared("lists are made, annotated, shown and pushed, with the same bytes", async () => {
		for (const folder of ["docker", "gantry"]) rmSync(join(suite.folder, folder), { recursive: true, force: true });
		const list = `${registry.host}/team/list:1`;
		const digests: string[] = [];
		for (const words of [
			["create", "--insecure", list, `${app}:amd64`, `${app}:arm64`],
			["create", "--insecure", list, `${app}:amd64`],
			["annotate", "--variant", "v8", "--os-version", "10", "--os-features", "a,b", list, `${app}:arm64`],
			["annotate", "--os-features", "c", list, `${app}:arm64`],
			["annotate", "--arch", "x", list, `${app}:oci`],
			["annotate", "--arch", "nonsense", list, `${app}:arm64`],
			["annotate", "--os", "windows", list, `${app}:arm64`],
			["inspect", list],
			["inspect", list, `${app}:arm64`],
			["inspect", "--insecure", "--verbose", list],
			["inspect", "--insecure", "--verbose", list, `${app}:arm64`],
		])
			await expectSame(["manifest", ...words]);
		for (const said of await both(["manifest", "push", "--insecure", "--purge", list])) {
			expect(said.code).toBe(0);
			digests.push(said.stdout);
		}
		expect(digests[0]).toBe(digests[1] ?? "");
		await expectSame(["pull", "--platform", "plan9/amd64", list]);
		expect(await suite.must(["pull", list])).toContain(digests[0]?.trim().split("\n").at(-1) ?? "none");
		for (const words of [
			["inspect", "--insecure", list],
			["inspect", "--insecure", `${app}:amd64`],
			["inspect", "--insecure", `${app}:oci`],
			["inspect", "--insecure", "--verbose", `${app}:amd64`],
			["inspect", "--insecure", `${app}:missing`],
			["create", "--insecure", `${list}2`, list],
			["create", "--insecure", `${list}2`, `${app}:missing`],
			["rm", list],
			["push", "--insecure", list],
		])
			await expectSame(["manifest", ...words]);
	});

	compared("a list that is being amended keeps what it has", async () => {
		const list = `${registry.host}/team/amended:1`;
		await both(["manifest", "create", "--insecure", list, `${app}:amd64`]);
		await expectSame(["manifest", "create", "--insecure", "--amend", list, `${app}:arm64`]);
		const { stdout } = await expectSame(["manifest", "inspect", list]);
		expect(JSON.parse(stdout).manifests).toHaveLength(2);
		await expectSame(["manifest", "rm", list]);
	});
});

compared("names that are none, and logins that are not there", async () => {
	await suite.must(["pull", "-q", `${app}:oci`]);
	for (const words of [
		...["BAD", "a b", "", "x:y:z", "a//b"].map((name) => ["tag", `${app}:oci`, name]),
		["save", "-o", join(suite.folder, "none.tar"), "missing"],
		["import", "-", "BAD"],
		["logout", registry.host],
	])
		await expectSame(words);
	const [docker, gantry] = await both(["images", "--format", "{{.Size}} {{.VirtualSize}}", `${app}:oci`]);
	expect(gantry).toEqual(docker);
});

compared("images as a tree: an image once, with all its names", async () => {
	await suite.must(["pull", "-q", `${app}:oci`]);
	// The official client cuts long names off.
	for (const name of ["tree:1", "tree:2", "tree:10"]) await suite.must(["tag", `${app}:oci`, name]);
	const said = await both(["images", "--tree", "tree"]);
	const trees = said.map(({ stdout }) => {
		const plain = stdout.replace(/\u001b\[[0-9;]*m/g, "");
		return plain.slice(plain.indexOf("IMAGE")).replace(/ +/g, " ").replace(/ $/gm, "");
	});
	expect(trees[1]).toBe(trees[0] ?? "");
	expect(trees[1]).toContain("tree:10\n");
	for (const option of ["--quiet", "--no-trunc", "--digests", "--format=json"])
		await expectSame(["images", "--tree", option]);
});

test("GET /distribution tells digest and platforms of images and lists", async () => {
	const inspect = async (name: string) => {
		const response = await suite.daemon.api("GET", `/distribution/${name}/json`);
		return { status: response.status, body: (await response.json()) as Record<string, unknown> };
	};
	const stored = await (await fetch(`${registry.url}/v2/team/app/manifests/arm64`)).text();
	expect(await inspect(`${app}:arm64`)).toEqual({
		status: 200,
		body: {
			Descriptor: {
				mediaType: "application/vnd.docker.distribution.manifest.v2+json",
				digest: digestOf(stored),
				size: stored.length,
			},
			Platforms: [{ architecture: "arm64", os: "linux" }],
		},
	});
	expect(await inspect(`${app}:missing`)).toMatchObject({ status: 404 });
	expect(await inspect("Not/A/Name")).toMatchObject({ status: 400 });
});

test("image inspect shows the platform that is here, or says that it is not", async () => {
	await suite.must(["pull", "-q", "--platform", "linux/arm64", `${app}:arm64`]);
	for (const client of ["docker", "gantry"] as const) {
		const inspect = (...args: string[]) =>
			suite.daemon[client](["image", "inspect", "-f", "{{.Architecture}}", ...args, `${app}:arm64`]);
		expect((await inspect()).stdout.trim()).toBe("arm64");
		expect((await inspect("--platform", "linux/arm64")).stdout.trim()).toBe("arm64");
		const other = await inspect("--platform", "linux/amd64");
		expect([other.code, other.stderr]).toEqual([1, expect.stringContaining("linux/amd64")]);
		const { code, stderr } = await suite.daemon[client](["rmi", "--platform", "linux/amd64", `${app}:arm64`]);
		expect([code, stderr]).toEqual([1, expect.stringContaining("linux/amd64")]);
		expect((await suite.daemon[client](["history", "--platform", "linux/arm64", `${app}:arm64`])).code).toBe(0);
	}
});

describe("the streams of the API", () => {
	/** Lines of a stream, without bars. */
	async function lines(method: string, path: string): Promise<object[]> {
		const text = await (await suite.daemon.api(method, path)).text();
		expect(text).toEndWith("}\r\n");
		return text
			.trimEnd()
			.split("\r\n")
			.map((line) => JSON.parse(line) as { progress?: string })
			.filter(({ progress }) => progress === undefined);
	}

	test("have the messages that clients look for, in their order", async () => {
		await forget();
		const layer = (await (await fetch(`${registry.url}/v2/team/app/manifests/oci`)).json()) as {
			layers: { digest: string }[];
		};
		const id = layer.layers[0]?.digest.slice(7, 19);
		const digest = digestOf(await (await fetch(`${registry.url}/v2/team/app/manifests/oci`)).text());
		const state = (status: string) => ({ status, progressDetail: {}, id });
		expect(await lines("POST", `/images/create?fromImage=${app}&tag=oci`)).toEqual([
			{ status: "Pulling from team/app", id: "oci" },
			state("Pulling fs layer"),
			state("Verifying Checksum"),
			state("Download complete"),
			state("Pull complete"),
			{ status: `Digest: ${digest}` },
			{ status: `Status: Downloaded newer image for ${app}:oci` },
		]);
		const pushed = await lines("POST", `/images/${app}/push?tag=oci`);
		const size = (await (await fetch(`${registry.url}/v2/team/app/manifests/oci`)).text()).length;
		expect(pushed.slice(-2)).toEqual([
			{ status: `oci: digest: ${digest} size: ${size}` },
			{ progressDetail: {}, aux: { Tag: "oci", Digest: digest, Size: size } },
		]);
		expect(pushed.slice(0, 3)).toMatchObject([
			{ status: `The push refers to repository [${app}]` },
			{ status: "Preparing", progressDetail: {} },
			{ status: "Layer already exists", progressDetail: {} },
		]);
		expect(await lines("POST", `/images/${registry.host}/nothing/push?tag=1`)).toEqual([
			{ status: `The push refers to repository [${registry.host}/nothing]` },
			{
				errorDetail: { message: `An image does not exist locally with the tag: ${registry.host}/nothing` },
				error: `An image does not exist locally with the tag: ${registry.host}/nothing`,
			},
		]);
	});
});
