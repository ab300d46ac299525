import { readFileSync } from "node:fs";
import { errnoCode, errorMessage } from "../../base/errors.ts";

export interface SecurityOptions {
	options: string[];
	/** `systempaths=unconfined`: nothing is masked or made read-only. */
	isUnmasked: boolean;
}

/** `--security-opt`: the seccomp profile's file is read here, as the daemon can't see it. @throws Error */
export function parseSecurityOptions(texts: readonly string[]): SecurityOptions {
	const options: string[] = [];
	let isUnmasked = false;
	for (const text of texts) {
		if (text === "systempaths=unconfined") {
			isUnmasked = true;
			continue;
		}
		const equals = text.indexOf("=");
		const separator = equals >= 0 ? equals : text.indexOf(":");
		const name = separator < 0 ? text : text.slice(0, separator);
		const value = separator < 0 ? "" : text.slice(separator + 1);
		if (separator < 0 && name !== "no-new-privileges")
			throw new Error(`Invalid --security-opt: ${JSON.stringify(text)}`);
		const isFile = name === "seccomp" && value !== "unconfined" && value !== "builtin";
		options.push(isFile ? `seccomp=${readProfile(value)}` : text);
	}
	return { options, isUnmasked };
}

function readProfile(path: string): string {
	let text: string;
	try {
		text = readFileSync(path, "utf8");
	} catch (cause) {
		const reason = errnoCode(cause) === "ENOENT" ? "no such file or directory" : errorMessage(cause);
		throw new Error(`opening seccomp profile (${path}) failed: open ${path}: ${reason}`, { cause });
	}
	try {
		return JSON.stringify(JSON.parse(text));
	} catch (cause) {
		throw new Error(`compacting json for seccomp profile (${path}) failed: ${errorMessage(cause)}`, { cause });
	}
}
