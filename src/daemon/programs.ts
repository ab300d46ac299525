/** Finds the programs the daemon runs: OCI runtimes and the monitor. */
import { accessSync, constants, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { SystemError, UnavailableError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { RuntimeBinary } from "../core/container/runtime.ts";
import type { DaemonConfig } from "./config.ts";

/** Where packages put programs, whatever PATH a service manager hands down. */
const SYSTEM_DIRECTORIES = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const BUILT_IN_RUNTIMES = ["crun", "runc"] as const;

export interface RuntimeChoice {
	readonly binaries: readonly RuntimeBinary[];
	readonly defaultRuntime: string;
}

/**
 * crun and runc where they are installed, and the configured ones. crun is the default: it starts a container in half the time.
 * @throws UnavailableError naming what is missing
 */
export function findRuntimes(
	config: Pick<DaemonConfig, "runtimes" | "containers">,
	searchPath: string,
	logger: Logger,
): RuntimeChoice {
	const binaries: RuntimeBinary[] = [];
	for (const name of BUILT_IN_RUNTIMES) {
		const path = findProgram(name, searchPath);
		if (path !== undefined) binaries.push({ name, path, args: [] });
	}
	for (const [name, { path, runtimeArgs }] of Object.entries(config.runtimes)) {
		const found = findProgram(path, searchPath);
		if (found === undefined) logger.warn("OCI runtime is not installed", { runtime: name, path });
		else binaries.push({ name, path: found, args: runtimeArgs });
	}
	const [first] = binaries;
	if (first === undefined)
		throw new UnavailableError("no OCI runtime is installed: install crun (or runc), or name one with --add-runtime");
	return withDefault({ binaries, defaultRuntime: first.name }, config.containers.runtime);
}

/** @throws UnavailableError when `wanted` is none of them */
export function withDefault(choice: RuntimeChoice, wanted: string | undefined): RuntimeChoice {
	if (wanted === undefined) return choice;
	if (!choice.binaries.some(({ name }) => name === wanted))
		throw new UnavailableError(`specified default runtime '${wanted}' does not exist`);
	return { ...choice, defaultRuntime: wanted };
}

/** @param name a name to look for, or an absolute path to check */
export function findProgram(name: string, searchPath: string): string | undefined {
	if (isAbsolute(name)) return isProgram(name) ? name : undefined;
	const directories = [...searchPath.split(":").filter((directory) => directory !== ""), ...SYSTEM_DIRECTORIES];
	return directories.map((directory) => join(directory, name)).find(isProgram);
}

function isProgram(path: string): boolean {
	try {
		accessSync(path, constants.X_OK);
		return statSync(path).isFile();
	} catch {
		// ENOENT, EACCES: not one, for whatever reason.
		return false;
	}
}

/**
 * The monitor beside the compiled binary, or in the checkout.
 * @throws SystemError saying how to build it
 */
export function findShim(): string {
	const candidates = [
		join(dirname(process.execPath), "gantry-shim"),
		join(import.meta.dir, "../../shim/build/gantry-shim"),
	];
	const found = candidates.find(isProgram);
	if (found === undefined)
		throw new SystemError(
			`gantry-shim was found neither beside the program nor in the checkout (${candidates.join(", ")}); 'make -C shim' builds it`,
		);
	return found;
}

/** Where compiled binaries have their files. */
const BINARY_ROOT = "/$bunfs/root/";

/** What a thread for layers begins with: the compiled binary has it under the name it was built from. */
export function layerWorkerScript(): string | URL {
	if (import.meta.url.includes(BINARY_ROOT)) return `${BINARY_ROOT}daemon/layer-worker.js`;
	return new URL("./layer-worker.ts", import.meta.url);
}
