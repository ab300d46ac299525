import { InvalidParameterError } from "../base/errors.ts";

/** Ctrl-P, Ctrl-Q. */
export const DEFAULT_DETACH_KEYS: readonly number[] = [16, 17];

const CONTROL_SYMBOLS: Readonly<Record<string, number>> = { "@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, _: 31 };

/**
 * Byte values of a sequence such as `ctrl-p,ctrl-q` or `a,b`. An empty text is the default.
 * @throws InvalidParameterError
 */
export function parseDetachKeys(text: string): readonly number[] {
	if (text === "") return DEFAULT_DETACH_KEYS;
	return text.split(",").map(keyCode);
}

function keyCode(key: string): number {
	const control = /^ctrl-(.)$/.exec(key)?.[1];
	const code = control === undefined ? plainCode(key) : controlCode(control);
	if (code === undefined) throw new InvalidParameterError(`Invalid escape keys (${key}) provided`);
	return code;
}

function plainCode(key: string): number | undefined {
	return key.length === 1 && key.charCodeAt(0) < 128 ? key.charCodeAt(0) : undefined;
}

function controlCode(key: string): number | undefined {
	if (key >= "a" && key <= "z") return key.charCodeAt(0) - 96;
	return CONTROL_SYMBOLS[key];
}

/**
 * Looks for the sequence in what is typed. A started sequence is held back and passed on when it is not completed, so that the
 * process never sees the keys of a detach.
 */
export class DetachKeyScanner {
	#matched = 0;

	constructor(private readonly keys: readonly number[]) {}

	/** After `detached`, the rest of the input is dropped. */
	scan(input: Uint8Array): { readonly passed: Uint8Array; readonly detached: boolean } {
		if (this.#matched === 0 && !input.includes(this.keys[0] ?? -1)) return { passed: input, detached: false };
		const passed: number[] = [];
		for (const byte of input) {
			if (byte === this.keys[this.#matched]) {
				this.#matched++;
				if (this.#matched === this.keys.length) return { passed: Uint8Array.from(passed), detached: true };
				continue;
			}
			passed.push(...this.keys.slice(0, this.#matched));
			this.#matched = byte === this.keys[0] ? 1 : 0;
			if (this.#matched === 0) passed.push(byte);
		}
		return { passed: Uint8Array.from(passed), detached: false };
	}
}
