import type { OptionSpec } from "./command.ts";

/** Options before the command, the same as docker's. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
	{ name: "config", kind: "string", help: "Folder of the client's config.json", default: "" },
	{ name: "context", short: "c", kind: "string", help: "Context that names the daemon (instead of --host)" },
	{ name: "debug", short: "D", kind: "bool", help: "Say more about what goes wrong" },
	{ name: "host", short: "H", kind: "list", help: "Address of the daemon (unix:///path, tcp://host:port)" },
	{
		name: "log-level",
		short: "l",
		kind: "string",
		help: "Lowest level of messages shown (debug, info, warn, error, fatal)",
		default: "info",
	},
	{ name: "tls", kind: "bool", help: "Encrypt the connection, without checking the daemon's certificate" },
	{ name: "tlscacert", kind: "string", help: "Certificate authority that the daemon's certificate must be signed by" },
	{ name: "tlscert", kind: "string", help: "Certificate to show to the daemon" },
	{ name: "tlskey", kind: "string", help: "Key of that certificate" },
	{ name: "tlsverify", kind: "bool", help: "Encrypt the connection and check the daemon's certificate" },
	{ name: "version", short: "v", kind: "bool", help: "Print the version and quit" },
];
