import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmdirSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import type { Duplex } from "node:stream";
import { systemClock } from "../../../src/base/clock.ts";
import { newId } from "../../../src/base/ids.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { ContainerTaskRequest, ExecTaskRequest, RuntimeBinary } from "../../../src/core/container/runtime.ts";
import { ShimRuntime } from "../../../src/drivers/runtime-shim/shim-runtime.ts";

/** The shim to test: `GANTRY_TEST_SHIM`, e.g. the one built under ASan and UBSan, or the one that ships. */
export const SHIM_PATH = resolve(
	import.meta.dir,
	"../../..",
	process.env["GANTRY_TEST_SHIM"] ?? "shim/build/gantry-shim",
);

const APPLETS = [
	"cat",
	"dd",
	"echo",
	"env",
	"false",
	"head",
	"id",
	"printf",
	"sh",
	"sleep",
	"stty",
	"true",
	"yes",
	"seq",
	"sed",
	"tr",
	"tail",
];
const CAPABILITIES = ["CAP_CHOWN", "CAP_SETUID", "CAP_SETGID", "CAP_KILL"];

export interface ProcessOptions {
	readonly args: readonly string[];
	readonly terminal?: boolean;
	/** What an engine writes into `config.json` beside the request's `consoleSize`. */
	readonly consoleSize?: { readonly width: number; readonly height: number };
	readonly user?: { readonly uid: number; readonly gid: number };
}

/** Real containers from a busybox root file system, under a temporary root that `close` checks and removes. */
export class ShimFixture {
	readonly root = mkdtempSync("/tmp/gantry-shim-");
	/** In memory, as /run is. */
	readonly #execBase = mkdtempSync("/dev/shm/gantry-shim-");
	readonly execRoot: string;
	readonly runtime: RuntimeBinary;
	readonly shims: ShimRuntime;
	readonly #ids: string[] = [];
	readonly #runtimes: ShimRuntime[] = [];

