import { InvalidParameterError } from "../../base/errors.ts";
import type { RegistryCredentials } from "./remote.ts";

const LIMIT = 64 << 10;

/**
 * The `X-Registry-Auth` header: an `AuthConfig` in JSON and base64url. What cannot be read counts as no credentials, as with Docker.
 */
export function parseRegistryAuth(header: string | undefined): RegistryCredentials | undefined {
	if (header === undefined || header === "" || header.length > LIMIT) return undefined;
	try {
		return credentialsOf(JSON.parse(Buffer.from(header, "base64").toString("utf8")));
	} catch (error) {
		if (error instanceof SyntaxError) return undefined;
		throw error;
	}
}

/** @returns undefined for one that says nothing. @throws InvalidParameterError for an `auth` that is none */
export function credentialsOf(value: unknown): RegistryCredentials | undefined {
	if (typeof value !== "object" || value === null) return undefined;
	const fields = value as Record<string, unknown>;
	const text = (name: string) => (typeof fields[name] === "string" ? fields[name] : "");
	let [username, password] = [text("username"), text("password")];
	if (username === "" && text("auth") !== "") {
		const pair = Buffer.from(text("auth"), "base64").toString("utf8");
		const colon = pair.indexOf(":");
		if (colon < 0) throw new InvalidParameterError("invalid auth configuration file");
		username = pair.slice(0, colon);
		password = pair.slice(colon + 1).replace(/\0+$/, "");
	}
	const [identityToken, registryToken] = [text("identitytoken"), text("registrytoken")];
	if (username === "" && identityToken === "" && registryToken === "") return undefined;
	return {
		...(username === "" ? {} : { username, password }),
		...(identityToken === "" ? {} : { identityToken }),
		...(registryToken === "" ? {} : { registryToken }),
	};
}
