const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * What a process finds without anyone having asked for it. HOME is set by the OCI runtime, from the container's passwd file;
 * for a user who is not in there runc sets it to `/`, and crun not at all.
 */
export function baseEnvironment(options: {
	readonly hostname?: string;
	readonly terminal: boolean;
	/** The user has an entry in the passwd file. */
	readonly hasAccount: boolean;
}): string[] {
	return [
		DEFAULT_PATH,
		...(options.hostname === undefined ? [] : [`HOSTNAME=${options.hostname}`]),
		...(options.terminal ? ["TERM=xterm"] : []),
		...(options.hasAccount ? [] : ["HOME=/"]),
	];
}

/** `overrides` in place of, or after, the variables of `base`; a bare name removes the variable. */
export function overrideEnvironment(base: readonly string[], overrides: readonly string[]): string[] {
	const result = new Map(base.map((entry) => [nameOf(entry), entry]));
	for (const entry of overrides)
		if (entry.includes("=")) result.set(nameOf(entry), entry);
		else result.delete(entry);
	return [...result.values()];
}

function nameOf(entry: string): string {
	const equals = entry.indexOf("=");
	return equals === -1 ? entry : entry.slice(0, equals);
}
