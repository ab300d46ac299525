import type { Command } from "../command.ts";
import { Credentials } from "./credentials.ts";
import { DEFAULT_SERVER, serverKey } from "./server-address.ts";

export const command: Command = {
	usage: "[SERVER]",
	description: "Without a server, the default registry.",
	options: [],
	maxArguments: 1,
	async run(context, _options, [server = ""]) {
		const key = serverKey(server);
		const credentials = new Credentials(await context.config(), context.globals.configFolder);
		context.stdout.line(`Removing login credentials for ${key === DEFAULT_SERVER ? DEFAULT_SERVER : key}`);
		await credentials.forget(key);
		return 0;
	},
};
