/**
 * Which variables an instruction sees. Global ARGs and the platform ARGs serve FROM; a stage has the environment of its base, what ENV and
 * ARG add in the order of the file, and of the global scope only what it declares again with `ARG name`.
 */
import type { Platform } from "../../api/oci/image.ts";
import { nearest } from "../../base/nearest-word.ts";
import { DockerfileError } from "./dockerfile-error.ts";
import { atInstruction } from "./expand-instruction.ts";
import type { SourceRange } from "./source-range.ts";
import type { ArgInstruction, Dockerfile, FromInstruction } from "./syntax.ts";
import { expandWord, type Variables } from "./word-expansion.ts";

export interface BuildArgumentOptions {
	/** `--build-arg`. */
	readonly buildArgs: ReadonlyMap<string, string>;
	readonly buildPlatform: Platform;
	readonly targetPlatform: Platform;
	/** The name of the stage that is built; `default` when it has none. */
	readonly targetStage?: string;
}

/** An ARG with the value it got. */
export interface DeclaredArg {
	readonly name: string;
	/** Undefined when nothing gives it one. */
	readonly value: string | undefined;
	/** From the comment before it; "" without. */
	readonly description: string;
	readonly range: SourceRange;
	/** Names of ARGs that its default value was made of. */
	readonly dependencies: ReadonlySet<string>;
	/** `ARG name` of a global ARG: the value comes from there. */
	readonly inherited: boolean;
}

/** These configure the builder and are no environment of anything. */
const NOT_ENVIRONMENT: ReadonlySet<string> = new Set(["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"]);
const PROXIES = ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"];

export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Variables of a plain map. */
export class MapVariables implements Variables {
	readonly values: ReadonlyMap<string, string>;

	constructor(values: ReadonlyMap<string, string>) {
		this.values = values;
	}

	get(name: string): string | undefined {
		return this.values.get(name);
	}

	names(): Iterable<string> {
		return this.values.keys();
	}
}

/** The scope of FROM. */
export class GlobalArguments extends MapVariables {
	/** ARG instructions before the first FROM, by name. */
	readonly declared: ReadonlyMap<string, DeclaredArg>;
	readonly buildArgs: ReadonlyMap<string, string>;

	private constructor(
		values: ReadonlyMap<string, string>,
		declared: ReadonlyMap<string, DeclaredArg>,
		buildArgs: ReadonlyMap<string, string>,
	) {
		super(values);
		this.declared = declared;
		this.buildArgs = buildArgs;
	}

	/** @throws DockerfileError for a default value that cannot be expanded */
	static of(
		dockerfile: Pick<Dockerfile, "globalArgs" | "escape" | "file" | "source">,
		options: BuildArgumentOptions,
	): GlobalArguments {
		const values = platformArguments(options);
		const declared = new Map<string, DeclaredArg>();
		const variables = new MapVariables(values);
		for (const instruction of dockerfile.globalArgs)
			for (const { name, defaultValue, description } of instruction.args) {
				const given = options.buildArgs.get(name);
				const expansion =
					given !== undefined || defaultValue === undefined
						? undefined
						: atInstruction(instruction, dockerfile, () =>
								expandWord(defaultValue, variables, { escape: dockerfile.escape }),
							);
				const value = given ?? expansion?.text;
				// `ARG A=1` and `ARG A=$A$B`: the second depends on what the first did.
				const dependencies = new Set(expansion?.matched);
				if (dependencies.delete(name))
					for (const dependency of declared.get(name)?.dependencies ?? []) dependencies.add(dependency);
				if (value !== undefined) values.set(name, value);
				const { range } = instruction;
				declared.set(name, { name, value, description, range, dependencies, inherited: false });
			}
		return new GlobalArguments(values, declared, options.buildArgs);
	}
}

/** `BUILDPLATFORM`, `TARGETARCH` and so on; `--build-arg` overrides them. */
export function platformArguments({
	buildArgs,
	buildPlatform,
	targetPlatform,
	targetStage = "",
}: BuildArgumentOptions): Map<string, string> {
	const values = new Map([
		...platformParts("BUILD", buildPlatform),
		...platformParts("TARGET", targetPlatform),
		["TARGETSTAGE", targetStage === "" ? "default" : targetStage] as const,
	]);
	for (const name of values.keys()) {
		const given = buildArgs.get(name);
		if (given !== undefined) values.set(name, given);
	}
	return values;
}

function platformParts(prefix: string, platform: Platform): (readonly [string, string])[] {
	const { os, architecture, variant = "" } = platform;
	return [
		[`${prefix}PLATFORM`, [os, architecture, ...(variant === "" ? [] : [variant])].join("/")],
		[`${prefix}OS`, os],
		[`${prefix}OSVERSION`, platform["os.version"] ?? ""],
		[`${prefix}ARCH`, architecture],
		[`${prefix}VARIANT`, variant],
	];
}

/** Proxies given as build arguments: RUN gets them undeclared, in both spellings, and the cache does not care for them. */
export function proxyEnvironment(buildArgs: ReadonlyMap<string, string>): string[] {
	const proxies = new Map<string, string>();
	for (const [name, value] of [...buildArgs].sort(([a], [b]) => (a < b ? -1 : 1)))
		if (PROXIES.includes(name.toLowerCase())) proxies.set(name.toLowerCase(), value);
	return [...proxies].flatMap(([name, value]) => [`${name.toUpperCase()}=${value}`, `${name}=${value}`]);
}

