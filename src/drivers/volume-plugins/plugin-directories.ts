import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { errnoCode, errorMessage, SystemError } from "../../base/errors.ts";

/** Where a plugin listens. */
export interface PluginAddress {
	/** `http://…` or `https://…`; of no account for a socket but for its path. */
	readonly url: string;
	readonly socketPath?: string;
	readonly tls?: PluginTls;
}

export interface PluginTls {
	readonly ca?: string;
	readonly cert?: string;
	readonly key?: string;
	readonly rejectUnauthorized: boolean;
}

/** The directories of Docker's first plugin system: sockets are looked for in the former, files that name an address in the latter. */
export interface PluginPaths {
	readonly sockets: readonly string[];
	readonly specifications: readonly string[];
}

export const DOCKER_PLUGIN_PATHS: PluginPaths = {
	sockets: ["/run/docker/plugins"],
	specifications: ["/etc/docker/plugins", "/usr/lib/docker/plugins"],
};

/** Plugins in pictures of the disk: each look is a new one, since plugins come and go. */
export class PluginDirectories {
	constructor(private readonly paths: PluginPaths) {}

	/** `<name>.sock`, `<name>.spec`, `<name>.json`, or one of these in a directory `<name>`. Sorted. */
	names(): string[] {
		const names = [
			...this.paths.sockets.flatMap((directory) => entriesOf(directory, [".sock"])),
			...this.paths.specifications.flatMap((directory) => entriesOf(directory, [".spec", ".json"])),
		];
		return [...new Set(names)].sort();
	}

	/** @throws SystemError for a file that cannot be read */
	locate(name: string): PluginAddress | undefined {
		// A name is part of a path, and may come from anybody.
		if (!/^[\w:][\w:.-]*$/.test(name)) return undefined;
		for (const path of pathsOf(this.paths.sockets, name, [".sock"]))
			if (statSync(path, { throwIfNoEntry: false })?.isSocket() === true)
				return { url: "http://plugin.localhost", socketPath: path };
		for (const path of pathsOf(this.paths.specifications, name, [".spec", ".json"])) {
			const text = textIfThere(path);
			if (text !== undefined) return path.endsWith(".json") ? addressOfJson(text, path) : addressOf(text.trim(), path);
		}
		return undefined;
	}
}

function pathsOf(directories: readonly string[], name: string, extensions: readonly string[]): string[] {
	return directories.flatMap((directory) =>
		extensions.flatMap((extension) => [
			join(directory, `${name}${extension}`),
			join(directory, name, `${name}${extension}`),
		]),
	);
}

function entriesOf(directory: string, extensions: readonly string[]): string[] {
	const nameOf = (entry: string) => {
		const extension = extensions.find((each) => entry.endsWith(each));
		return extension === undefined ? undefined : entry.slice(0, -extension.length);
	};
	return listIfThere(directory).flatMap((entry) => {
		const name = nameOf(entry);
		if (name !== undefined) return [name];
		return listIfThere(join(directory, entry)).some((inner) => nameOf(inner) === entry) ? [entry] : [];
	});
}

function listIfThere(directory: string): string[] {
	try {
		return readdirSync(directory);
	} catch (error) {
		if (isAbsence(error)) return [];
		throw new SystemError(`cannot look for plugins in ${directory}: ${errorMessage(error)}`, { cause: error });
	}
}

function textIfThere(path: string): string | undefined {
	try {
		return readFileSync(path, "utf8");
	} catch (error) {
		if (isAbsence(error)) return undefined;
		throw new SystemError(`cannot read the plugin's address: ${errorMessage(error)}`, { cause: error });
	}
}

function isAbsence(error: unknown): boolean {
	return ["ENOENT", "ENOTDIR"].includes(errnoCode(error) ?? "");
}

/** `unix:///path`, `tcp://host:port`, `http://…`, `https://…` */
function addressOf(text: string, path: string, tls?: PluginTls): PluginAddress {
	const [, scheme = "", rest = ""] = /^([a-z]+):\/\/(.+)$/.exec(text) ?? [];
	const options = tls === undefined ? {} : { tls };
	if (scheme === "unix") return { url: "http://plugin.localhost", socketPath: rest };
	if (scheme === "tcp") return { url: `${tls === undefined ? "http" : "https"}://${rest}`, ...options };
	if (scheme === "http" || scheme === "https") return { url: text.replace(/\/+$/, ""), ...options };
	throw new SystemError(`${path}: "${text}" is no address of a plugin`);
}

interface JsonSpecification {
	readonly Addr?: unknown;
	readonly TLSConfig?: {
		readonly InsecureSkipVerify?: boolean;
		readonly CAFile?: string;
		readonly CertFile?: string;
		readonly KeyFile?: string;
	} | null;
}

function addressOfJson(text: string, path: string): PluginAddress {
	const specification = parseJson(text, path);
	const { Addr, TLSConfig } = specification;
	if (typeof Addr !== "string") throw new SystemError(`${path}: the plugin's address is missing`);
	return addressOf(Addr, path, TLSConfig === undefined || TLSConfig === null ? undefined : tlsOf(TLSConfig, path));
}

function parseJson(text: string, path: string): JsonSpecification {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === "object" && value !== null ? value : {};
	} catch (cause) {
		throw new SystemError(`${path}: ${errorMessage(cause)}`, { cause });
	}
}

/** Without an authority of its own nothing is verified, as Docker has it. */
function tlsOf(config: NonNullable<JsonSpecification["TLSConfig"]>, path: string): PluginTls {
	const read = (file: string | undefined) => {
		if (file === undefined || file === "") return undefined;
		const text = textIfThere(file);
		if (text === undefined) throw new SystemError(`${path}: there is no ${file}`);
		return text;
	};
	const [ca, cert, key] = [read(config.CAFile), read(config.CertFile), read(config.KeyFile)];
	return {
		rejectUnauthorized: ca !== undefined && config.InsecureSkipVerify !== true,
		...(ca === undefined ? {} : { ca }),
		...(cert === undefined ? {} : { cert }),
		...(key === undefined ? {} : { key }),
	};
}
