/** The engine on the real kernel, runtime and shim. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { mustRun, runCommand, waitFor } from "../../support/commands.ts";
import { expectNoLeaks, type MachineSnapshot, takeSnapshot } from "../../support/leaks.ts";
import { payload, RealEngine } from "./real-engine.ts";

const NEVER = new AbortController().signal;
let engine: RealEngine;
let before: MachineSnapshot;

beforeAll(async () => {
	engine = new RealEngine();
	await engine.start();
	await engine.importImage();
	before = await takeSnapshot(engine.isOurs);
});

afterAll(async () => {
	const { views, volumes } = engine.backends;
	const filters = new Map();
	const version = { major: 1, minor: 51 };
	for (const { Id } of await views.list({ all: true, limit: 0, size: false, filters, version }))
		await engine.remove(Id);
	await volumes.prune(new Map([["all", ["true"]]]));
	await expectNoLeaks(before, { isOurs: engine.isOurs });
	for (const place of ["exec/bundles", "exec/trees", "exec/shim", "data/containers", "data/volumes"])
		expect({ place, left: readdirSync(join(engine.directory, place)) }).toEqual({ place, left: [] });
	await engine[Symbol.asyncDispose]();
});

describe("a run", () => {
	test("shows its output and its exit code, and is gone", async () => {
		const { id, exitCode, output } = await engine.run(["sh", "-c", "echo out; echo err >&2; exit 3"]);
		expect({ exitCode, output }).toEqual({ exitCode: 3, output: "out\nerr\n" });
		await expect(engine.inspect(id)).rejects.toThrow(`No such container: ${id}`);
	});

	test("has its address in its hosts file, and its port answers on the host", async () => {
		const id = await engine.create(["httpd", "-f", "-h", "/data"], { PortBindings: { "80/tcp": [{ HostPort: "" }] } });
		await engine.backends.containers.start(id);
		const { NetworkSettings: network } = await engine.inspect(id);
		const { output } = await engine.exec(id, ["cat", "/etc/hosts"]);
		expect(output).toContain(`${network.Networks["bridge"]?.IPAddress}\t${id.slice(0, 12)}`);
		const port = network.Ports["80/tcp"]?.[0]?.HostPort;
		const page = await waitFor("the page", async () => {
			const { code, stdout } = await runCommand(["wget", "-qO-", `http://127.0.0.1:${port}/file`]);
			return code === 0 && stdout;
		});
		expect(page).toBe("from the image");
		await engine.remove(id);
	});

	test("runs as the container's own user", async () => {
		const { output } = await engine.run(["id"], { AutoRemove: true }, { User: "web" });
		expect(output).toStartWith("uid=33(web) gid=33(web)");
	});

	test("reads what its client writes, to the end", async () => {
		const { containers, streams } = engine.backends;
		const id = await engine.create(
			["cat"],
			{ AutoRemove: true },
			{ OpenStdin: true, StdinOnce: true, AttachStdin: true },
		);
		const session = await streams.attach(id, { stdin: true, stdout: true, stderr: true, stream: true, logs: false });
		session.stream.end("through and back");
		const output = payload(session.stream);
		const { result } = await containers.wait(id, "removed", NEVER);
		await containers.start(id);
		expect([await output, await result]).toEqual(["through and back", { StatusCode: 0 }]);
	});

	test("that fails for its root being read-only says so", async () => {
		const { exitCode, output } = await engine.run(["touch", "/x"], { AutoRemove: true, ReadonlyRootfs: true });
		expect(exitCode).toBe(1);
		expect(output).toContain("Read-only file system");
	});
});

describe("volumes", () => {
	test("an anonymous one is filled from the image, and goes with its container", async () => {
		const { exitCode, output } = await engine.run(["cat", "/data/file"], {
			AutoRemove: true,
			Mounts: [{ Type: "volume", Target: "/data" }],
		});
		expect({ exitCode, output }).toEqual({ exitCode: 0, output: "from the image" });
		expect((await engine.backends.volumes.list(new Map())).Volumes).toEqual([]);
	});

	test("a named one keeps what a container writes for the next", async () => {
		const hostConfig = { AutoRemove: true, Binds: ["kept:/data"] };
		await engine.run(["sh", "-c", "echo more >> /data/file"], hostConfig);
		expect((await engine.run(["cat", "/data/file"], hostConfig)).output).toBe("from the imagemore\n");
	});
});

describe("files of a stopped container", () => {
	test("are read and written where its volumes are", async () => {
		const { files } = engine.backends;
		const { id } = await engine.run(["sh", "-c", "echo here > /tmp/x"], { Binds: ["kept:/data"] });
		const { tar } = await files.read(id, "/tmp/x");
		const archive = Buffer.concat(await tar.toArray());
		expect(await mustRun(["tar", "-xOf", "-"], { stdin: archive })).toBe("here");
		await files.write(id, "/data", Readable.from([archive]), { noOverwriteDirNonDir: false, copyUidGid: false });
		expect((await engine.run(["cat", "/data/x"], { AutoRemove: true, Binds: ["kept:/data"] })).output).toBe("here\n");
		await expect(files.stat(id, "/nosuch")).rejects.toThrow(`Could not find the file /nosuch in container ${id}`);
		expect(await files.changes(id)).toContainEqual({ Path: "/tmp/x", Kind: 1 });
		await engine.remove(id);
	});

	test("can be copied while it runs, is paused, and after", async () => {
		const { containers, files } = engine.backends;
		const id = await engine.create(["sleep", "100"]);
		await containers.start(id);
		expect((await files.stat(id, "/data/file")).sizeBytes).toBe(14);
		await containers.pause(id);
		expect((await files.stat(id, "/data/file")).sizeBytes).toBe(14);
		await containers.unpause(id);
		await containers.stop(id, { timeoutSeconds: 0 });
		expect((await files.stat(id, "/data/file")).sizeBytes).toBe(14);
		await engine.remove(id);
	});
});

describe("logs", () => {
	test("are followed to the end of the run", async () => {
		const { containers, streams } = engine.backends;
		const id = await engine.create(["sh", "-c", "echo one; sleep 0.2; echo two"]);
		await containers.start(id);
		const options = { stdout: true, stderr: true, follow: true, timestamps: false, details: false };
		const { stream } = await streams.logs(id, options, NEVER);
		expect(await payload(stream)).toBe("one\ntwo\n");
		await engine.remove(id);
	});
});

describe("health", () => {
	test("goes from starting to healthy to unhealthy, as the probe says", async () => {
		const id = await engine.create(
			["sh", "-c", "touch /tmp/ok; sleep 100"],
			{},
			{ Healthcheck: { Test: ["CMD", "cat", "/tmp/ok"], Interval: 50e6, Retries: 1 } },
		);
		await engine.backends.containers.start(id);
		expect((await engine.inspect(id)).State.Health?.Status).toBe("starting");
		const becomes = (status: string) =>
			waitFor(status, async () => (await engine.inspect(id)).State.Health?.Status === status);
		await becomes("healthy");
		await engine.exec(id, ["sh", "-c", "kill -0 1; busybox rm /tmp/ok"]);
		await becomes("unhealthy");
		await engine.remove(id);
	});
});

describe("limits", () => {
	test("an out-of-memory kill is reported", async () => {
		const program = "x=a; while true; do x=$x$x; done";
		const { id, exitCode } = await engine.run(["sh", "-c", program], {
			Memory: 16 * 1024 ** 2,
			MemorySwap: 16 * 1024 ** 2,
		});
		expect(exitCode).toBe(137);
		expect((await engine.inspect(id)).State.OOMKilled).toBe(true);
		await engine.remove(id);
	});

	test("are changed while it runs", async () => {
		const id = await engine.create(["sleep", "100"], { Memory: 64 * 1024 ** 2, MemorySwap: 128 * 1024 ** 2 });
		await engine.backends.containers.start(id);
		await engine.backends.containers.update(id, { Memory: 32 * 1024 ** 2 });
		const [stats] = await Array.fromAsync(engine.backends.streams.stats(id, { stream: false, oneShot: true }, NEVER));
		expect(stats?.memory_stats.limit).toBe(32 * 1024 ** 2);
		await engine.remove(id);
	});
});

describe("the engine comes back", () => {
	test("with what runs, what ended meanwhile, and what is to run again", async () => {
		const { containers } = engine.backends;
		const runs = await engine.create(["sh", "-c", "while true; do echo tick; sleep 0.05; done"], {}, {}, "runs");
		const ends = await engine.create(["sh", "-c", "sleep 0.3; exit 7"]);
		const again = await engine.create(["sh", "-c", "sleep 0.3"], { RestartPolicy: { Name: "always" } });
		for (const id of [runs, ends, again]) await containers.start(id);
		const address = (await engine.inspect(runs)).NetworkSettings.Networks["bridge"]?.IPAddress;
		await engine.stop();
		await new Promise((resolve) => setTimeout(resolve, 700));
		await engine.start();
		expect(await engine.inspect("runs")).toMatchObject({
			State: { Running: true },
			NetworkSettings: { Networks: { bridge: { IPAddress: address ?? "" } } },
		});
		expect((await engine.inspect(ends)).State).toMatchObject({ Status: "exited", ExitCode: 7 });
		await waitFor("the restart", async () => (await engine.inspect(again)).State.Running);
		expect((await engine.exec("runs", ["echo", "hello"])).output).toBe("hello\n");
		await engine.backends.containers.stop("runs", { timeoutSeconds: 0 });
		expect((await engine.inspect("runs")).State).toMatchObject({ Status: "exited", ExitCode: 137 });
		for (const id of [runs, ends, again]) await engine.remove(id);
	});
});
