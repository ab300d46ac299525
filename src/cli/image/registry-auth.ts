import type { ConfigFile } from "../config-file.ts";

const DEFAULT_REGISTRY_KEY = "https://index.docker.io/v1/";

/** The `X-Registry-Auth` header for a repository from the logins in `config.json`; undefined when there is none for its registry. */
export function registryAuth(config: ConfigFile, repository: string): string | undefined {
	const registry = registryOf(repository);
	const entry = config.auths?.[registry] ?? config.auths?.[`https://${registry}`];
	if (entry?.identitytoken) return encode({ identitytoken: entry.identitytoken, serveraddress: registry });
	if (!entry?.auth) return undefined;
	const credentials = Buffer.from(entry.auth, "base64").toString();
	const colon = credentials.indexOf(":");
	return encode({
		username: credentials.slice(0, colon),
		password: credentials.slice(colon + 1),
		serveraddress: registry,
	});
}

/** The registry a repository's name begins with: its first part, if that looks like a host. */
function registryOf(repository: string): string {
	const slash = repository.indexOf("/");
	const first = slash < 0 ? "" : repository.slice(0, slash);
	return first === "localhost" || /[.:]/.test(first) ? first : DEFAULT_REGISTRY_KEY;
}

function encode(auth: Record<string, string>): string {
	return Buffer.from(JSON.stringify(auth)).toString("base64url");
}
