import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { errnoCode } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type {
	AdoptedTask,
	ContainerRuntime,
	ContainerTaskRequest,
	ExecTaskRequest,
	RuntimeBinary,
	Task,
	TaskRequest,
} from "../../core/container/runtime.ts";
import { CgroupAttachPrimer } from "../linux/cgroup-attach.ts";
import { killLeftover } from "./noted-process.ts";
import { runOciCommand } from "./oci-command.ts";
import { SealedPrograms } from "./sealed-programs.ts";
import { encodeSpec, listShimDirectories, ShimDirectory, type SpecRecord } from "./shim-directory.ts";
import { spawnShim } from "./shim-process.ts";
import { PROTOCOL_VERSION } from "./shim-protocol.ts";
import { ShimTask, type ShimTaskDeps, type StartSubject } from "./shim-task.ts";

export interface ShimRuntimeDeps {
	/** The `gantry-shim` program, absolute. */
	readonly shimPath: string;
	/** The daemon's run-time directory; shims live in `<execRoot>/shim/<id>`. */
	readonly execRoot: string;
	readonly logger: Logger;
	readonly clock: Clock;
}

/** Runs OCI containers under `gantry-shim`, one process for each container and each exec. */
export class ShimRuntime implements ContainerRuntime, Disposable {
	readonly #deps: ShimRuntimeDeps;
	readonly #root: string;
	readonly #programs: SealedPrograms;
	readonly #cgroupAttach: CgroupAttachPrimer;

	constructor(deps: ShimRuntimeDeps) {
		this.#deps = deps;
		this.#root = join(deps.execRoot, "shim");
		this.#programs = new SealedPrograms(deps.logger);
		this.#cgroupAttach = new CgroupAttachPrimer(deps.clock);
	}

	expectStart(): void {
		this.#cgroupAttach.prime();
	}

	async launch(request: ContainerTaskRequest): Promise<Task> {
		const records: SpecRecord[] = [
			...this.#taskRecords(request),
			["mode", "run"],
			["container", request.id],
			["bundle", request.bundle],
			...request.relays.map(
				(relay): SpecRecord => ["relay", `${relay.protocol} ${relay.containerPort} ${relay.containerAddress}`],
			),
		];
		if (request.memoryCgroup !== undefined) records.push(["memory-cgroup", request.memoryCgroup]);
		const deps = this.#taskDeps(request.id, {
			kind: "run",
			runtime: request.runtime.name,
			program: () => programOfBundle(request.bundle),
		});
		deps.directory.create(encodeSpec(records));
		return await this.#launch(
			deps,
			request.relays.map((relay) => relay.fd),
		);
	}

	async launchExec(request: ExecTaskRequest): Promise<Task> {
		const records: SpecRecord[] = [...this.#taskRecords(request), ["mode", "exec"], ["container", request.containerId]];
		const deps = this.#taskDeps(request.id, {
			kind: "exec",
			runtime: request.runtime.name,
			program: async () => programOf(request.process),
		});
		deps.directory.create(encodeSpec(records), withConsoleSize(request));
		return await this.#launch(deps, []);
	}

	async #launch(deps: ShimTaskDeps, inherited: readonly number[]): Promise<Task> {
		this.expectStart();
		try {
			await spawnShim(this.#deps.shimPath, deps.directory.path, inherited);
			return await ShimTask.connect(deps);
		} catch (error) {
			await deps.directory.remove(); // a shim that is still there ends by itself when nobody connects
			throw error;
		}
	}

	async adopt(id: string): Promise<AdoptedTask> {
		const deps = this.#taskDeps(id, ADOPTED);
		try {
			const { task, state } = await ShimTask.find(deps);
			if (state === undefined) return await adoptSilent(deps, task);
			if (state.exit !== undefined) return { kind: "exited", exit: state.exit, task };
			if (state.phase === "created") {
				await task.forget();
				return { kind: "lost" };
			}
			return await adoptStarted(task);
		} catch (error) {
			const code = errnoCode(error);
			if (code !== "ENOENT" && code !== "ECONNREFUSED") throw error;
		}
		const exit = await deps.directory.readExit();
		if (exit !== undefined) return { kind: "exited", exit, task: ShimTask.ended(deps, exit) };
		await killLeftover(deps.directory);
		await deps.directory.remove();
		return { kind: "lost" };
	}

	async list(): Promise<string[]> {
		return await listShimDirectories(this.#root);
	}

	async delete(runtime: RuntimeBinary, containerId: string): Promise<void> {
		await this.#run(runtime, ["delete", "--force", containerId]);
	}

	async pause(runtime: RuntimeBinary, containerId: string): Promise<void> {
		await this.#run(runtime, ["pause", containerId]);
	}

	async resume(runtime: RuntimeBinary, containerId: string): Promise<void> {
		await this.#run(runtime, ["resume", containerId]);
	}

	async update(runtime: RuntimeBinary, containerId: string, resources: unknown): Promise<void> {
		await this.#run(runtime, ["update", "--resources", "/dev/stdin", containerId], JSON.stringify(resources));
	}

	/** What runs goes on; nothing can be started any more. */
	[Symbol.dispose](): void {
		this.#programs[Symbol.dispose]();
	}

	async #run(runtime: RuntimeBinary, command: readonly string[], input?: string): Promise<void> {
		const copyPath = this.#programs.pathOf(runtime.path);
		await runOciCommand(runtime, command, { copyPath, ...(input === undefined ? {} : { input }) });
	}

	#taskRecords(request: TaskRequest): SpecRecord[] {
		const copyPath = this.#programs.pathOf(request.runtime.path);
		const records = taskRecords(request);
		return copyPath === undefined ? records : [...records, ["runtime-copy", copyPath]];
	}

	#taskDeps(id: string, subject: StartSubject): ShimTaskDeps {
		const { logger, clock } = this.#deps;
		return { directory: new ShimDirectory(this.#root, id), logger, clock, subject };
	}
}

