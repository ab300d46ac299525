import { InvalidParameterError } from "./errors.ts";

const BINARY: Readonly<Record<string, number>> = {
	"": 1,
	b: 1,
	k: 1024,
	kb: 1024,
	kib: 1024,
	m: 1024 ** 2,
	mb: 1024 ** 2,
	mib: 1024 ** 2,
	g: 1024 ** 3,
	gb: 1024 ** 3,
	gib: 1024 ** 3,
	t: 1024 ** 4,
	tb: 1024 ** 4,
	tib: 1024 ** 4,
	p: 1024 ** 5,
	pb: 1024 ** 5,
	pib: 1024 ** 5,
};

/**
 * Bytes from `512`, `10m`, `1.5GiB`: the suffixes are binary, whatever their spelling, as in docker's flags.
 * @throws InvalidParameterError
 */
export function parseBytes(text: string): number {
	const match = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text.trim());
	if (match === null) throw new InvalidParameterError(`invalid size: '${text}'`);
	const suffix = (match[2] ?? "").toLowerCase();
	const factor = BINARY[suffix];
	if (factor === undefined) throw new InvalidParameterError(`invalid suffix: '${suffix}'`);
	return Math.floor(Number(match[1]) * factor);
}

const DURATION_MS: Readonly<Record<string, number>> = {
	ns: 1e-6,
	us: 1e-3,
	µs: 1e-3,
	ms: 1,
	s: 1000,
	m: 60_000,
	h: 3_600_000,
};

/**
 * Milliseconds from Go's duration syntax (`1h30m`, `1.5s`, `300ms`, `-2m`, `0`).
 * @throws InvalidParameterError
 */
export function parseDurationMs(text: string): number {
	const invalid = () => new InvalidParameterError(`time: invalid duration "${text}"`);
	const sign = text.startsWith("-") ? -1 : 1;
	const body = text.replace(/^[+-]/, "");
	if (body === "0") return 0;
	if (/^(?:\d+\.?\d*|\.\d+)$/.test(body)) throw new InvalidParameterError(`time: missing unit in duration "${text}"`);
	if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.test(body)) throw invalid();
	let total = 0;
	for (const [, amount, unit] of body.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g))
		total += Number(amount) * (DURATION_MS[unit ?? ""] ?? Number.NaN);
	return sign * total;
}

/** Three significant digits with a suffix: `humanSize(1536, 1024)` is `1.5KiB`, `humanSize(1500)` is `1.5kB`. */
export function humanSize(bytes: number, base: 1000 | 1024 = 1000): string {
	const suffixes = base === 1000 ? ["B", "kB", "MB", "GB", "TB", "PB"] : ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
	let value = bytes;
	let index = 0;
	while (value >= base && index < suffixes.length - 1) {
		value /= base;
		index++;
	}
	return `${formatSignificant(value, 4 - (base === 1000 ? 1 : 0))}${suffixes[index]}`;
}

/** Go's `%.<digits>g` for values that need no exponent. */
function formatSignificant(value: number, digits: number): string {
	return String(Number(value.toPrecision(digits)));
}
