import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { InvalidParameterError } from "../base/errors.ts";
import { type Endpoint, parseEndpoint, type TlsMaterial } from "../client/endpoint.ts";
import type { Environment, GlobalSettings } from "./settings.ts";

/**
 * The daemon's address when TLS or a context is in play. `-H` and an explicit `--context` exclude each other; an address
 * from the environment beats a context from the environment, as docker has it.
 * @throws InvalidParameterError
 */
export async function resolveEndpoint(globals: GlobalSettings, environment: Environment): Promise<Endpoint> {
	const host = globals.host ?? (environment["GANTRY_HOST"] || environment["DOCKER_HOST"] || undefined);
	if (globals.context !== undefined && globals.host !== undefined)
		throw new InvalidParameterError("conflicting options: cannot specify both --host and --context");
	const context = globals.context ?? (host === undefined ? environment["DOCKER_CONTEXT"] : undefined);
	if (context !== undefined && context !== "" && context !== "default")
		return contextEndpoint(globals.configFolder, context);
	return parseEndpoint(host ?? "", tlsFromOptions(globals, environment));
}

function tlsFromOptions(globals: GlobalSettings, environment: Environment): TlsMaterial | undefined {
	const verify = globals.tlsVerify ?? Boolean(environment["DOCKER_TLS_VERIFY"]);
	if (!verify && !globals.tls) return undefined;
	const folder = environment["DOCKER_CERT_PATH"] || globals.configFolder;
	return {
		verify,
		...readPem("ca", globals.tlsCaCert, join(folder, "ca.pem")),
		...readPem("cert", globals.tlsCert, join(folder, "cert.pem")),
		...readPem("key", globals.tlsKey, join(folder, "key.pem")),
	};
}

/** A file named by an option must be there; one at its usual place may be missing. */
function readPem(name: "ca" | "cert" | "key", given: string | undefined, usual: string): Partial<TlsMaterial> {
	const path = given ?? usual;
	if (given === undefined && !existsSync(path)) return {};
	try {
		return { [name]: readFileSync(path, "utf8") };
	} catch (cause) {
		throw new InvalidParameterError(`unable to read the TLS file ${path}`, { cause });
	}
}

interface ContextMetadata {
	Name: string;
	Endpoints?: { docker?: { Host?: string; SkipTLSVerify?: boolean } };
}

/** Contexts live in `contexts/meta/<sha256 of the name>/meta.json`, their keys in `contexts/tls/<…>/docker/`. */
function contextEndpoint(configFolder: string, name: string): Endpoint {
	const id = createHash("sha256").update(name).digest("hex");
	let metadata: ContextMetadata;
	try {
		metadata = JSON.parse(readFileSync(join(configFolder, "contexts", "meta", id, "meta.json"), "utf8"));
	} catch (cause) {
		throw new InvalidParameterError(`context ${JSON.stringify(name)}: context not found`, { cause });
	}
	const endpoint = metadata.Endpoints?.docker;
	const keys = join(configFolder, "contexts", "tls", id, "docker");
	if (!existsSync(keys)) return parseEndpoint(endpoint?.Host ?? "");
	return parseEndpoint(endpoint?.Host ?? "", {
		verify: endpoint?.SkipTLSVerify !== true,
		...readPem("ca", undefined, join(keys, "ca.pem")),
		...readPem("cert", undefined, join(keys, "cert.pem")),
		...readPem("key", undefined, join(keys, "key.pem")),
	});
}
