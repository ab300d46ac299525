import type { ContainerConfig, HealthConfig } from "../../api/engine/container.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { parseExposedPort } from "./ports.ts";
import { parseSignal } from "./signals.ts";

/** Checks of the portable half of a create request. @throws InvalidParameterError */
export function validateConfig(config: ContainerConfig): void {
	for (const entry of config.Env ?? [])
		if (entry === "" || entry.startsWith("=") || entry.includes("\0"))
			throw new InvalidParameterError(`invalid environment variable: ${entry}`);
	const directory = config.WorkingDir ?? "";
	if (directory !== "" && !directory.startsWith("/"))
		throw new InvalidParameterError(`the working directory '${directory}' is invalid, it needs to be an absolute path`);
	for (const argument of [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])])
		if (argument.includes("\0")) throw new InvalidParameterError("invalid command: an argument has a NUL byte in it");
	if ((config.StopSignal ?? "") !== "") parseSignal(config.StopSignal ?? "");
	for (const port of Object.keys(config.ExposedPorts ?? {})) parseExposedPort(port);
	validateHostname("hostname", config.Hostname ?? "");
	validateHostname("domainname", config.Domainname ?? "");
	if (config.Healthcheck !== undefined) validateHealthcheck(config.Healthcheck);
}

/** The kernel takes at most 64 bytes; `/etc/hosts` and `/etc/hostname` are lines of text. */
function validateHostname(what: string, value: string): void {
	if (Buffer.byteLength(value) > 64 || /[\s\0]/.test(value))
		throw new InvalidParameterError(`invalid ${what} format: ${JSON.stringify(value)}`);
}

const ONE_MILLISECOND_NS = 1_000_000;

/** @throws InvalidParameterError */
export function validateHealthcheck(health: HealthConfig): void {
	for (const field of ["Interval", "Timeout", "StartPeriod", "StartInterval"] as const) {
		const valueNs = health[field] ?? 0;
		if (valueNs !== 0 && valueNs < ONE_MILLISECOND_NS)
			throw new InvalidParameterError(`${field} in Healthcheck cannot be less than 1ms`);
	}
	if ((health.Retries ?? 0) < 0) throw new InvalidParameterError("Retries in Healthcheck cannot be negative");
	const kind = health.Test?.[0];
	if (kind !== undefined && !["", "NONE", "CMD", "CMD-SHELL"].includes(kind))
		throw new InvalidParameterError(`Unknown healthcheck type '${kind}' (expected 'CMD', 'CMD-SHELL' or 'NONE')`);
}
