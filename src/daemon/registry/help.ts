import { OPTIONS, type OptionRow } from "./options.ts";

export const USAGE = `Usage:  gantry registry COMMAND

A registry for images and other artifacts (OCI distribution 1.1)

Commands:
  serve       Serve the registry under a directory
  gc          Collect its garbage now

Run 'gantry registry COMMAND --help' for more.
`;

const EXAMPLES = `
Examples:
  # For this machine
  gantry registry serve --root /srv/registry --addr 127.0.0.1:5000

  # For others: HTTPS, users with passwords, rights by repository
  htpasswd -Bc users alice
  gantry registry serve --root /srv/registry --addr :443 --tls-cert cert.pem --tls-key key.pem --htpasswd users --access access.yaml

  # A cache of another registry that expires what nobody pulls for a week
  gantry registry serve --root /srv/cache --addr :5001 --proxy https://registry.example.com --proxy-keep 7d

Signals: SIGUSR1 collects garbage, SIGTERM ends when running requests are done.
`;

export function serveHelp(): string {
	return `Usage:  gantry registry serve --root DIR [OPTIONS]\n\nServe a registry\n\nOptions:\n${rows(OPTIONS)}${EXAMPLES}`;
}

export function gcHelp(): string {
	const shown = OPTIONS.filter(
		({ name }) => name === "config" || name === "root" || name.startsWith("gc-") || name.startsWith("s3-"),
	);
	return `Usage:  gantry registry gc --root DIR [OPTIONS]\n\nCollect garbage now; asks the server to do it, its own way, when one is running\n\nOptions:\n${rows(shown)}`;
}

function rows(options: readonly OptionRow[]): string {
	const heads = options.map(({ name, value }) => `  --${name}${value === undefined ? "" : ` ${value}`}`);
	const width = Math.max(...heads.map((head) => head.length)) + 3;
	return options
		.map(({ help, fallback }, index) => {
			const shown = fallback === undefined ? "" : ` (default ${fallback})`;
			return `${(heads[index] ?? "").padEnd(width)}${help}${shown}\n`;
		})
		.join("");
}
