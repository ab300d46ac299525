import { randomBytes } from "node:crypto";

/** A random 64-digit hexadecimal ID, as containers, execs and networks have; never all digits in its first 12 (a host name). */
export function newId(): string {
	for (;;) {
		const id = randomBytes(32).toString("hex");
		if (!/^\d{12}/.test(id)) return id;
	}
}

/** The first 12 digits, as tables show them. */
export function shortId(id: string): string {
	return id.replace(/^sha256:/, "").slice(0, 12);
}
