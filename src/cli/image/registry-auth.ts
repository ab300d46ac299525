import type { AuthConfig } from "../../api/engine/registry.ts";
import type { CliContext } from "../context.ts";
import { Credentials } from "../registry/credentials.ts";
import { serverOf } from "../registry/server-address.ts";

/** The `X-Registry-Auth` header for a repository from the logins there are; undefined when there is none for its registry. */
export async function registryAuth(context: CliContext, repository: string): Promise<string | undefined> {
	const credentials = new Credentials(await context.config(), context.globals.configFolder);
	const auth = await credentials.find(serverOf(repository));
	return auth === undefined ? undefined : encodeAuth(auth);
}

export function encodeAuth(auth: AuthConfig): string {
	return Buffer.from(JSON.stringify(auth)).toString("base64url");
}
