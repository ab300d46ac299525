import { SystemError } from "../../base/errors.ts";
import type { TaskExit } from "../../core/container/runtime.ts";

/** The text protocol of `shim/PROTOCOL.md`, without I/O. */
export const PROTOCOL_VERSION = 1;

export const CONTROL_HELLO = `gantry-shim/${PROTOCOL_VERSION} control\n`;

export function attachHello(streams: readonly string[]): string {
	return `gantry-shim/${PROTOCOL_VERSION} attach ${streams.join(",")}\n`;
}

export type ShimPhase = "created" | "starting" | "running" | "exited";

export interface ShimState {
	readonly phase: ShimPhase;
	/** Host pid of the monitored process, 0 before it was started. */
	readonly pid: number;
	/** There once `phase` is `exited`. */
	readonly exit?: TaskExit;
	/** Log bytes that could not be written. */
	readonly droppedLogBytes: number;
}

const PHASES: readonly string[] = ["created", "starting", "running", "exited"] satisfies ShimPhase[];

/**
 * Reads `state=running pid=42 …`. Keys that this version does not know are passed over: newer shims may send more.
 * @throws SystemError when the line is not a state.
 */
export function parseState(text: string): ShimState {
	const fields = new Map(text.split(" ").map((field) => splitOnce(field, "=")));
	const phase = fields.get("state") ?? "";
	if (!PHASES.includes(phase)) throw new SystemError(`Monitor sent an unreadable state: ${text}`);
	const state = { phase: phase as ShimPhase, pid: number(fields, "pid"), droppedLogBytes: number(fields, "dropped") };
	return phase === "exited" ? { ...state, exit: exitOf(fields) } : state;
}

/**
 * Reads the exit file (`key=value` lines).
 * @throws SystemError when it is not complete.
 */
export function parseExitFile(text: string): TaskExit {
	const fields = new Map(text.split("\n").map((line) => splitOnce(line, "=")));
	if (!fields.has("code") || !fields.has("finished")) throw new SystemError(`Unreadable exit file: ${text}`);
	return exitOf(fields);
}

function exitOf(fields: ReadonlyMap<string, string>): TaskExit {
	const signal = number(fields, "signal");
	const exit = {
		exitCode: number(fields, "code"),
		oomKilled: number(fields, "oom") > 0,
		finishedAt: number(fields, "finished"),
	};
	return signal > 0 ? { ...exit, signal } : exit;
}

function number(fields: ReadonlyMap<string, string>, key: string): number {
	return Number(fields.get(key) ?? 0);
}

function splitOnce(text: string, separator: string): [string, string] {
	const index = text.indexOf(separator);
	return index < 0 ? [text, ""] : [text.slice(0, index), text.slice(index + separator.length)];
}

export type ShimMessage =
	| { readonly kind: "hello"; readonly state: ShimState }
	| { readonly kind: "reply"; readonly number: number; readonly ok: boolean; readonly text: string }
	| { readonly kind: "event"; readonly name: string; readonly text: string };

/** @throws SystemError when the line is not of this protocol. */
export function parseMessage(line: string): ShimMessage {
	const [first, rest] = splitOnce(line, " ");
	const [second, text] = splitOnce(rest, " ");
	if (first === "hello") return { kind: "hello", state: parseState(text) };
	if (first === "event") return { kind: "event", name: second, text: unescapeText(text) };
	if (/^\d+$/.test(first) && (second === "ok" || second === "error"))
		return { kind: "reply", number: Number(first), ok: second === "ok", text };
	throw new SystemError(`Monitor sent an unreadable line: ${line}`);
}

function unescapeText(text: string): string {
	return text.replace(/\\([\\n])/g, (_, character) => (character === "n" ? "\n" : "\\"));
}
