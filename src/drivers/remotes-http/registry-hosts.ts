/**
 * The endpoints of a registry, from the daemon's settings and from directories named by its host:
 *
 *   <directory>/<host>[:<port>]/hosts.toml          mirrors and settings, in containerd's layout; `_default` for all others
 *   <directory>/<host>[:<port>]/*.crt               more authorities
 *   <directory>/<host>[:<port>]/*.cert, *.key       client certificate and its key
 *
 * Read anew for each operation, so that a change needs no restart.
 */
import { readdirSync, readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { errnoCode, errorMessage, SystemError } from "../../base/errors.ts";
import {
	type CertificateFiles,
	type Endpoint,
	hostOf,
	mirrorEndpoints,
	NO_CERTIFICATES,
	originEndpoint,
	type RegistrySettings,
} from "../../core/remotes/endpoint.ts";
import { hostsFileEndpoints } from "../../core/remotes/hosts-file.ts";

export class RegistryHosts {
	/** @param directories earlier ones win */
	constructor(
		readonly settings: RegistrySettings,
		readonly directories: readonly string[],
	) {}

	/** In the order to try them; the registry itself last. @throws SystemError, InvalidParameterError */
	endpoints(domain: string): Endpoint[] {
		const origin = originEndpoint(domain, this.settings, this.#certificates(domain));
		const file = this.#hostsFile(domain);
		const mirrors = mirrorEndpoints(domain, this.settings).map((mirror) => ({
			...mirror,
			certificates: this.#certificates(new URL(mirror.origin).host),
		}));
		if (file === undefined) return [...mirrors, origin];
		const context = { domain, origin, settings: this.settings, resolve: file.resolve };
		return [...mirrors, ...hostsFileEndpoints(file.table, context)];
	}

	#hostsFile(domain: string) {
		for (const directory of this.directories)
			for (const name of [...directoryNames(domain), "_default"]) {
				const path = join(directory, name, "hosts.toml");
				const text = readIfExists(path);
				if (text === undefined) continue;
				const resolve = (file: string) => (isAbsolute(file) ? file : join(directory, name, file));
				return { table: parseToml(text, path), resolve };
			}
		return undefined;
	}

	#certificates(domain: string): CertificateFiles {
		for (const directory of this.directories)
			for (const name of directoryNames(domain)) {
				const files = listIfExists(join(directory, name));
				if (files !== undefined) return certificateFiles(join(directory, name), files);
			}
		return NO_CERTIFICATES;
	}
}

/** A colon in a directory's name is a nuisance: containerd also takes `host_port_`. */
function directoryNames(domain: string): string[] {
	return [...new Set([domain, domain.replace(/:(\d+)$/, "_$1_"), hostOf(domain)])];
}

function certificateFiles(directory: string, names: readonly string[]): CertificateFiles {
	const all = [...names].sort();
	const clients = all
		.filter((name) => name.endsWith(".cert"))
		.map((name) => {
			const key = name.replace(/\.cert$/, ".key");
			if (!all.includes(key))
				throw new SystemError(
					`missing key ${key} for client certificate ${name}. CA certificates must use the extension .crt`,
				);
			return { certificate: join(directory, name), key: join(directory, key) };
		});
	const authorities = all.filter((name) => name.endsWith(".crt")).map((name) => join(directory, name));
	return { authorities, clients };
}

function parseToml(text: string, path: string): Record<string, unknown> {
	try {
		return Bun.TOML.parse(text) as Record<string, unknown>;
	} catch (cause) {
		throw new SystemError(`failed to parse ${path}: ${errorMessage(cause)}`, { cause });
	}
}

function readIfExists(path: string): string | undefined {
	return ifExists(() => readFileSync(path, "utf8"), path);
}

function listIfExists(path: string): string[] | undefined {
	return ifExists(() => readdirSync(path), path);
}

function ifExists<T>(read: () => T, path: string): T | undefined {
	try {
		return read();
	} catch (cause) {
		const code = errnoCode(cause);
		if (code === "ENOENT" || code === "ENOTDIR") return undefined;
		throw new SystemError(`failed to read ${path}: ${errorMessage(cause)}`, { cause });
	}
}
