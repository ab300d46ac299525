import type { AuthConfig } from "../../api/engine/registry.ts";
import { ApiError } from "../../client/api-error.ts";
import { loginToRegistry } from "../../client/registries.ts";
import type { Command, ParsedOptions } from "../command.ts";
import type { CliContext } from "../context.ts";
import { Credentials } from "./credentials.ts";
import { DEFAULT_SERVER, serverKey } from "./server-address.ts";

export const command: Command = {
	usage: "[OPTIONS] [SERVER]",
	description: "Without a server, the default registry.",
	examples: ["gantry login registry.example.org", "gantry login -u ci --password-stdin localhost:5000 < token"],
	options: [
		{ name: "password", short: "p", kind: "string", help: "Password or access token" },
		{ name: "password-stdin", kind: "bool", help: "Read the password from standard input" },
		{ name: "username", short: "u", kind: "string", help: "User name" },
	],
	maxArguments: 1,
	async run(context, options, [server = ""]) {
		checkOptions(options);
		const given = server === "docker.io" || server === "" ? DEFAULT_SERVER : server;
		const key = serverKey(given);
		const credentials = new Credentials(await context.config(), context.globals.configFolder);
		if (options.text("password") !== "")
			context.stderr.line("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
		const isAsked = !options.has("username") && !options.has("password");
		const stored = isAsked ? await credentials.find(key) : undefined;
		if (stored !== undefined) {
			const name = stored.username === undefined ? "" : ` [Username: ${stored.username}]`;
			context.stdout.line(`Authenticating with existing credentials...${name}\n`);
			context.stdout.line(" To log in with a different account, run 'gantry logout' and then 'gantry login'\n");
			const status = await tryStored(context, credentials, key, stored);
			if (status !== undefined) {
				context.stdout.line(status);
				return 0;
			}
		}
		const auth: AuthConfig = { ...(await askFor(context, options, stored?.username)), serveraddress: key };
		context.stdout.line(await login(context, credentials, key, auth));
		return 0;
	},
};

function checkOptions(options: ParsedOptions): void {
	if (options.bool("password-stdin")) {
		if (options.has("password"))
			throw new Error("conflicting options: cannot specify both --password and --password-stdin");
		if (!options.has("username")) throw new Error("the --password-stdin option requires --username to be set");
	}
	if (options.has("username") && options.text("username") === "") throw new Error("username is empty");
	if (options.has("password") && options.text("password") === "") throw new Error("password is empty");
}

/** @returns undefined when they are no good any more */
async function tryStored(context: CliContext, credentials: Credentials, key: string, stored: AuthConfig) {
	try {
		return await login(context, credentials, key, stored);
	} catch (error) {
		if (!(error instanceof ApiError) || error.status !== 401) throw error;
		context.stderr.line("Stored credentials invalid or expired");
		return undefined;
	}
}

async function login(context: CliContext, credentials: Credentials, key: string, auth: AuthConfig): Promise<string> {
	const { Status, IdentityToken = "" } = await loginToRegistry(await context.client(), auth);
	const kept = IdentityToken === "" ? auth : { ...auth, password: "", identitytoken: IdentityToken };
	const path = await credentials.keep(key, kept);
	if (path !== undefined)
		context.stderr.line(
			`\nWARNING! Your credentials are stored unencrypted in '${path}'.\nConfigure a credential helper to remove this warning.\n`,
		);
	return Status;
}

async function askFor(context: CliContext, options: ParsedOptions, known = ""): Promise<AuthConfig> {
	const username = options.text("username");
	if (options.bool("password-stdin")) return { username, password: await passwordFromInput() };
	const password = options.text("password");
	if (username !== "" && password !== "") return { username, password };
	const { isTerminal } = await import("../terminal.ts");
	if (!isTerminal(0)) throw new Error("Cannot perform an interactive login from a non TTY device");
	const { ask, askSecretly } = await import("./prompt.ts");
	const hint = known === "" ? "" : ` (${known})`;
	const name = username || (await ask(context.stdout, `Username${hint}: `)) || known;
	if (name === "") throw new Error("Error: Non-null Username Required");
	const secret = password || (await askSecretly(context.stdout, "Password: "));
	if (secret === "") throw new Error("Error: Password Required");
	return { username: name, password: secret };
}

async function passwordFromInput(): Promise<string> {
	const password = (await Bun.stdin.text()).replace(/\r?\n$|\r$/, "");
	if (password.trim() === "") throw new Error("password is empty");
	return password;
}
