import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { runCommand } from "./commands.ts";

const PROGRAM = join(import.meta.dir, "volume-plugin-program.ts");

/** A real plugin process that keeps its volumes in a directory. */
export class VolumePluginProcess implements AsyncDisposable {
	#process: ChildProcess | undefined;

	private constructor(
		readonly directory: string,
		private readonly args: readonly string[],
	) {}

	/** @param args a port, and a certificate with its key, for one that listens there instead of at `socket` */
	static async start(directory: string, ...args: readonly string[]): Promise<VolumePluginProcess> {
		mkdirSync(directory, { recursive: true });
		const plugin = new VolumePluginProcess(directory, args);
		await plugin.start();
		return plugin;
	}

	get socket(): string {
		return join(this.directory, "plugin.sock");
	}

	/** Makes the socket known under a plugin's name. */
	publish(path: string): void {
		mkdirSync(dirname(path), { recursive: true });
		rmSync(path, { force: true });
		symlinkSync(this.socket, path);
	}

	async start(): Promise<void> {
		rmSync(this.socket, { force: true });
		const child = spawn(process.execPath, [PROGRAM, this.directory, ...this.args], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		this.#process = child;
		await new Promise<void>((resolve, reject) => {
			child.stdout?.once("data", () => resolve());
			child.once("exit", (code) => reject(new Error(`the plugin ended with code ${code}`)));
		});
	}

	async stop(): Promise<void> {
		const child = this.#process;
		this.#process = undefined;
		if (child === undefined || child.exitCode !== null) return;
		const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
		child.kill("SIGKILL");
		await ended;
	}

	/** Calls so far whose method is one of these, as `Method name id`; all but questions by default. */
	calls(methods: readonly string[] = ["Create", "Remove", "Mount", "Unmount"]): string[] {
		const path = join(this.directory, "calls");
		const lines = existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
		return lines.flatMap((line) => {
			const space = line.indexOf(" ");
			const method = line.slice(0, space).replace(/^VolumeDriver\./, "");
			const { Name = "", ID = "" } = JSON.parse(line.slice(space + 1) || "{}") as { Name?: string; ID?: string };
			return methods.includes(method) ? [`${method} ${Name} ${ID}`.trim()] : [];
		});
	}

	forgetCalls(): void {
		rmSync(join(this.directory, "calls"), { force: true });
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.stop();
		const mounts = join(this.directory, "mounts");
		for (const name of existsSync(mounts) ? readdirSync(mounts) : [])
			await runCommand(["umount", "--lazy", join(mounts, name)]);
		rmSync(this.directory, { recursive: true, force: true });
	}
}
