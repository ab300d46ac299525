/** The keys that leave a session while the container goes on: `ctrl-p,ctrl-q` unless said otherwise. */
export const DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q";

/**
 * The bytes of a key sequence: comma-separated single characters or `ctrl-` with a letter or one of `@[\]^_`.
 * @throws Error with docker's message
 */
export function parseDetachKeys(text: string): Uint8Array {
	const bytes = text.split(",").map((key) => {
		if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
		const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key.toLowerCase())?.[1];
		if (control === undefined) throw new Error(`invalid detach keys (${text}): Unknown character: '${key}'`);
		return control.toUpperCase().charCodeAt(0) & 0x1f;
	});
	return Uint8Array.from(bytes);
}

/** Refuses a bad sequence before anything is made that would have to be cleaned up; "" is the default. @throws Error */
export function checkDetachKeys(text: string): void {
	if (text !== "") parseDetachKeys(text);
}

export interface ScannedInput {
	/** What goes on to the container. */
	output: Uint8Array;
	isDetached: boolean;
}

/** Finds the sequence in typed input. Keys that may be its beginning are held back until the next one decides. */
export class DetachScanner {
	#matched = 0;

	constructor(private readonly keys: Uint8Array) {}

	push(input: Uint8Array): ScannedInput {
		const output: number[] = [];
		for (const byte of input) {
			if (byte === this.keys[this.#matched]) {
				this.#matched++;
				if (this.#matched === this.keys.length) return { output: Uint8Array.from(output), isDetached: true };
				continue;
			}
			if (this.#matched > 0) {
				output.push(...this.keys.subarray(0, this.#matched));
				this.#matched = 0;
			}
			if (byte === this.keys[0]) {
				this.#matched = 1;
				if (this.keys.length === 1) return { output: Uint8Array.from(output), isDetached: true };
			} else output.push(byte);
		}
		return { output: Uint8Array.from(output), isDetached: false };
	}
}
