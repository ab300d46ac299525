import type { Command } from "../command.ts";
import type { CliContext } from "../context.ts";
import { ExitError } from "../usage-error.ts";

export const command: Command = {
	usage: "[OPTIONS] busybox|debian",
	description:
		"Makes a base image from Debian packages, with nothing but the package mirror. The same packages give the same image: times are the release's (or SOURCE_DATE_EPOCH), nothing of this machine is in it. Needs root on a machine with apt; mmdebstrap is installed when it is missing.",
	examples: [
		"gantry image bootstrap busybox",
		"gantry image bootstrap debian",
		"gantry image bootstrap --suite trixie --slim -t debian:trixie-slim debian",
		"gantry image bootstrap --mirror http://mirror.example.com/debian debian",
	],
	options: [
		{ name: "force", kind: "bool", help: "Make it anew though nothing has changed" },
		{ name: "mirror", kind: "string", value: "url", help: "Package mirror (default: this machine's)" },
		{
			name: "output",
			short: "o",
			kind: "string",
			value: "file",
			help: "Write an archive for 'load' instead of loading it",
		},
		{ name: "quiet", short: "q", kind: "bool", help: "Print the image's ID only" },
		{ name: "security-mirror", kind: "string", value: "url", help: "Mirror of the security updates" },
		{ name: "slim", kind: "bool", help: "Leave manuals and translations out" },
		{ name: "suite", kind: "string", help: "Debian's release", default: "bookworm", check: checkSuite },
		{ name: "tag", short: "t", kind: "list", value: "name:tag", help: "Name of the image, may be given several times" },
	],
	minArguments: 1,
	maxArguments: 1,
	async run(context, options, [kind = ""]) {
		if (kind !== "busybox" && kind !== "debian")
			throw new Error(`unknown base image "${kind}": there are busybox and debian`);
		const request = {
			tags: options.list("tag"),
			isForced: options.bool("force"),
			outputPath: options.text("output"),
			report: options.bool("quiet") ? () => {} : reporter(context),
		};
		const { bootstrapBusybox, bootstrapDebian } = await import("./bootstrap/bootstrap-image.ts");
		try {
			const id =
				kind === "busybox"
					? await bootstrapBusybox(context, request)
					: await bootstrapDebian(context, {
							...request,
							suite: options.text("suite"),
							mirror: options.text("mirror"),
							securityMirror: options.text("security-mirror"),
							isSlim: options.bool("slim"),
						});
			context.stdout.line(id);
			return 0;
		} catch (error) {
			if (error instanceof ExitError || !(error instanceof Error)) throw error;
			throw new ExitError(1, error.message);
		}
	},
};

function checkSuite(text: string): void {
	if (!/^[a-z][a-z0-9-]*$/.test(text)) throw new Error("must be the name of a Debian release");
}

/** What goes on, for people: on standard error, as the ID alone is the result. */
function reporter({ stderr }: CliContext): (text: string) => Promise<void> {
	return async (text) => {
		stderr.line(text);
		await stderr.flush();
	};
}
