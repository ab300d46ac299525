/** The flags of `gantry registry serve`, which are the keys of its configuration file too. */
export type OptionKind = "text" | "flag" | "duration" | "number" | "list";

export interface OptionRow {
	readonly name: string;
	readonly kind: OptionKind;
	/** In the help, for the value. */
	readonly value?: string;
	readonly fallback?: string;
	readonly help: string;
}

export const OPTIONS: readonly OptionRow[] = [
	{ name: "config", kind: "text", value: "FILE", help: "Read options from a YAML or JSON file; flags win" },
	{ name: "root", kind: "text", value: "DIR", help: "Keep everything under this directory" },
	{ name: "addr", kind: "text", value: "HOST:PORT", fallback: "127.0.0.1:5000", help: "Listen here" },
	{ name: "tls-cert", kind: "text", value: "FILE", help: "Serve HTTPS with this certificate chain (PEM)" },
	{ name: "tls-key", kind: "text", value: "FILE", help: "Private key of the certificate (PEM)" },
	{
		name: "tls-client-ca",
		kind: "text",
		value: "FILE",
		help: "Let in only clients with a certificate of this authority",
	},
	{ name: "htpasswd", kind: "text", value: "FILE", help: "Users and their bcrypt passwords (htpasswd -B)" },
	{ name: "access", kind: "text", value: "FILE", help: "Rights of users by repository (YAML or JSON)" },
	{
		name: "auth-realm",
		kind: "text",
		value: "TEXT",
		fallback: "registry",
		help: "Name shown when a password is asked for",
	},
	{
		name: "token-endpoint",
		kind: "text",
		value: "URL",
		help: "With --htpasswd: hand out tokens at URL, this server's /token as clients reach it",
	},
	{ name: "token-realm", kind: "text", value: "URL", help: "Trust tokens of the token service at URL" },
	{ name: "token-service", kind: "text", value: "NAME", fallback: "registry", help: "Audience that tokens must name" },
	{ name: "token-issuer", kind: "text", value: "NAME", fallback: "registry", help: "Issuer that tokens must name" },
	{
		name: "token-key",
		kind: "text",
		value: "FILE",
		help: "Public keys or certificates (PEM, JWKS) of the token service; with --token-endpoint the private key",
	},
	{ name: "read-only", kind: "flag", help: "Refuse pushes and deletions" },
	{ name: "proxy", kind: "text", value: "URL", help: "Be a pull-through cache of the registry at URL" },
	{ name: "proxy-user", kind: "text", value: "NAME", help: "User at the other registry" },
	{ name: "proxy-password-file", kind: "text", value: "FILE", help: "File with the password at the other registry" },
	{
		name: "proxy-ttl",
		kind: "duration",
		value: "TIME",
		fallback: "10m",
		help: "Ask again what a tag means after this long",
	},
	{
		name: "proxy-keep",
		kind: "duration",
		value: "TIME",
		fallback: "168h",
		help: "Drop what nobody pulled for this long; 0 keeps all",
	},
	{
		name: "webhook",
		kind: "list",
		value: "URL",
		help: "Notify URL of pushes, pulls, mounts and deletions (repeatable)",
	},
	{
		name: "webhook-header",
		kind: "list",
		value: "NAME:VALUE",
		help: "Header of notifications, such as one with a secret (repeatable)",
	},
	{ name: "webhook-actions", kind: "text", value: "LIST", fallback: "push,mount,delete", help: "What to notify of" },
	{
		name: "gc-interval",
		kind: "duration",
		value: "TIME",
		fallback: "24h",
		help: "Collect garbage this often; 0 for never",
	},
	{
		name: "gc-grace",
		kind: "duration",
		value: "TIME",
		fallback: "2h",
		help: "Blobs that no manifest needs stay this long",
	},
	{ name: "gc-untagged", kind: "flag", help: "Collect manifests that no tag leads to as well" },
	{
		name: "upload-expiry",
		kind: "duration",
		value: "TIME",
		fallback: "168h",
		help: "Drop unfinished uploads untouched for this long",
	},
	{ name: "s3-endpoint", kind: "text", value: "URL", help: "Keep blobs in S3-compatible storage at URL" },
	{ name: "s3-bucket", kind: "text", value: "NAME", help: "The bucket" },
	{ name: "s3-prefix", kind: "text", value: "PATH", help: "Key prefix in the bucket" },
	{ name: "s3-region", kind: "text", value: "NAME", fallback: "us-east-1", help: "The region" },
	{
		name: "s3-credentials",
		kind: "text",
		value: "FILE",
		help: "File with the access key ID and the secret, a line each; a third may have a session token",
	},
	{ name: "s3-virtual-host", kind: "flag", help: "The bucket is part of the storage's host name, not of the path" },
	{
		name: "s3-redirect",
		kind: "flag",
		help: "Send readers of blobs to the storage itself, which they must be able to reach",
	},
	{ name: "no-ui", kind: "flag", help: "Serve no pages for browsers" },
	{ name: "log-level", kind: "text", value: "LEVEL", fallback: "info", help: "trace, debug, info, warn or error" },
	{ name: "log-format", kind: "text", value: "FORMAT", fallback: "text", help: "text or json" },
];
