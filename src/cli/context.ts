import { parseEndpoint } from "../client/endpoint.ts";
import { EngineClient } from "../client/engine-client.ts";
import { type ConfigFile, readConfigFile } from "./config-file.ts";
import type { Output } from "./output.ts";
import type { Environment, GlobalSettings } from "./settings.ts";

/** What every command works with: its outputs, its environment and, when it asks, the daemon. */
export class CliContext {
	#config: Promise<ConfigFile> | undefined;
	#client: Promise<EngineClient> | undefined;

	constructor(
		readonly globals: GlobalSettings,
		readonly stdout: Output,
		readonly stderr: Output,
		readonly environment: Environment,
	) {}

	config(): Promise<ConfigFile> {
		this.#config ??= readConfigFile(this.globals.configFolder, (message) => this.stderr.line(message));
		return this.#config;
	}

	/** The daemon's client; one for the whole command. */
	client(): Promise<EngineClient> {
		this.#client ??= this.#connect();
		return this.#client;
	}

	async #connect(): Promise<EngineClient> {
		const { globals, environment } = this;
		const needsSettings =
			globals.tls ||
			globals.tlsVerify ||
			globals.context ||
			environment["DOCKER_CONTEXT"] ||
			environment["DOCKER_TLS_VERIFY"];
		const host = globals.host || environment["GANTRY_HOST"] || environment["DOCKER_HOST"] || "";
		const endpoint = needsSettings
			? await (await import("./connection-settings.ts")).resolveEndpoint(globals, environment)
			: parseEndpoint(host);
		const apiVersion = environment["DOCKER_API_VERSION"];
		const { HttpHeaders } = await this.config();
		return new EngineClient(endpoint, {
			userAgent: "Gantry-Client/0.1.0 (linux)",
			...(apiVersion ? { apiVersion } : {}),
			...(HttpHeaders === undefined ? {} : { headers: HttpHeaders }),
		});
	}
}
