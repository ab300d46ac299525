import type { CliContext } from "./context.ts";

/**
 * What a command is: its usage, its options and what it does. Verbs are modules of their own that export one `command`; their
 * names and summaries stand in `command-table.ts`, so that only the one that runs is ever loaded.
 */
export type OptionKind = "bool" | "string" | "list";

export interface OptionSpec {
	name: string;
	short?: string;
	/** `list` may be given several times. */
	kind: OptionKind;
	/** The word that stands for the value in the help (`bytes`, `duration`); the kind's name by default. */
	value?: string;
	help: string;
	/** Shown in the help; for a bool, its value when not given. */
	default?: string;
	hidden?: boolean;
	/** Refuses a bad value by throwing; its message comes after `invalid argument "x" for "--name" flag: `. */
	check?: (value: string) => unknown;
}

export interface Command {
	/** What follows the path in the usage line: `[OPTIONS] IMAGE [COMMAND] [ARG...]`. */
	usage: string;
	/** More text for `--help`. */
	description?: string;
	examples?: readonly string[];
	options: readonly OptionSpec[];
	/** False: the first positional argument ends the options (`run`, `exec`, `create`). */
	isInterspersed?: boolean;
	minArguments?: number;
	maxArguments?: number;
	/** Returns the exit code. */
	run(context: CliContext, options: ParsedOptions, args: string[]): Promise<number>;
}

/** The options of one command line. Asking for an option the command does not declare is a bug and throws. */
export class ParsedOptions {
	readonly #values = new Map<string, string[]>();

	readonly #specs: ReadonlyMap<string, OptionSpec>;

	constructor(specs: readonly OptionSpec[]) {
		this.#specs = new Map(specs.map((spec) => [spec.name, spec]));
	}

	add(name: string, value: string): void {
		const spec = this.spec(name);
		const earlier = this.#values.get(name);
		if (spec.kind === "list" && earlier !== undefined) earlier.push(value);
		else this.#values.set(name, [value]);
	}

	/** Was it on the command line? */
	has(name: string): boolean {
		return this.#values.has(this.spec(name).name);
	}

	bool(name: string): boolean {
		return (this.#values.get(name)?.[0] ?? this.spec(name).default) === "true";
	}

	/** The text given, the declared default, or "". */
	text(name: string): string {
		return this.#values.get(name)?.[0] ?? this.spec(name).default ?? "";
	}

	list(name: string): string[] {
		return this.#values.get(this.spec(name).name) ?? [];
	}

	/** The declaration of an option. */
	spec(name: string): OptionSpec {
		const spec = this.#specs.get(name);
		if (spec === undefined) throw new Error(`Option --${name} is not declared`);
		return spec;
	}
}
