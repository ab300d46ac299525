/**
 * Base images from nothing but Debian's package mirror, pushed to a local registry, and run by a daemon that knows nothing but that
 * registry as its mirror.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun, waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";
import { debianArchive } from "../../support/debian-image.ts";
import { whyNoPackages } from "../../support/package-mirror.ts";
import { type RegistryProcess, startRegistry } from "../../support/registry-server.ts";

const ROOT = join(import.meta.dir, "../../..");
/** Packages have to come over the network, on a machine that may have much else to do. */
const LONG_MS = 10 * 60_000;

const missing = await whyNoPackages();
if (missing !== undefined) console.log(`skipped: ${missing}`);

const directory = mkdtempSync(join(tmpdir(), "gantry-bootstrap-"));
const caches = { XDG_CACHE_HOME: join(directory, "cache"), SOURCE_DATE_EPOCH: undefined };
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("busybox", () => {
	let daemon: TestDaemon;
	beforeAll(async () => {
		daemon = await TestDaemon.start();
	});
	afterAll(() => daemon[Symbol.asyncDispose]());

	test("is the same image each time, and runs", async () => {
		const id = await daemon.mustGantry(["image", "bootstrap", "-q", "busybox"]);
		expect(await daemon.mustGantry(["image", "bootstrap", "-q", "-t", "other:1", "busybox"])).toBe(id);
		const tags = ["image", "inspect", "-f", "{{json .RepoTags}}", id];
		expect(JSON.parse(await daemon.mustDocker(tags)).sort()).toEqual(["busybox:latest", "other:1"]);
		expect(await daemon.mustDocker(["run", "--rm", "busybox", "sh", "-c", "ls -d /tmp && id -un"])).toBe("/tmp\nroot");
		const archive = join(directory, "busybox.tar");
		expect(await daemon.mustGantry(["image", "bootstrap", "-q", "-o", archive, "busybox"])).toBe(id);
		await daemon.mustDocker(["rmi", "-f", id]);
		expect(await daemon.mustDocker(["load", "-q", "-i", archive])).toBe("Loaded image: busybox:latest");
		expect(await daemon.mustDocker(["images", "-q", "--no-trunc"])).toBe(id);
	});

	test("is refused with a reason where something is wrong", async () => {
		const refusal = async (...args: string[]) => {
			const { code, stderr } = await daemon.gantry(["image", "bootstrap", ...args], { env: caches });
			return [code, stderr.trim().split("\n").at(-1)];
		};
		expect(await refusal("fedora")).toEqual([1, 'unknown base image "fedora": there are busybox and debian']);
		expect(await refusal("--mirror", "http://127.0.0.1:1/debian", "debian")).toEqual([
			1,
			expect.stringMatching(/^http:\/\/127\.0\.0\.1:1\/debian\/dists\/bookworm\/InRelease cannot be read: /),
		]);
		expect((await refusal("--suite", "../etc", "debian"))[0]).toBe(125);
	});
});

describe.skipIf(missing !== undefined)("the library", () => {
	let maker: TestDaemon;
	let registry: RegistryProcess;
	const library = (...args: string[]) =>
		mustRun([process.execPath, join(ROOT, "tools/base-images/main.ts"), "--registry", registry.host, ...args], {
			env: { DOCKER_HOST: maker.host, GANTRY_HOST: undefined, DOCKER_CONFIG: directory, ...caches },
			timeoutMs: LONG_MS,
		});

	beforeAll(async () => {
		registry = await startRegistry();
		maker = await TestDaemon.start();
	});
	afterAll(async () => {
		await maker[Symbol.asyncDispose]();
		await registry[Symbol.asyncDispose]();
	});

	test(
		"is made and pushed by one command; Debian has the same bytes wherever it is made",
		async () => {
			const { id: otherId } = await debianArchive();
			const output = await library("nginx");
			expect(output).toMatch(/^debian-slim +pushed: bookworm-slim \(/m);
			expect(output).toMatch(/^nginx +pushed: latest, bookworm, 1\.22\.\d+, 1\.22, 1 \(/m);
			expect(output).toContain(`"registry-mirrors": ["http://${registry.host}"]`);
			const id = await maker.mustDocker(["images", "-q", "--no-trunc", "debian:bookworm-slim"]);
			expect(otherId).toBe(id);
		},
		LONG_MS,
	);

	test(
		"is found again the second time",
		async () => {
			const before = await maker.mustDocker(["images", "-q", "--no-trunc"]);
			expect(await library("nginx")).toMatch(/^nginx +pushed: latest/m);
			expect(await maker.mustDocker(["images", "-q", "--no-trunc"])).toBe(before);
		},
		LONG_MS,
	);

	test(
		"is what official names mean where the registry is the mirror",
		async () => {
			await using user = await TestDaemon.start({ config: { "registry-mirrors": [registry.url] } });
			await user.mustGantry(["run", "-d", "--name", "web", "-p", "127.0.0.1:0:80", "nginx"]);
			const address = await user.mustGantry(["port", "web", "80/tcp"]);
			let page = "";
			await waitFor("the page", async () => {
				page = await mustRun(["curl", "-s", `http://${address}/`]).catch(() => "");
				return page !== "";
			});
			expect(page).toContain("<h1>Welcome to nginx!</h1>");
			await waitFor("the access log", async () => (await user.mustDocker(["logs", "web"])).includes("GET / HTTP/1.1"));
			expect(await user.mustDocker(["image", "inspect", "-f", "{{.Id}}", "nginx"])).toBe(
				await maker.mustDocker(["image", "inspect", "-f", "{{.Id}}", "nginx"]),
			);
			// SIGQUIT lets it finish: no 137 after ten seconds.
			await user.mustDocker(["stop", "web"]);
			expect(await user.mustDocker(["inspect", "-f", "{{.State.ExitCode}}", "web"])).toBe("0");
			const script = "apt-get --version | head -1; cat /etc/debian_version; ls /var/lib/apt/lists /dev/null";
			expect(await user.mustDocker(["run", "--rm", "debian:bookworm-slim", "sh", "-c", script])).toMatch(
				/^apt 2\.6\.\d/,
			);
		},
		LONG_MS,
	);
});