/** Nobody waits for the words of a start that failed while the daemon was away. */
const ADOPTED: StartSubject = { kind: "run", runtime: "", program: async () => "" };

/** The runtime must set the size itself: the process may look at it before the shim has got the terminal. */
function withConsoleSize({ process, terminal, consoleSize }: ExecTaskRequest): unknown {
	if (!terminal || consoleSize === undefined || typeof process !== "object") return process;
	return { consoleSize: { width: consoleSize.width, height: consoleSize.height }, ...process };
}

async function programOfBundle(bundle: string): Promise<string> {
	try {
		const config: unknown = JSON.parse(await readFile(join(bundle, "config.json"), "utf8"));
		return typeof config === "object" && config !== null && "process" in config ? programOf(config.process) : "";
	} catch {
		return ""; // only the words of an error that there is anyway
	}
}

function programOf(process: unknown): string {
	if (typeof process !== "object" || process === null || !("args" in process)) return "";
	return Array.isArray(process.args) ? String(process.args[0] ?? "") : "";
}

/** By what the monitor noted before it fell silent. */
async function adoptSilent({ directory }: ShimTaskDeps, task: ShimTask): Promise<AdoptedTask> {
	const exit = await directory.readExit();
	if (exit !== undefined) return { kind: "exited", exit, task };
	if (task.pid > 0) return { kind: "running", task };
	task.forget().catch(() => {}); // it has started nothing yet; it may still hear that it need not
	return { kind: "lost" };
}

async function adoptStarted(task: ShimTask): Promise<AdoptedTask> {
	try {
		await task.startSettled();
		return { kind: "running", task };
	} catch {
		return { kind: "lost" }; // the start that was under way failed: the shim has removed everything
	}
}

function taskRecords(request: TaskRequest): SpecRecord[] {
	const records: SpecRecord[] = [
		["version", PROTOCOL_VERSION],
		["id", request.id],
		["runtime", request.runtime.path],
		...request.runtime.args.map((argument): SpecRecord => ["argument", argument]),
		["terminal", request.terminal],
		["stdin", request.openStdin],
		["stdin-once", request.stdinOnce],
		["log", request.log.kind],
	];
	if (request.consoleSize !== undefined)
		records.push(["width", request.consoleSize.width], ["height", request.consoleSize.height]);
	if (request.streamOwner !== undefined)
		records.push(["uid", request.streamOwner.uid], ["gid", request.streamOwner.gid]);
	if (request.log.kind === "none") return records;
	records.push(
		["log-path", request.log.path],
		["log-max-bytes", request.log.maxSizeBytes],
		["log-max-files", request.log.maxFiles],
		["log-compress", request.log.compress],
	);
	if (request.log.attributes !== undefined && Object.keys(request.log.attributes).length > 0)
		records.push(["log-attributes", goJson(request.log.attributes)]);
	return records;
}

/** JSON as Go's encoder writes a map: sorted keys, HTML characters and line separators escaped. */
function goJson(values: Readonly<Record<string, string>>): string {
	const sorted = Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
	return JSON.stringify(sorted).replace(
		/[<>&\u2028\u2029]/g,
		(character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}
