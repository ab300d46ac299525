import { InvalidParameterError, NotImplementedError, SystemError } from "../../base/errors.ts";

export interface SecurityOptions {
	readonly noNewPrivileges: boolean;
	/** `default` is the daemon's profile; `profile` is JSON text as the request carried it. */
	readonly seccomp:
		| { readonly kind: "default" }
		| { readonly kind: "builtin" }
		| { readonly kind: "unconfined" }
		| { readonly kind: "profile"; readonly json: string };
	/** Nothing masked, nothing read-only below /proc and /sys. */
	readonly systemPathsUnconfined: boolean;
	readonly writableCgroups: boolean;
}

interface Draft {
	noNewPrivileges: boolean;
	seccomp: SecurityOptions["seccomp"];
	systemPathsUnconfined: boolean;
	writableCgroups: boolean;
}

/**
 * Reads `--security-opt` values: `name`, `name=value`, and the old `name:value`.
 * @throws InvalidParameterError; NotImplementedError for confinement that is not there; SystemError for malformed ones, as Docker answers 500
 */
export function parseSecurityOptions(
	options: readonly string[] | null | undefined,
	daemon: { readonly noNewPrivileges: boolean; readonly appArmor: boolean },
): SecurityOptions {
	const draft: Draft = {
		noNewPrivileges: daemon.noNewPrivileges,
		seccomp: { kind: "default" },
		systemPathsUnconfined: false,
		writableCgroups: false,
	};
	for (const option of options ?? []) applyOption(option, draft, daemon.appArmor);
	return draft;
}

function applyOption(option: string, draft: Draft, appArmor: boolean): void {
	const separator = option.includes("=") ? option.indexOf("=") : option.indexOf(":");
	if (separator === -1) {
		if (option === "no-new-privileges") draft.noNewPrivileges = true;
		else if (option === "writable-cgroups") draft.writableCgroups = true;
		// "disable" is the oldest spelling of label=disable: there are no labels to turn off.
		else if (option !== "disable") throw new SystemError(`invalid --security-opt 1: ${JSON.stringify(option)}`);
		return;
	}
	const value = option.slice(separator + 1);
	switch (option.slice(0, separator)) {
		case "no-new-privileges":
			draft.noNewPrivileges = parseBoolean(option, value);
			return;
		case "writable-cgroups":
			draft.writableCgroups = parseBoolean(option, value);
			return;
		case "seccomp":
			draft.seccomp = parseSeccomp(value);
			return;
		case "systempaths":
			if (value !== "unconfined") throw new SystemError(`invalid --security-opt 2: ${JSON.stringify(option)}`);
			draft.systemPathsUnconfined = true;
			return;
		case "apparmor":
			// Without AppArmor in the kernel any profile name is accepted and means nothing, as with Docker.
			if (appArmor && value !== "unconfined" && value !== "")
				throw new NotImplementedError(`AppArmor profiles are not supported: ${value}`);
			return;
		case "label":
			if (value !== "disable") throw new NotImplementedError(`SELinux labels are not supported: ${value}`);
			return;
		default:
			throw new SystemError(`invalid --security-opt 2: ${JSON.stringify(option)}`);
	}
}

function parseBoolean(option: string, value: string): boolean {
	if (/^(1|t|true)$/i.test(value)) return true;
	if (/^(0|f|false)$/i.test(value)) return false;
	throw new SystemError(`invalid --security-opt 2: ${JSON.stringify(option)}`);
}

function parseSeccomp(value: string): SecurityOptions["seccomp"] {
	if (value === "unconfined") return { kind: "unconfined" };
	if (value === "builtin") return { kind: "builtin" };
	if (value === "") return { kind: "default" };
	try {
		JSON.parse(value);
	} catch (cause) {
		throw new InvalidParameterError(`Decoding seccomp profile failed: ${String(cause)}`, { cause });
	}
	return { kind: "profile", json: value };
}