	constructor(name: "crun" | "runc" = "crun", below = "run") {
		this.execRoot = join(this.#execBase, below);
		const path = name === "crun" ? "/usr/bin/crun" : "/usr/sbin/runc";
		this.runtime = { name, path, args: ["--root", join(this.execRoot, "state")] };
		this.shims = this.newRuntime();
		mkdirSync(join(this.root, "rootfs/bin"), { recursive: true });
		for (const directory of ["proc", "dev", "tmp", "sys"]) mkdirSync(join(this.root, "rootfs", directory));
		cpSync("/bin/busybox", join(this.root, "rootfs/bin/busybox"));
		for (const applet of APPLETS) symlinkSync("busybox", join(this.root, "rootfs/bin", applet));
		writeFileSync(join(this.root, "rootfs/tmp/not-executable"), "text", { mode: 0o644 });
	}

	/** Another driver over the same directories, as a restarted daemon has it. */
	newRuntime(): ShimRuntime {
		const { execRoot } = this;
		const runtime = new ShimRuntime({ shimPath: SHIM_PATH, execRoot, logger: silentLogger, clock: systemClock });
		this.#runtimes.push(runtime);
		return runtime;
	}

	container(options: ProcessOptions, request: Partial<ContainerTaskRequest> = {}): ContainerTaskRequest {
		const id = newId();
		const bundle = join(this.root, "bundles", id);
		mkdirSync(bundle, { recursive: true });
		writeFileSync(join(bundle, "config.json"), JSON.stringify(this.#spec(id, options)));
		this.#ids.push(id);
		return {
			id,
			runtime: this.runtime,
			bundle,
			terminal: options.terminal ?? false,
			openStdin: false,
			stdinOnce: false,
			log: { kind: "none" },
			relays: [],
			memoryCgroup: memoryCgroup(id),
			...request,
		};
	}

	exec(containerId: string, options: ProcessOptions, request: Partial<ExecTaskRequest> = {}): ExecTaskRequest {
		return {
			id: newId(),
			containerId,
			runtime: this.runtime,
			process: ociProcess(options),
			terminal: options.terminal ?? false,
			openStdin: false,
			stdinOnce: false,
			log: { kind: "none" },
			...request,
		};
	}

	logPath(id: string): string {
		return join(this.root, `${id}.log`);
	}

	#spec(id: string, options: ProcessOptions): unknown {
		return {
			ociVersion: "1.0.2",
			process: ociProcess(options),
			root: { path: join(this.root, "rootfs"), readonly: false },
			hostname: "shim-test",
			mounts: [
				{ destination: "/proc", type: "proc", source: "proc" },
				{ destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=65536k"] },
				{
					destination: "/dev/pts",
					type: "devpts",
					source: "devpts",
					options: ["newinstance", "ptmxmode=0666", "mode=0620"],
				},
			],
			linux: {
				cgroupsPath: cgroupPath(id),
				namespaces: ["pid", "ipc", "uts", "mount", "network"].map((type) => ({ type })),
				resources: { memory: { limit: 64 << 20, swap: 64 << 20 } },
			},
		};
	}

	/** Removes what the runtime keeps, then everything else; throws when shims or containers are left over. */
	async close(): Promise<void> {
		for (const id of this.#ids) await this.shims.delete(this.runtime, id).catch(() => {});
		for (const runtime of this.#runtimes) runtime[Symbol.dispose]();
		const left = await this.shims.list();
		// A shim answers `forget` a moment before it ends, longer under a sanitizer.
		for (let attempt = 0; attempt < 200 && shimProcesses(this.execRoot).length > 0; attempt++) await Bun.sleep(10);
		const processes = shimProcesses(this.execRoot);
		removeCgroups();
		rmSync(this.root, { recursive: true, force: true });
		rmSync(this.#execBase, { recursive: true, force: true });
		if (left.length + processes.length > 0)
			throw new Error(`left over: directories ${left.join(" ")}, processes ${processes.join(" ")}`);
	}
}

function ociProcess(options: ProcessOptions): unknown {
	return {
		terminal: options.terminal ?? false,
		...(options.consoleSize === undefined ? {} : { consoleSize: options.consoleSize }),
		user: options.user ?? { uid: 0, gid: 0 },
		args: options.args,
		env: ["PATH=/bin", "TERM=xterm"],
		cwd: "/",
		capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
		noNewPrivileges: true,
	};
}

function cgroupPath(id: string): string {
	return `/gantry-shim-test/${id}`;
}

/** The empty parent directories; another test file may still work in them. */
function removeCgroups(): void {
	const root = "/sys/fs/cgroup";
	for (const parent of [root, ...readdirSync(root).map((name) => join(root, name))])
		try {
			rmdirSync(join(parent, cgroupPath("")));
		} catch {
			// not there, or in use
		}
}

function memoryCgroup(id: string): string {
	const v1 = "/sys/fs/cgroup/memory";
	return (existsSync(v1) ? v1 : "/sys/fs/cgroup") + cgroupPath(id);
}

/** Pids of the shims that work under `execRoot`. */
export function shimProcesses(execRoot: string): number[] {
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.filter((pid) => commandLine(pid).includes(`${execRoot}/`) && commandLine(pid).includes("gantry-shim"))
		.map(Number);
}

function commandLine(pid: string): string {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, "latin1");
	} catch {
		return ""; // it ended while we looked
	}
}

export interface Frame {
	readonly stream: number;
	readonly text: string;
}

/** Everything that comes until the stream ends. */
export async function readAll(stream: Duplex): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of stream) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks);
}

/** Takes multiplexed output apart, joining neighbours of the same stream. */
export function parseFrames(data: Buffer): Frame[] {
	const frames: { stream: number; text: string }[] = [];
	for (let offset = 0; offset < data.length; ) {
		const stream = data.readUInt8(offset);
		const end = offset + 8 + data.readUInt32BE(offset + 4);
		const text = data.toString("utf8", offset + 8, end);
		const last = frames.at(-1);
		if (last?.stream === stream) last.text += text;
		else frames.push({ stream, text });
		offset = end;
	}
	return frames;
}

/** Waits for something that happens without an event to wait for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
	for (let attempt = 0; attempt < 1000; attempt++) {
		if (await condition()) return;
		await Bun.sleep(10);
	}
	throw new Error(`never happened: ${what}`);
}
