import { InvalidParameterError } from "../../base/errors.ts";

/** Numbers of Linux on x86, ARM, RISC-V and s390 (asm-generic/signal.h); MIPS differs and is not served. */
const SIGNALS: Readonly<Record<string, number>> = {
	HUP: 1,
	INT: 2,
	QUIT: 3,
	ILL: 4,
	TRAP: 5,
	ABRT: 6,
	IOT: 6,
	BUS: 7,
	FPE: 8,
	KILL: 9,
	USR1: 10,
	SEGV: 11,
	USR2: 12,
	PIPE: 13,
	ALRM: 14,
	TERM: 15,
	STKFLT: 16,
	CHLD: 17,
	CLD: 17,
	CONT: 18,
	STOP: 19,
	TSTP: 20,
	TTIN: 21,
	TTOU: 22,
	URG: 23,
	XCPU: 24,
	XFSZ: 25,
	VTALRM: 26,
	PROF: 27,
	WINCH: 28,
	IO: 29,
	POLL: 29,
	PWR: 30,
	SYS: 31,
};

/** glibc keeps 32 and 33 for itself. */
const REAL_TIME_MIN = 34;
const REAL_TIME_MAX = 64;

/**
 * The number of `9`, `KILL`, `SIGKILL`, `sigkill`, `RTMIN+3`, `SIGRTMAX-1`.
 * @throws InvalidParameterError `invalid signal: x`
 */
export function parseSignal(text: string): number {
	const invalid = () => new InvalidParameterError(`invalid signal: ${text}`);
	if (/^[+-]?\d+$/.test(text)) {
		const number = Number(text);
		if (number <= 0) throw invalid();
		return number;
	}
	const name = text.toUpperCase().replace(/^SIG/, "");
	const signal = SIGNALS[name] ?? realTimeSignal(name);
	if (signal === undefined) throw invalid();
	return signal;
}

/** @throws InvalidParameterError also for a number that the kernel does not know */
export function supportedSignal(text: string): number {
	const signal = parseSignal(text);
	if (signal > REAL_TIME_MAX) throw new InvalidParameterError(`the linux daemon does not support signal ${signal}`);
	return signal;
}

function realTimeSignal(name: string): number | undefined {
	const match = /^RTM(IN(?:\+(\d{1,2}))?|AX(?:-(\d{1,2}))?)$/.exec(name);
	if (match === null) return undefined;
	const number = name.startsWith("RTMIN")
		? REAL_TIME_MIN + Number(match[2] ?? 0)
		: REAL_TIME_MAX - Number(match[3] ?? 0);
	return number >= REAL_TIME_MIN && number <= REAL_TIME_MAX ? number : undefined;
}

/** `SIGTERM` for 15; the number itself where there is no name. */
export function signalName(signal: number): string {
	const found = Object.entries(SIGNALS).find(([, number]) => number === signal);
	return found === undefined ? String(signal) : `SIG${found[0]}`;
}