/** What FROM says once the global ARGs are in. */
export interface ExpandedFrom {
	readonly base: string;
	readonly platform: string | undefined;
	readonly matched: ReadonlySet<string>;
	/** Names that are not declared, for the rule UndefinedArgInFrom. */
	readonly unmatched: ReadonlySet<string>;
}

/** @throws DockerfileError for an empty base or platform, and words that cannot be expanded */
export function expandFrom(
	from: FromInstruction,
	globals: Variables,
	dockerfile: Pick<Dockerfile, "escape" | "file" | "source">,
): ExpandedFrom {
	const expanded = readFrom(from, globals, dockerfile);
	checkFrom(from, expanded, globals, dockerfile);
	return expanded;
}

/** `expandFrom` without a look at what came out. @throws DockerfileError for words that cannot be expanded */
export function readFrom(
	from: FromInstruction,
	globals: Variables,
	dockerfile: Pick<Dockerfile, "escape" | "file" | "source">,
): ExpandedFrom {
	const options = { escape: dockerfile.escape };
	return atInstruction(from, dockerfile, () => {
		const base = expandWord(from.base, globals, options);
		const platform = from.platform === undefined ? undefined : expandWord(from.platform, globals, options);
		return {
			base: base.text,
			platform: platform?.text,
			matched: base.matched.union(platform?.matched ?? new Set()),
			unmatched: base.unmatched.union(platform?.unmatched ?? new Set()),
		};
	});
}

/** @throws DockerfileError for an empty base or platform */
export function checkFrom(
	from: FromInstruction,
	{ base, platform, unmatched }: ExpandedFrom,
	globals: Variables,
	{ file, source }: Pick<Dockerfile, "file" | "source">,
): void {
	const [name] = unmatched;
	const suggestion = name === undefined ? undefined : nearest(name, globals.names());
	const place = { suggestion, file, source, ranges: [from.range] };
	if (base === "") throw new DockerfileError({ reason: `base name (${from.base}) should not be blank`, ...place });
	if (platform === "")
		throw new DockerfileError({ reason: `empty platform value from expression ${from.platform}`, ...place });
}

/** Of names and values together; the kernel starts no process with more. */
const ENVIRONMENT_LIMIT = 8 * 1024 * 1024;

/** The variables of a stage, from its FROM on. Changes as its instructions are gone through. */
export class StageVariables implements Variables {
	readonly #values: Map<string, string>;
	readonly #args: DeclaredArg[];
	#size: number;

	/**
	 * @param environment of the base's configuration, `PATH` included
	 * @param parent the stage that this one is FROM, whose ARGs it keeps
	 */
	constructor(environment: readonly string[], parent?: StageVariables) {
		this.#values = new Map(parent === undefined ? [] : parent.#values);
		this.#args = parent === undefined ? [] : [...parent.#args];
		for (const line of environment) {
			const at = line.indexOf("=");
			this.#values.set(at < 0 ? line : line.slice(0, at), at < 0 ? "" : line.slice(at + 1));
		}
		this.#size = [...this.#values].reduce((size, [name, value]) => size + name.length + value.length, 0);
	}

	get(name: string): string | undefined {
		return this.#values.get(name);
	}

	names(): Iterable<string> {
		return this.#values.keys();
	}

	/** ENV and ARG as the processes of RUN see them. */
	get environment(): readonly string[] {
		return [...this.#values].map(([name, value]) => `${name}=${value}`);
	}

	/** Every ARG so far, in the order of the file, a name as often as it was declared. */
	get args(): readonly DeclaredArg[] {
		return this.#args;
	}

	/** ENV, already expanded. @throws DockerfileError when all variables together are too large */
	setEnvironment(name: string, value: string): void {
		const before = this.#values.get(name);
		this.#size += value.length - (before === undefined ? -name.length : before.length);
		if (this.#size > ENVIRONMENT_LIMIT) throw new DockerfileError({ reason: "the environment is too large" });
		this.#values.set(name, value);
	}

	/**
	 * ARG: what `--build-arg` says, or its default, or the global ARG of that name.
	 * @returns the declared, and the names in defaults that nothing sets
	 * @throws DockerfileError
	 */
	declare(
		instruction: ArgInstruction,
		globals: GlobalArguments,
		dockerfile: Pick<Dockerfile, "escape" | "file" | "source">,
	): { readonly args: readonly DeclaredArg[]; readonly unmatched: ReadonlySet<string> } {
		const unmatched = new Set<string>();
		const args = instruction.args.map(({ name, defaultValue, description }): DeclaredArg => {
			const given = globals.buildArgs.get(name);
			const expansion =
				given !== undefined || defaultValue === undefined
					? undefined
					: atInstruction(instruction, dockerfile, () => expandWord(defaultValue, this, { escape: dockerfile.escape }));
			for (const missing of this.undeclared(expansion?.unmatched ?? [])) unmatched.add(missing);
			const global = defaultValue === undefined && given === undefined ? globals.get(name) : undefined;
			const value = given ?? expansion?.text ?? global;
			if (value !== undefined && !NOT_ENVIRONMENT.has(name))
				atInstruction(instruction, dockerfile, () => this.setEnvironment(name, value));
			const dependencies = expansion?.matched ?? new Set<string>();
			const inherited = global !== undefined;
			const arg = { name, value, description, range: instruction.range, dependencies, inherited };
			this.#args.push(arg);
			return arg;
		});
		return { args, unmatched };
	}

	/** Of names that have no value, those that no ARG declares. */
	undeclared(names: Iterable<string>): string[] {
		return [...names].filter(
			(name) => !NOT_ENVIRONMENT.has(name) && !this.#args.some((declared) => declared.name === name),
		);
	}
}
