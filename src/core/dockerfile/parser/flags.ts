/** `--name=value` before an instruction's arguments. Each instruction has its own, and nothing else is let through. */
import { nearest } from "../../../base/nearest-word.ts";
import type { Word } from "./instruction-words.ts";

export type FlagKind = "text" | "boolean" | "list";
export type FlagSpec = Readonly<Record<string, FlagKind>>;

/** An absent text or boolean is undefined, an absent list empty. */
export type FlagValues<Spec extends FlagSpec> = {
	readonly [Name in keyof Spec]: Spec[Name] extends "text"
		? string | undefined
		: Spec[Name] extends "boolean"
			? boolean | undefined
			: readonly string[];
};

export type Fail = (reason: string, where: Word, suggestion?: string) => Error;

/** @throws what `fail` makes, for a flag that is unknown, given twice, or without the value it needs */
export function readFlags<const Spec extends FlagSpec>(
	words: readonly Word[],
	spec: Spec,
	fail: Fail,
): FlagValues<Spec> {
	const values: Record<string, string | boolean | string[] | undefined> = {};
	for (const [name, kind] of Object.entries(spec)) values[name] = kind === "list" ? [] : undefined;
	for (const word of words) {
		const equals = word.text.indexOf("=");
		const name = word.text.slice(2, equals < 0 ? undefined : equals);
		const value = equals < 0 ? undefined : word.text.slice(equals + 1);
		const kind = Object.hasOwn(spec, name) ? spec[name] : undefined;
		if (kind === undefined) {
			const near = nearest(name, Object.keys(spec));
			throw fail(`unknown flag: --${name}`, word, near === undefined ? undefined : `--${near}`);
		}
		if (kind === "list") (values[name] as string[]).push(required(name, value, word, fail));
		else if (values[name] !== undefined) throw fail(`duplicate flag specified: --${name}`, word);
		else values[name] = kind === "text" ? required(name, value, word, fail) : booleanValue(name, value, word, fail);
	}
	return values as FlagValues<Spec>;
}

function required(name: string, value: string | undefined, word: Word, fail: Fail): string {
	if (value === undefined) throw fail(`missing a value on flag: --${name}`, word);
	return value;
}

function booleanValue(name: string, value: string | undefined, word: Word, fail: Fail): boolean {
	if (value === "") throw fail(`missing a value on flag: --${name}`, word);
	const text = (value ?? "true").toLowerCase();
	if (text !== "true" && text !== "false")
		throw fail(`expecting boolean value for flag --${name}, not: ${value}`, word);
	return text === "true";
}
