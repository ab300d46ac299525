/** A real gantryd on roots, socket, bridge and subnet of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import {
	closeSync,
	existsSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUSYBOX_CHANGES, makeBusyboxTar } from "../../tools/base-images/busybox.ts";
import { findDockerClient } from "../../tools/run-tests/docker-client.ts";
import { type CommandOptions, type CommandResult, mustRun, runCommand, waitFor } from "./commands.ts";
import { readMounts, type SnapshotFilter } from "./leaks.ts";
import { type NetworkSlot, takeNetworkSlot } from "./network-slots.ts";
import { type TerminalOptions, TerminalSession } from "./terminal.ts";

const ROOT = join(import.meta.dir, "../..");
const START_MS = 30_000;
const STOP_MS = 30_000;

/**
 * The official client, where this machine has one. Tests that compare with it say so: `test.skipIf(dockerClient === undefined)`.
 * For the others our own stands in, which takes the same commands.
 */
export const dockerClient: string | undefined = findDockerClient();

export interface TestDaemonOptions {
	/** More flags of gantryd. */
	readonly args?: readonly string[];
	/** Content of the configuration file. */
	readonly config?: Readonly<Record<string, unknown>>;
	/** The programs to run: the checkout's source (default), or another folder with `gantry` and `gantryd`, such as dist. */
	readonly programs?: string;
	readonly env?: Readonly<Record<string, string>>;
	/** A program and arguments that go before the daemon's own: one that runs it in other namespaces, and becomes it. */
	readonly wrapper?: readonly string[];
}

export class TestDaemon implements AsyncDisposable {
	/** Holds everything of the daemon. Short, because paths of sockets are. */
	readonly directory = mkdtempSync(join(tmpdir(), "gantry-t-"));
	readonly socketPath = join(this.directory, "gantry.sock");
	readonly host = `unix://${this.socketPath}`;
	readonly dataRoot = join(this.directory, "data");
	readonly execRoot = join(this.directory, "exec");
	readonly #network: NetworkSlot = takeNetworkSlot();
	readonly #programs: string;
	#process: ChildProcess | undefined;

	private constructor(private readonly options: TestDaemonOptions) {
		this.#programs = options.programs ?? join(ROOT, "bin");
	}

	/** A daemon that answers. */
	static async start(options: TestDaemonOptions = {}): Promise<TestDaemon> {
		const daemon = new TestDaemon(options);
		try {
			await daemon.start();
			return daemon;
		} catch (error) {
			await daemon.remove().catch(() => undefined); // the start's error is the one to show
			throw error;
		}
	}

	get bridge(): string {
		return this.#network.bridge;
	}

	/** Of a running daemon. */
	get pid(): number {
		if (this.#process?.pid === undefined) throw new Error("The daemon does not run");
		return this.#process.pid;
	}

	get isRunning(): boolean {
		return this.#process !== undefined;
	}

	/** What the daemon has logged so far, over all its starts. */
	get log(): string {
		const path = join(this.directory, "daemon.log");
		return existsSync(path) ? readFileSync(path, "utf8") : "";
	}

	/** Picks a machine snapshot's entries that belong to this daemon. */
	get isOurs(): SnapshotFilter {
		const link = new RegExp(`(^|[^a-z0-9])${this.bridge}([^0-9]|$)`);
		return (entry) => entry.includes(this.directory) || link.test(entry);
	}

	/** Starts the daemon, again after stop() or kill(), on the same roots. @throws Error with the end of its log. */
	async start(): Promise<void> {
		const log = openSync(join(this.directory, "daemon.log"), "a");
		const [program = "", ...args] = [
			...(this.options.wrapper ?? []),
			join(this.#programs, "gantryd"),
			...this.#arguments(),
		];
		const child = spawn(program, args, {
			cwd: "/",
			stdio: ["ignore", log, log],
			env: { ...process.env, ...this.options.env },
		});
		closeSync(log);
		this.#process = child;
		let failure: string | undefined;
		child.once("error", (error) => {
			failure = error.message;
			this.#process = undefined;
		});
		child.once("exit", (code, signal) => {
			failure = `ended with ${signal ?? `code ${code}`}`;
			if (this.#process === child) this.#process = undefined;
		});
		await waitFor("the daemon to answer", () => failure !== undefined || this.#answers(), START_MS).catch((error) => {
			failure = error.message;
		});
		if (failure !== undefined) throw new Error(`gantryd: ${failure}\n${this.log.slice(-4_000)}`);
	}

	#arguments(): string[] {
		const { config, args = [] } = this.options;
		const configPath = join(this.directory, "daemon.json");
		writeFileSync(configPath, JSON.stringify(config ?? {}));
		return [
			`--config-file=${configPath}`,
			`--data-root=${this.dataRoot}`,
			`--exec-root=${this.execRoot}`,
			`--host=${this.host}`,
			`--pidfile=${join(this.directory, "pid")}`,
			`--bridge=${this.bridge}`,
			`--bip=${this.#network.bridgeAddress}`,
			...args,
		];
	}

	async #answers(): Promise<boolean> {
		try {
			return (await this.api("GET", "/_ping")).ok;
		} catch {
			return false; // nobody listens yet
		}
	}

