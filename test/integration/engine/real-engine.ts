/** The whole engine on the real kernel: daemon parts without a listener, a busybox image, and a way to die and come back. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { ContainerConfig, HostConfig } from "../../../src/api/engine/container.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { readInvocation } from "../../../src/daemon/config.ts";
import { type Engine, wireEngine } from "../../../src/daemon/wire.ts";
import { mustRun } from "../../support/commands.ts";
import { takeNetworkSlot } from "../../support/network-slots.ts";

const API = { major: 1, minor: 51 } as const;
const NEVER = new AbortController().signal;
const APPLETS = ["sh", "sleep", "cat", "echo", "true", "ls", "touch", "wget", "httpd", "id", "kill", "trap"];

export class RealEngine implements AsyncDisposable {
	readonly directory = mkdtempSync(join(tmpdir(), "gantry-engine-"));
	readonly #network = takeNetworkSlot();
	#engine: Engine | undefined;

	get backends(): Engine["backends"] {
		if (this.#engine === undefined) throw new Error("the engine is not started");
		return this.#engine.backends;
	}

	/** Whether a line of the machine's state belongs to this engine. */
	isOurs = (entry: string): boolean => entry.includes(this.directory) || entry.includes(this.#network.bridge);

	async start(): Promise<void> {
		for (const name of ["data", "exec"]) mkdirSync(join(this.directory, name), { recursive: true });
		const invocation = readInvocation(
			[
				...["--data-root", join(this.directory, "data"), "--exec-root", join(this.directory, "exec")],
				...["--pidfile", join(this.directory, "pid"), "-H", `unix://${join(this.directory, "socket")}`],
				...["--bridge", this.#network.bridge, "--bip", this.#network.bridgeAddress],
			],
			process.env,
		);
		if (invocation.kind !== "run") throw new Error("the test's configuration is wrong");
		this.#engine = await wireEngine(invocation.config, process.env, silentLogger);
		await this.#engine.start();
	}

	async stop(): Promise<void> {
		await this.#engine?.[Symbol.asyncDispose]();
		this.#engine = undefined;
	}

	/** An image of busybox with a directory that volumes are filled from. */
	async importImage(): Promise<void> {
		const root = join(this.directory, "root");
		for (const name of ["bin", "etc", "tmp", "data"]) mkdirSync(join(root, name), { recursive: true });
		cpSync("/bin/busybox", join(root, "bin/busybox"));
		for (const applet of APPLETS) symlinkSync("busybox", join(root, "bin", applet));
		writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/:/bin/sh\n");
		writeFileSync(join(root, "etc/group"), "root:x:0:\nweb:x:33:\n");
		writeFileSync(join(root, "data/file"), "from the image");
		await mustRun(["tar", "-C", root, "-cf", join(this.directory, "root.tar"), "."]);
		const tar = Readable.from(Bun.file(join(this.directory, "root.tar")).stream());
		const options = { repository: "busybox", tag: "latest", message: "", changes: [], platform: "" };
		for await (const message of this.backends.images.import(tar, options, NEVER))
			if (message.error !== undefined) throw new Error(message.error);
	}

	async create(cmd: string[], hostConfig: HostConfig = {}, config: ContainerConfig = {}, name = ""): Promise<string> {
		const { Id } = await this.backends.containers.create(
			{ Image: "busybox", Cmd: cmd, AttachStdout: true, AttachStderr: true, ...config, HostConfig: hostConfig },
			{ name, platform: "", version: API },
		);
		return Id;
	}

	/** Creates, attaches, starts, waits; `--rm` unless told otherwise. */
	async run(
		cmd: string[],
		hostConfig: HostConfig = { AutoRemove: true },
		config: ContainerConfig = {},
	): Promise<{ id: string; exitCode: number; output: string }> {
		const { containers, streams } = this.backends;
		const id = await this.create(cmd, hostConfig, config);
		const session = await streams.attach(id, { stdin: false, stdout: true, stderr: true, stream: true, logs: false });
		const output = payload(session.stream);
		const { result } = await containers.wait(id, hostConfig.AutoRemove === true ? "removed" : "next-exit", NEVER);
		await containers.start(id);
		return { id, exitCode: (await result).StatusCode, output: await output };
	}

	async exec(container: string, cmd: string[]): Promise<{ exitCode: number | null; output: string }> {
		const { execs } = this.backends;
		const { Id } = await execs.create(container, { Cmd: cmd, AttachStdout: true, AttachStderr: true });
		const session = await execs.start(Id, {});
		const output = session === undefined ? "" : await payload(session.stream);
		while ((await execs.inspect(Id)).Running) await new Promise((resolve) => setTimeout(resolve, 5));
		return { exitCode: (await execs.inspect(Id)).ExitCode, output };
	}

	async inspect(container: string) {
		return await this.backends.views.inspect(container, { size: false, version: API });
	}

	async remove(container: string): Promise<void> {
		await this.backends.containers.remove(container, { force: true, volumes: true, link: false });
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.stop();
		await mustRun(["ip", "link", "delete", this.#network.bridge]).catch(() => "it was never made");
		this.#network.release();
		rmSync(this.directory, { recursive: true, force: true });
	}
}

/** What the frames of a multiplexed stream carry. */
export async function payload(stream: AsyncIterable<unknown>): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of stream) chunks.push(chunk as Buffer);
	const framed = Buffer.concat(chunks);
	const parts: Buffer[] = [];
	for (let offset = 0; offset + 8 <= framed.length; ) {
		const length = framed.readUInt32BE(offset + 4);
		parts.push(framed.subarray(offset + 8, offset + 8 + length));
		offset += 8 + length;
	}
	return Buffer.concat(parts).toString();
}
