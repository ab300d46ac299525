import { errorMessage } from "../../base/errors.ts";

/** The programs that keep passwords in the system's own store (`docker-credential-<name>`), by their protocol. */
export interface HelperCredentials {
	ServerURL: string;
	Username: string;
	Secret: string;
}

/** What a helper says for a server it does not know. */
const NOT_FOUND = "credentials not found in native keychain";
/** In place of a user's name: the secret is an identity token. */
export const TOKEN_USER = "<token>";

/** @returns undefined for a server the helper does not know. @throws Error naming the helper, never the secret */
export async function helperGet(helper: string, server: string): Promise<HelperCredentials | undefined> {
	const { exitCode, output } = await runHelper(helper, "get", server);
	if (exitCode !== 0) {
		if (output.includes(NOT_FOUND)) return undefined;
		throw new Error(`error getting credentials - err: exit status ${exitCode}, out: \`${output.trim()}\``);
	}
	try {
		const { Username = "", Secret = "", ServerURL = server } = JSON.parse(output) as Partial<HelperCredentials>;
		return { Username, Secret, ServerURL };
	} catch {
		// The parser's message would quote the secret.
		throw new Error(`error getting credentials: docker-credential-${helper} does not answer in JSON`);
	}
}

export async function helperStore(helper: string, credentials: HelperCredentials): Promise<void> {
	const { exitCode, output } = await runHelper(helper, "store", JSON.stringify(credentials));
	if (exitCode !== 0)
		throw new Error(`error storing credentials - err: exit status ${exitCode}, out: \`${output.trim()}\``);
}

export async function helperErase(helper: string, server: string): Promise<void> {
	const { exitCode, output } = await runHelper(helper, "erase", server);
	if (exitCode !== 0 && !output.includes(NOT_FOUND))
		throw new Error(`error erasing credentials - err: exit status ${exitCode}, out: \`${output.trim()}\``);
}

async function runHelper(helper: string, action: string, input: string) {
	if (!/^[\w.-]+$/.test(helper)) throw new Error(`invalid name of a credential helper: "${helper}"`);
	try {
		const child = Bun.spawn([`docker-credential-${helper}`, action], {
			stdin: Buffer.from(input),
			stdout: "pipe",
			stderr: "ignore",
		});
		const output = await new Response(child.stdout).text();
		return { exitCode: await child.exited, output };
	} catch (cause) {
		throw new Error(`error getting credentials - err: docker-credential-${helper}: ${errorMessage(cause)}`, { cause });
	}
}