	/** SIGTERM, as a service manager does; waits for the end. */
	async stop(): Promise<void> {
		await this.#end("SIGTERM");
	}

	/** SIGKILL: the daemon gets no chance to write anything. */
	async kill(): Promise<void> {
		await this.#end("SIGKILL");
	}

	async #end(signal: NodeJS.Signals): Promise<void> {
		const child = this.#process;
		if (child === undefined) return;
		const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
		child.kill(signal);
		const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
		const startedAt = Date.now();
		await ended;
		clearTimeout(timer);
		if (Date.now() - startedAt >= STOP_MS) throw new Error(`gantryd did not stop on ${signal} within ${STOP_MS} ms`);
	}

	/** One request to the API; `path` with or without version. */
	api(method: string, path: string, body?: Uint8Array | Readonly<Record<string, unknown>>): Promise<Response> {
		const isJson = body !== undefined && !(body instanceof Uint8Array);
		return fetch(`http://gantry${path}`, {
			unix: this.socketPath,
			method,
			...(body === undefined ? {} : { body: isJson ? JSON.stringify(body) : new Blob([body]) }),
			headers: isJson ? { "Content-Type": "application/json" } : { "Content-Type": "application/x-tar" },
		});
	}

	/** Makes busybox:latest. */
	async loadBusybox(): Promise<void> {
		const query = new URLSearchParams({ fromSrc: "-", repo: "busybox", tag: "latest" });
		for (const change of BUSYBOX_CHANGES) query.append("changes", change);
		const response = await this.api("POST", `/images/create?${query}`, makeBusyboxTar());
		const text = await response.text();
		if (!response.ok || text.includes('"error"'))
			throw new Error(`busybox was not imported: ${response.status} ${text}`);
	}

	/** The official client against this daemon, or its stand-in. */
	docker(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
		return runCommand([this.#dockerPath(), ...args], this.#clientOptions(options));
	}

	/** Our client against this daemon. */
	gantry(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
		return runCommand([join(this.#programs, "gantry"), ...args], this.#clientOptions(options));
	}

	/** Standard output of `docker …`. @throws Error with all output when it fails. */
	mustDocker(args: readonly string[], options: CommandOptions = {}): Promise<string> {
		return mustRun([this.#dockerPath(), ...args], this.#clientOptions(options));
	}

	mustGantry(args: readonly string[], options: CommandOptions = {}): Promise<string> {
		return mustRun([join(this.#programs, "gantry"), ...args], this.#clientOptions(options));
	}

	/** `gantryd` itself, on this daemon's roots while it is down, for what it answers by ending. */
	gantryd(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
		const own = this.#arguments().filter((argument) => !argument.startsWith("--config-file="));
		return runCommand([join(this.#programs, "gantryd"), ...own, ...args], { timeoutMs: 10_000, ...options });
	}

	/** `docker` or `gantry` on a pseudo-terminal. */
	terminal(client: "docker" | "gantry", args: readonly string[], options: TerminalOptions = {}): TerminalSession {
		const program = client === "docker" ? this.#dockerPath() : join(this.#programs, "gantry");
		return new TerminalSession([program, ...args], { ...options, env: { ...this.#clientEnv(), ...options.env } });
	}

	#dockerPath(): string {
		return dockerClient ?? join(this.#programs, "gantry");
	}

	#clientOptions(options: CommandOptions): CommandOptions {
		return { ...options, env: { ...this.#clientEnv(), ...options.env } };
	}

	/** Nothing of the user's own set-up may change what a test sees. */
	#clientEnv(): Record<string, string | undefined> {
		return {
			DOCKER_HOST: this.host,
			DOCKER_CONFIG: join(this.directory, "client"),
			DOCKER_CONTEXT: undefined,
			DOCKER_API_VERSION: undefined,
			DOCKER_TLS_VERIFY: undefined,
			DOCKER_CERT_PATH: undefined,
		};
	}

	/**
	 * Removes all containers, stops the daemon and removes everything of it.
	 * @throws Error listing mounts, namespaces, cgroups and processes that the daemon left, once they are gone.
	 */
	async remove(): Promise<void> {
		const problems: string[] = [];
		const note = (error: unknown) => problems.push(error instanceof Error ? error.message : String(error));
		if (this.#process === undefined && existsSync(this.dataRoot)) await this.start().catch(note);
		if (this.#process !== undefined) {
			await this.#removeContainers().catch(note);
			await this.stop().catch(note);
		}
		problems.push(...(await this.#sweep()));
		this.#network.release();
		if (problems.length > 0) throw new Error(`The daemon in ${this.directory} left:\n${problems.join("\n")}`);
	}

	async #removeContainers(): Promise<void> {
		const list = (await (await this.api("GET", "/containers/json?all=1")).json()) as readonly { Id: string }[];
		for (const { Id } of list) {
			const response = await this.api("DELETE", `/containers/${Id}?force=1&v=1`);
			if (!response.ok && response.status !== 404)
				throw new Error(`rm ${Id}: ${response.status} ${await response.text()}`);
		}
	}

	/** Ends and removes by force what is left, and names it. The bridge and its table outlive a daemon by design. */
	async #sweep(): Promise<string[]> {
		const left: string[] = [];
		for (const [pid, commandLine] of findProcesses(this.directory)) {
			left.push(`process ${pid} ${commandLine}`);
			killQuietly(pid);
		}
		const mounts = readMounts().filter((line) => line.split(" ")[1]?.startsWith(`${this.directory}/`));
		for (const line of mounts.reverse()) {
			left.push(`mount ${line}`);
			await runCommand(["umount", "-l", line.split(" ")[1] ?? ""]);
		}
		for (const link of [this.bridge, `${this.bridge}-go`]) await runCommand(["ip", "link", "delete", link]);
		await this.#deleteTables();
		// A bind mount still there would have the host's own files removed through it.
		if (readMounts().some((line) => line.split(" ")[1]?.startsWith(`${this.directory}/`)))
			left.push(`${this.directory} itself: something in it cannot be unmounted`);
		else rmSync(this.directory, { recursive: true, force: true });
		return left;
	}

	async #deleteTables(): Promise<void> {
		const tables = await runCommand(["nft", "list", "tables"]);
		for (const line of tables.stdout.split("\n")) {
			const [, family, name] = /^table (\S+) (\S+)$/.exec(line) ?? [];
			if (family !== undefined && name !== undefined && this.isOurs(name))
				await runCommand(["nft", "delete", "table", family, name]);
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.remove();
	}
}

function findProcesses(directory: string): [number, string][] {
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
		.flatMap((name): [number, string][] => {
			try {
				const commandLine = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
				return commandLine.includes(directory) ? [[Number(name), commandLine]] : [];
			} catch {
				return []; // the process ended meanwhile
			}
		});
}

function killQuietly(pid: number): void {
	try {
		process.kill(pid, "SIGKILL");
	} catch {
		// ESRCH: gone already
	}
}
