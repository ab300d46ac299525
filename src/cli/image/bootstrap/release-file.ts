import { parseStanza } from "./apt-sources.ts";

/** What an InRelease file says of its suite. */
export interface DebianRelease {
	/** `bookworm` */
	readonly codename: string;
	/** `12.15`; empty for suites that are never released. */
	readonly version: string;
	/** Seconds since the epoch. */
	readonly dateS: number;
}

/** @param text an InRelease file, signature and all; who signed it is checked by apt. @throws Error when it is none */
export function parseRelease(text: string): DebianRelease {
	const body =
		text.replace(/^-----BEGIN PGP SIGNED MESSAGE-----\n(?:.*\n)*?\n/, "").split("-----BEGIN PGP SIGNATURE")[0] ?? "";
	const fields = parseStanza(body);
	const date = Date.parse(fields.get("date") ?? "");
	const codename = fields.get("codename") ?? "";
	if (Number.isNaN(date) || !/^[a-z][a-z-]*$/.test(codename)) throw new Error("this is no Release file of Debian");
	return { codename, version: fields.get("version") ?? "", dateS: Math.floor(date / 1000) };
}
